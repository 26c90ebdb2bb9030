"""The constant predictor: each task's share of positives in the training split, for every row.

Its logloss is what any model has to stay below. The run folder is like that of experiments.train.

Example:
  python -m experiments.baselines.constant --data_dir=data/ali_ccp --run_dir=runs/constant
"""

import math
from typing import TYPE_CHECKING

from absl import flags

from dcrnn_tf.system import command_line

if TYPE_CHECKING:
    from dcrnn_tf.dataset.reader import PreparedDataset
    from experiments.runs.fitted_run import Fitted

FLAGS = flags.FLAGS


def main() -> None:
    """Runs the program."""
    from dcrnn_tf.dataset.reader import PreparedDataset
    from dcrnn_tf.dataset.schema import load_schema
    from experiments.runs import fitted_run

    schema = load_schema(FLAGS.data_dir)
    # Only labels are of interest here: one field is the least that can be read with them.
    field = min(schema.fields, key=lambda field: field.entity is not None)
    dataset = PreparedDataset(FLAGS.data_dir, [field.name])
    fitted_run.make(FLAGS.run_dir, FLAGS.data_dir, schema, "constant", {}, lambda: fit(dataset))


def fit(dataset: "PreparedDataset") -> "Fitted":
    """Scores all splits but the training split by its rates."""
    import numpy as np

    from experiments.runs.fitted_run import Fitted

    schema = dataset.schema
    train = schema.split("train")
    constants = {
        task: logit(train.positives[task], train.defined[task]) for task in schema.task_names
    }
    labels, logits = {}, {}
    for split in [name for name in ("validation", "test") if name in schema.splits]:
        parts = {task: [] for task in constants}
        for _, batch_labels in dataset.batches(split, 8192):
            for task, values in batch_labels.items():
                parts[task].append(values.numpy())
        labels[split] = {task: np.concatenate(values) for task, values in parts.items()}
        logits[split] = {
            task: np.full(len(labels[split][task]), value) for task, value in constants.items()
        }
    tasks = len(constants)
    parameters = {"total": tasks, "embedding": 0, "other": tasks}
    return Fitted(labels, logits, parameters, {"logits": constants})


def logit(positives: int, rows: int) -> float:
    """The logit of a share of positives.

    Without a positive or without a negative, half a row counts as one, so that the logit is finite.
    """
    positives = min(max(positives, 0.5), rows - 0.5)
    return math.log(positives / (rows - positives))


def _define_flags() -> None:
    """Defines the program's flags."""
    flags.DEFINE_string("data_dir", None, "Prepared dataset.", required=True)
    flags.DEFINE_string("run_dir", None, "Folder of the run; made if need be.", required=True)


if __name__ == "__main__":
    _define_flags()
    command_line.run(main)
