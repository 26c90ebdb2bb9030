"""Makes a run of the constant predictor: a task's share of positives in the training split.

Its logloss is what any model has to stay below. Of a task of numbers it is the mean of the training
rows, of several classes their shares. The run folder is like that of experiments.train.

Example:
  python -m experiments.baselines.constant --data_dir=data/ali_ccp --run_dir=runs/constant
"""

import dataclasses
import math
from typing import TYPE_CHECKING

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required

if TYPE_CHECKING:
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

    from experiments.runs.fitted_run import Fitted

    schema = dataset.schema
    train = schema.split("train")
    shares = class_logits(dataset)
    constants = {
        task.name: shares[task.name]
        if task.classes
        else task.target.average
        if task.target
        else logit(train.positives[task.name], train.defined[task.name])
        for task in schema.tasks
    }
    labels, logits = {}, {}
    for split in [name for name in ("validation", "test") if name in schema.splits]:
        parts: dict[str, list[np.ndarray]] = {task: [] for task in constants}
        for _, batch_labels in dataset.batches(split, 8192):
            for task, values in batch_labels.items():
                parts[task].append(values.numpy())
        labels[split] = {task: np.concatenate(values) for task, values in parts.items()}
        logits[split] = {
            task: np.repeat(np.array(value)[np.newaxis], len(labels[split][task]), axis=0)
            for task, value in constants.items()
        }
    tasks = len(constants)
    parameters = {"total": tasks, "embedding": 0, "other": tasks}
    return Fitted(labels, logits, parameters, {"logits": constants})


def class_logits(dataset: "PreparedDataset") -> dict[str, list[float]]:
    """The logits of the shares of classes in the training split, by multiclass task.

    A class without a row counts as half a row, so that its logit is finite.
    """
    import numpy as np

    tasks = [task for task in dataset.schema.tasks if task.classes]
    counts = {task.name: np.zeros(len(task.classes), np.int64) for task in tasks}
    for _, labels in dataset.batches("train", 8192) if tasks else ():
        for task in tasks:
            found = labels[task.name].numpy().astype(np.int64)
            counts[task.name] += np.bincount(found[found >= 0], minlength=len(task.classes))
    return {name: np.log(np.maximum(count, 0.5)).tolist() for name, count in counts.items()}


def logit(positives: int, rows: int) -> float:
    """The logit of a share of positives.

    Without a positive or without a negative, half a row counts as one, so that the logit is finite.
    """
    count = min(max(positives, 0.5), rows - 0.5)
    return math.log(count / (rows - count))


if __name__ == "__main__":
    command_line.run(main, Settings)
