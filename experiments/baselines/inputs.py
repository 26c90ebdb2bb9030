"""Turns a prepared dataset into plain columns of numbers, for models without embeddings.

A number stays as it is, and each number of a vector. An id is its row in the vocabulary, whose ids
are in the order of their counts in the training split, the most frequent first: an order that knows
nothing of labels, or of any other split. An unknown id comes behind all others, a missing one is
NaN. A field of up to `NATIVE` rows is a category proper. A list is three columns: how many values
it has, the row of its most frequent one, and the mean of their rows, by the weights of a weighted
list.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dcrnn_tf.dataset.encodings import PADDING_ROW, UNKNOWN_ROW
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import CATEGORICAL, NUMERIC, VECTOR, Field, Task
from dcrnn_tf.dataset.targets import NONE, Target
from dcrnn_tf.system import memory
from dcrnn_tf.system.errors import UserError

NATIVE = 255  # categories that scikit-learn's trees can split by at most
_BATCH = 1 << 15


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of the table; `categorical` if its numbers have no order."""

    name: str
    categorical: bool = False


def columns(fields: Sequence[Field]) -> list[Column]:
    """The columns of the table, in order."""
    found = []
    for field in fields:
        if field.kind == NUMERIC:
            found.append(Column(field.name))
        elif field.kind == VECTOR:
            found += [Column(f"{field.name}/{number}") for number in range(field.length)]
        elif field.kind == CATEGORICAL:
            found.append(Column(field.name, categorical=field.vocabulary_size <= NATIVE))
        else:
            parts = ("values", "most_frequent", "mean")
            found += [Column(f"{field.name}/{part}") for part in parts]
    return found


def batches(
    dataset: PreparedDataset, split: str
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Tables float32 `(rows, columns)` and labels `{task: (rows,)}` of a split, part by part."""
    for features, labels in dataset.batches(split, _BATCH, joined=True, weighted=False):
        features = {name: values.numpy() for name, values in features.items()}
        table = [part for field in dataset.schema.fields for part in _parts(field, features)]
        yield np.stack(table, axis=1), {task: label.numpy() for task, label in labels.items()}


def read(
    dataset: PreparedDataset, split: str, max_rows: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The first rows of a split, as `batches` has them, in one piece."""
    tables, labels, count = [], [], 0
    for table, batch_labels in batches(dataset, split):
        tables.append(table[: max_rows - count])
        labels.append({task: label[: max_rows - count] for task, label in batch_labels.items()})
        count += len(tables[-1])
        if count == max_rows:
            break
    return np.concatenate(tables), {
        task: np.concatenate([part[task] for part in labels]) for task in dataset.schema.task_names
    }


def target_of(task: Task) -> Target | None:
    """Returns the scale on which a regression task is fitted by squared errors; None of others.

    Amounts, many of which are 0, have no scale on which one number could stand for them: they are
    fitted as they are.
    """
    return Target(scaling=NONE) if task.target and task.target.is_amount else task.target


def class_logits(task: Task, known: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Returns the logits of all classes of a multiclass task, `(rows, classes)`.

    Args:
      task: The task.
      known: Classes that the fitted model knows, ascending.
      scores: What it gives for them: `(rows, known)`, or of two `(rows,)`.
    """
    if scores.ndim == 1:
        scores = np.stack([np.zeros_like(scores), scores], axis=1)
    every = np.full((len(scores), len(task.classes)), scores.min() - 20.0)
    every[:, known.astype(int)] = scores
    return every


def learned(target: Target | None, labels: np.ndarray) -> np.ndarray:
    """Returns what is fitted of labels, all of which are defined."""
    return labels if target is None else target.scaled(labels.astype(np.float64), np)


def predicted(target: Target | None, scores: np.ndarray) -> np.ndarray:
    """Returns what is predicted by the scores of a fitted model: logits, or numbers."""
    return scores if target is None else target.unscaled(scores, np)


def check_memory(dataset: PreparedDataset, max_rows: int, row_bytes: int, fixed: int = 0) -> None:
    """Refuses rows that cannot be held in memory, before any is read.

    Args:
      dataset: The dataset.
      max_rows: Largest number of rows that are held of a split.
      row_bytes: Number of bytes that a row takes at least.
      fixed: Number of bytes that are taken beside the rows.

    Raises:
      UserError: The machine has less memory than the rows of training and validation take.
    """
    splits = [dataset.schema.splits.get(name) for name in ("train", "validation")]
    rows = sum(min(split.rows, max_rows) for split in splits if split is not None)
    needed, there = rows * row_bytes + fixed, memory.available()
    if needed > there:
        raise UserError(
            f"{rows:,} rows of {dataset.folder} take at least {memory.in_gib(needed)} of memory, "
            f"this machine has {memory.in_gib(there)}; give a lower --max_rows, or prepare the "
            "dataset with a higher --min_count"
        )


def _parts(field: Field, features: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The columns of a field, float32 `(rows,)` each."""
    values = features[field.name]
    if field.kind == NUMERIC:
        return [values]
    if field.kind == VECTOR:
        return [*values.T]
    rows = np.where(values == UNKNOWN_ROW, field.vocabulary_size, values).astype(np.float32)
    rows[values == PADDING_ROW] = np.nan
    if field.kind == CATEGORICAL:
        return [rows]
    weights = features[field.weight_name] if field.weighted else np.ones_like(rows)
    weights = np.where(np.isnan(rows), 0.0, weights)
    count = (values != PADDING_ROW).sum(axis=1).astype(np.float32)
    most_frequent = np.min(rows, axis=1, initial=np.inf, where=~np.isnan(rows))
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # 0 / 0 of an empty list is the NaN it is meant to be
        mean = np.nansum(rows * weights, axis=1) / weights.sum(axis=1)
    most_frequent[np.isinf(most_frequent)] = np.nan
    mean[~np.isfinite(mean)] = np.nan
    return [count, most_frequent, mean.astype(np.float32)]
