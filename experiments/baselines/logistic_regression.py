"""Fits one-hot logistic regression on a prepared dataset, the reference of every table.

Each id of a categorical field is a column, a list spreads one over its ids, a numeric field is a
column of its own. scikit-learn fits one regression a task on the first `--max_rows` training
rows, a random sample since the rows of a prepared dataset lie in random order; that of a task of
numbers is a ridge regression of scaled numbers. The regularisation is chosen on the validation
split. The run folder is like that of experiments.train.

Example:
  python -m experiments.baselines.logistic_regression --data_dir=data/ali_ccp --run_dir=runs/linear
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import setting
from experiments.runs.settings import RunSettings

if TYPE_CHECKING:
    import scipy.sparse

    from dcrnn_tf.dataset.reader import PreparedDataset
    from experiments.runs.fitted_run import Fitted


@dataclasses.dataclass(frozen=True)
class Settings(RunSettings):
    """The dataset, the folder of the run, and how the regressions are fitted."""

    max_rows: int = setting(
        2_000_000, "Largest number of training examples that are used.", lower=1
    )
    inverse_regularisation: tuple[float, ...] = setting(
        (0.01, 0.03, 0.1),
        "Values of scikit-learn's C to choose from, comma-separated.",
        noun="finite numbers above 0",
    )


def main(settings: Settings, paged: bool = True) -> None:
    """Runs the program.

    Args:
      settings: What is fitted on what.
      paged: Whether the run has a report.
    """
    from dcrnn_tf.dataset.reader import PreparedDataset
    from experiments.runs import finish, fitted_run

    strengths = list(settings.inverse_regularisation)
    if not strengths or min(strengths) <= 0:
        raise command_line.UsageError("--inverse_regularisation must be finite numbers above 0")
    splits = finish.splits_of(settings.evaluate_test)
    dataset = PreparedDataset(settings.data_dir, splits=splits)
    fitted_run.make(
        settings.run_dir,
        settings.data_dir,
        dataset.schema,
        "sklearn_logistic_regression",
        {"max_rows": settings.max_rows, "inverse_regularisation": strengths},
        lambda: fit(dataset, settings.max_rows, strengths),
        evaluate_test=settings.evaluate_test,
        paged=paged,
        keep_scores=settings.keep_scores,
    )


def fit(dataset: "PreparedDataset", max_rows: int, strengths: Sequence[float]) -> "Fitted":
    """Fits all tasks and scores all splits but the training split."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression, Ridge

    from dcrnn_tf.dataset.schema import MULTI_CATEGORICAL
    from dcrnn_tf.metrics.class_logloss import class_logloss
    from dcrnn_tf.metrics.logloss import logloss
    from dcrnn_tf.metrics.rmse import rmse
    from experiments.baselines.inputs import (
        check_memory,
        class_logits,
        learned,
        predicted,
        target_of,
    )
    from experiments.runs.fitted_run import Fitted, learnable, offset, score

    schema = dataset.schema
    single = [field for field in schema.fields if field.kind != MULTI_CATEGORICAL]
    columns = sum(max(field.vocabulary_size, field.length) for field in schema.fields)
    # A float64 and an int32 for each value that is in every row, in parts and then in one piece;
    # L-BFGS holds 25 numbers for each column.
    check_memory(dataset, max_rows, row_bytes=24 * len(single), fixed=200 * columns)
    inputs, labels = one_hot(dataset, "train", max_rows)
    choice = one_hot(dataset, "validation", max_rows) if "validation" in schema.splits else None
    weights = dataset.example_weights("train")
    models, chosen = {}, {}
    by_name = {task.name: task for task in schema.tasks}
    targets = {task.name: target_of(task) for task in schema.tasks}
    for task in schema.tasks:
        name, target = task.name, targets[task.name]
        defined = learnable(task, labels[name])
        rows, known = inputs[defined], learned(target, labels[name][defined])
        of_rows = weights[name][: len(defined)][defined] if name in weights else None
        # The rows to choose by: where the task is defined on no other, those of the fit.
        choice_rows, choice_known, shift = rows, known, 0.0
        if choice is not None and (there := task.defined(choice[1][name])).any():
            choice_rows, choice_known = choice[0][there], learned(target, choice[1][name][there])
            shift = offset(task)
        least = math.inf
        for strength in strengths:
            if target is None:
                model = LogisticRegression(C=strength, max_iter=300).fit(rows, known, of_rows)
                scores = model.decision_function(choice_rows) + shift
                if task.classes:
                    scores = class_logits(task, model.classes_, scores)
                loss = (class_logloss if task.classes else logloss)(choice_known, scores)
            else:
                model = Ridge(alpha=1 / strength).fit(rows, known, of_rows)
                loss = rmse(choice_known, model.predict(choice_rows))
            if loss < least or name not in models:
                least, chosen[name], models[name] = loss, strength, model
        print(f"{name}: C {chosen[name]} of {strengths}")

    def score_batch(task: str, rows: "scipy.sparse.csr_matrix") -> np.ndarray:
        model, target = models[task], targets[task]
        scores = model.decision_function(rows) if target is None else model.predict(rows)
        if by_name[task].classes:
            scores = class_logits(by_name[task], model.classes_, scores)
        return predicted(target, scores).astype(np.float32)

    held_out = score(dataset, lambda split: batches(dataset, split), score_batch)
    columns, tasks = inputs.shape[1], sum(max(1, len(task.classes)) for task in schema.tasks)
    parameters = {"total": tasks * (columns + 1), "embedding": tasks * columns, "other": tasks}
    return Fitted(*held_out, parameters, {"chosen": chosen})


