"""One-hot logistic regression on a prepared dataset: the figure every table is read against.

Each id of a categorical field is a column, a list spreads one over its ids, a numeric field is a
column of its own. scikit-learn fits one regression a task on the first `--max_rows` training
rows, a random sample since the rows of a prepared dataset lie in random order. The regularisation
is chosen on the validation split. The run folder is like that of experiments.train.

Example:
  python -m experiments.logistic_regression --data_dir=data/ali_ccp --run_dir=runs/linear
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from absl import flags

from dcrnn_tf import command_line

if TYPE_CHECKING:
    from dcrnn_tf.data import PreparedDataset
    from experiments.fitted_run import Fitted

FLAGS = flags.FLAGS


def main() -> None:
    """Runs the program."""
    from dcrnn_tf.data import PreparedDataset
    from experiments import fitted_run

    try:
        strengths = [float(value) for value in FLAGS.inverse_regularisation]
    except ValueError:
        strengths = []
    if not strengths or not all(0 < strength < math.inf for strength in strengths):
        raise command_line.UsageError("--inverse_regularisation must be finite numbers above 0")
    dataset = PreparedDataset(FLAGS.data_dir)
    fitted_run.make(
        FLAGS.run_dir,
        FLAGS.data_dir,
        dataset.schema,
        "sklearn_logistic_regression",
        {"max_rows": FLAGS.max_rows, "inverse_regularisation": strengths},
        lambda: fit(dataset, FLAGS.max_rows, strengths),
    )


def fit(dataset: "PreparedDataset", max_rows: int, strengths: Sequence[float]) -> "Fitted":
    """Fits all tasks and scores all splits but the training split."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    from dcrnn_tf import metrics
    from experiments.fitted_run import Fitted, learnable

    schema = dataset.schema
    inputs, labels = {}, {}
    for split in schema.splits:
        rows = max_rows if split == "train" else None
        inputs[split], labels[split] = one_hot(dataset, split, rows)
    logits: dict[str, dict] = {split: {} for split in schema.splits if split != "train"}
    chosen = {}
    choice_split = "validation" if "validation" in schema.splits else "train"
    for task in schema.task_names:
        defined = learnable(task, labels["train"][task])
        best = None
        for strength in strengths:
            model = LogisticRegression(C=strength, max_iter=300)
            model.fit(inputs["train"][defined], labels["train"][task][defined])
            known = labels[choice_split][task] >= 0
            scores = model.decision_function(inputs[choice_split][known])
            loss = metrics.logloss(labels[choice_split][task][known], scores)
            if best is None or loss < best[0]:
                best = (loss, strength, model)
        chosen[task] = best[1]
        print(f"{task}: C {best[1]} of {strengths}")
        for split in logits:
            logits[split][task] = best[2].decision_function(inputs[split]).astype(np.float32)
    columns = inputs["train"].shape[1]
    parameters = {"total": columns + 1, "embedding": columns, "other": 1}
    return Fitted(labels, logits, parameters, {"chosen": chosen})


def one_hot(dataset, split: str, max_rows: int | None = None) -> tuple:
    """A split as a sparse matrix `(rows, ids of all fields)` and labels `{task: (rows,)}`."""
    import numpy as np
    import scipy.sparse

    from dcrnn_tf.schema import NUMERIC

    fields = dataset.schema.fields
    sizes = [1 if field.kind == NUMERIC else field.vocabulary_size for field in fields]
    offsets = dict(zip((f.name for f in fields), np.cumsum([0, *sizes[:-1]]), strict=True))
    parts, labels, count = [], {task: [] for task in dataset.schema.task_names}, 0
    for features, batch_labels in dataset.batches(split, 8192):
        features = {name: values.numpy() for name, values in features.items()}
        rows, columns, values = [], [], []
        batch = len(next(iter(batch_labels.values())))
        for field in fields:
            data = features[field.name]
            if field.entity is not None:
                index = features[dataset.schema.entities[field.entity].row_name]
                data = data[index]
            if field.kind == NUMERIC:
                row, column, value = np.arange(batch), np.zeros(batch, np.int64), data
            else:
                data = data.reshape(batch, -1)
                row, position = np.nonzero(data)
                column = data[row, position]
                value = 1.0 / np.bincount(row, minlength=batch)[row]
            rows.append(row)
            columns.append(column + offsets[field.name])
            values.append(value)
        entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        parts.append(scipy.sparse.csr_matrix(entries, shape=(batch, sum(sizes))))
        for task, label in batch_labels.items():
            labels[task].append(label.numpy())
        count += batch
        if max_rows is not None and count >= max_rows:
            break
    matrix = scipy.sparse.vstack(parts, format="csr")[:max_rows]
    return matrix, {task: np.concatenate(part)[:max_rows] for task, part in labels.items()}


def _define_flags() -> None:
    """Defines the program's flags."""
    flags.DEFINE_string("data_dir", None, "Prepared dataset to train on.", required=True)
    flags.DEFINE_string("run_dir", None, "Folder of the run; made if need be.", required=True)
    flags.DEFINE_integer("max_rows", 2_000_000, "Training rows to use at most.", lower_bound=1)
    flags.DEFINE_list(
        "inverse_regularisation",
        ["0.01", "0.03", "0.1"],
        "Values of scikit-learn's C to choose from.",
    )


if __name__ == "__main__":
    _define_flags()
    command_line.run(main)
