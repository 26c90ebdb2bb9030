"""Makes a run of the constant predictor: a task's share of positives in the training split.

Its logloss is what any model has to stay below. Of a task of numbers it is the mean of the training
rows, of several classes their shares. The run folder is like that of experiments.train.

Example:
  python -m experiments.baselines.constant --data_dir=data/ali_ccp --run_dir=runs/constant
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required

if TYPE_CHECKING:
    import numpy as np

    from dcrnn_tf.dataset.reader import PreparedDataset
    from experiments.runs.fitted_run import Fitted


@dataclasses.dataclass(frozen=True)
class Settings:
    """The dataset and the folder of the run."""

    data_dir: str = required("Prepared dataset to train on.")
    run_dir: str = required("Folder of the run, made if it is missing.")


def main(settings: Settings) -> None:
    """Runs the program."""
    from dcrnn_tf.dataset.reader import PreparedDataset
    from dcrnn_tf.dataset.schema import load_schema
    from experiments.runs import fitted_run

    schema = load_schema(settings.data_dir)
    # Only labels are of interest here: one field is the least that can be read with them.
    field = min(schema.fields, key=lambda field: field.entity is not None)
    dataset = PreparedDataset(settings.data_dir, [field.name])
    fitted_run.make(
        settings.run_dir, settings.data_dir, schema, "constant", {}, lambda: fit(dataset)
    )


def fit(dataset: "PreparedDataset") -> "Fitted":
    """Scores all splits but the training split by its rates."""
    import numpy as np

    from experiments.runs.fitted_run import Fitted, offset

    schema = dataset.schema
    train = schema.split("train")
    weights = dataset.example_weights("train")  # rows count by these
    shares = class_logits(dataset, weights)
    positives: dict[str, float] = {**train.positives}
    defined: dict[str, float] = {**train.defined}
    averages = {task.name: task.target.average for task in schema.tasks if task.target}
    known = _labels(dataset, "train") if weights else {}
    for weighted in [task for task in schema.tasks if task.name in weights]:
        name, there = weighted.name, weighted.defined(known[weighted.name])
        of_rows = weights[name].astype(np.float64)
        if name in averages:
            averages[name] = float(np.average(known[name][there], weights=of_rows[there]))
        positives[name] = float(np.sum(of_rows[known[name] > 0]))
        defined[name] = float(np.sum(of_rows[there]))
    constants = {
        task.name: shares[task.name]
        if task.classes
        else averages[task.name]
        if task.target
        else logit(positives[task.name], defined[task.name]) + offset(task)
        for task in schema.tasks
    }
    labels, logits = {}, {}
    for split in [name for name in ("validation", "test") if name in schema.splits]:
        labels[split] = _labels(dataset, split)
        logits[split] = {
            task: np.repeat(np.array(value)[np.newaxis], len(labels[split][task]), axis=0)
            for task, value in constants.items()
        }
    tasks = len(constants)
    parameters = {"total": tasks, "embedding": 0, "other": tasks}
    return Fitted(labels, logits, parameters, {"logits": constants})


def class_logits(
    dataset: "PreparedDataset", weights: Mapping[str, "np.ndarray"]
) -> dict[str, list[float]]:
    """The logits of the shares of classes in the training split, by multiclass task.

    A class without a row counts as half a row, so that its logit is finite.
    """
    import numpy as np

    tasks = [task for task in dataset.schema.tasks if task.classes]
    known = _labels(dataset, "train") if tasks else {}
    logits = {}
    for task in tasks:
        found = known[task.name].astype(np.int64)
        of_rows = weights[task.name][found >= 0] if task.name in weights else None
        count = np.bincount(found[found >= 0], of_rows, len(task.classes))
        logits[task.name] = np.log(np.maximum(count, 0.5)).tolist()
    return logits


def _labels(dataset: "PreparedDataset", split: str) -> dict:
    """Returns the labels of a split, `{task: (rows,)}`, in the order on disk."""
    import numpy as np

    parts: dict[str, list[np.ndarray]] = {task: [] for task in dataset.schema.task_names}
    for _, batch_labels in dataset.batches(split, 8192, weighted=False):
        for task, values in batch_labels.items():
            parts[task].append(values.numpy())
    return {task: np.concatenate(values) for task, values in parts.items()}


def logit(positives: float, rows: float) -> float:
    """The logit of a share of positives.

    Without a positive or without a negative, half a row counts as one, so that the logit is finite.
    """
    count = min(max(positives, 0.5), rows - 0.5)
    return math.log(count / (rows - count))


if __name__ == "__main__":
    command_line.run(main, Settings)