def one_hot(dataset, split: str, max_rows: int | None = None) -> tuple:
    """The first rows of a split, all if not given: what `batches` yields, in one piece."""
    import numpy as np
    import scipy.sparse

    labels: dict[str, list[np.ndarray]] = {task: [] for task in dataset.schema.task_names}
    parts, count = [], 0
    for matrix, batch_labels in batches(dataset, split):
        parts.append(matrix)
        for task, label in batch_labels.items():
            labels[task].append(label)
        count += matrix.shape[0]
        if max_rows is not None and count >= max_rows:
            break
    matrix = scipy.sparse.vstack(parts, format="csr")[:max_rows]
    return matrix, {task: np.concatenate(part)[:max_rows] for task, part in labels.items()}


def batches(dataset, split: str) -> Iterator[tuple]:
    """A split as sparse matrices `(rows, ids of all fields)` and labels `{task: (rows,)}`."""
    import numpy as np
    import scipy.sparse

    fields = dataset.schema.fields
    sizes = [field.vocabulary_size if field.has_ids else field.length for field in fields]
    offsets = dict(zip((f.name for f in fields), np.cumsum([0, *sizes[:-1]]), strict=True))
    for features, batch_labels in dataset.batches(split, 8192, joined=True, weighted=False):
        features = {name: values.numpy() for name, values in features.items()}
        rows, columns, values = [], [], []
        batch = len(next(iter(batch_labels.values())))
        for field in fields:
            data = features[field.name]
            if not field.has_ids:
                row = np.repeat(np.arange(batch), field.length)
                column, value = np.tile(np.arange(field.length), batch), data.ravel()
            else:
                data = data.reshape(batch, -1)
                row, position = np.nonzero(data)
                column = data[row, position]
                value = 1.0 / np.bincount(row, minlength=batch)[row]
            rows.append(row)
            columns.append(column + offsets[field.name])
            values.append(value)
        entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        matrix = scipy.sparse.csr_matrix(entries, shape=(batch, sum(sizes)))
        yield matrix, {task: label.numpy() for task, label in batch_labels.items()}


if __name__ == "__main__":
    command_line.run(main, Settings)
