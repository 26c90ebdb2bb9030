"""Columns of rows: with lists, as preparations make them, and flattened, as they lie on disk."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from dcrnn_tf.dataset.names import column_name
from dcrnn_tf.dataset.schema import BINARY, MULTI_CATEGORICAL, Field, Task

Columns = Mapping[str, "np.ndarray | Ragged"]
DiskColumns = dict[str, np.ndarray]  # lists flattened: the names of `Field.columns`


@dataclasses.dataclass(frozen=True)
class Ragged:
    """A column of lists: `values` (and `weights`) of all rows end to end, and each row's length."""

    values: np.ndarray  # (total,) int32
    row_lengths: np.ndarray  # (rows,) integer
    weights: np.ndarray | None = None  # (total,) float32

    def __getitem__(self, kept: np.ndarray) -> "Ragged":
        """The lists of the rows where `kept`, `(rows,)` bool, is true."""
        values = np.repeat(kept, self.row_lengths)
        weights = None if self.weights is None else self.weights[values]
        return Ragged(self.values[values], self.row_lengths[kept], weights)


_Column = TypeVar("_Column", np.ndarray, Ragged, np.ndarray | Ragged)


def select(columns: Mapping[str, _Column], kept: np.ndarray) -> dict[str, _Column]:
    """The rows where `kept`, `(rows,)` bool, is true."""
    if kept.all():
        return dict(columns)
    return {name: column[kept] for name, column in columns.items()}


def single_values(columns: Columns, name: str) -> np.ndarray:
    """Returns a column that has one value in each row.

    Raises:
      TypeError: It has lists.
    """
    column = columns[name]
    if isinstance(column, Ragged):
        raise TypeError(f"column {name} has lists, expected single values")
    return column


def lists(columns: Columns, name: str) -> Ragged:
    """Returns a column of lists.

    Raises:
      TypeError: It has single values.
    """
    column = columns[name]
    if not isinstance(column, Ragged):
        raise TypeError(f"column {name} has single values, expected lists")
    return column


def disk_columns(
    columns: Columns, fields: Sequence[Field], dtypes: Mapping[str, str]
) -> DiskColumns:
    """Flattens lists into values and lengths, and checks names, types, lengths and ranges."""
    flat = {}
    for key, column in columns.items():
        name = column_name(key)
        if isinstance(column, Ragged):
            flat[f"{name}/values"] = column.values
            flat[f"{name}/row_lengths"] = column.row_lengths
            if column.weights is not None:
                flat[f"{name}/weights"] = column.weights
        else:
            flat[name] = column
    if set(flat) != set(dtypes):
        different = ", ".join(sorted(set(flat) ^ set(dtypes)))
        raise ValueError(f"columns given and columns of the schema differ in {different}")
    rows = row_count(flat)
    for field in fields:
        multiple, name = field.kind == MULTI_CATEGORICAL, column_name(field.name)
        if multiple and (longest := flat[f"{name}/row_lengths"].max(initial=0)):
            if longest > field.max_values:
                raise ValueError(f"{field.name}: a list of {longest}, allowed {field.max_values}")
            total = int(flat[f"{name}/row_lengths"].sum(dtype=np.int64))
            if any(len(flat[n]) != total for n in field.columns if not n.endswith("row_lengths")):
                raise ValueError(f"{field.name}: values do not fit row_lengths")
        if field.has_ids:
            ids = flat[f"{name}/values" if multiple else name]
            if len(ids) and not 0 <= ids.min() <= ids.max() < field.vocabulary_size:
                raise ValueError(f"{field.name}: a row outside [0, {field.vocabulary_size})")
    for name, values in flat.items():
        if not name.endswith(("/values", "/weights")) and len(values) != rows:
            raise ValueError(f"{name}: {len(values)} rows, expected {rows}")
    found = {}
    for name, dtype in dtypes.items():
        found[name] = np.ascontiguousarray(flat[name], np.dtype(dtype).base)
        if found[name].shape[1:] != np.dtype(dtype).shape:
            raise ValueError(f"{name}: rows of shape {found[name].shape[1:]}, expected {dtype}")
    return found


def count_labels(
    labels: Mapping[str, np.ndarray], tasks: Sequence[Task]
) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Counts rows by task: `positives`, `defined` and `out_of_sequence` of a `Split`."""
    positives, defined, out_of_sequence = {}, {}, {}
    before: np.ndarray = np.array(True)  # where the task before is positive, or may be
    for task in tasks:
        positive = labels[task.name] > 0
        there = task.defined(labels[task.name])
        if task.only_where is not None:
            there &= labels[task.only_where] > 0
        positives[task.name] = int(np.sum(positive & there))
        defined[task.name] = int(np.sum(there))
        out_of_sequence[task.name] = 0
        before_it, before = before, np.array(True)
        if task.kind == BINARY:  # no other kind is in a sequence
            out_of_sequence[task.name] = int(np.sum(positive & there & ~before_it))
            before = labels[task.name] != 0
    return positives, defined, out_of_sequence


def disk_labels(columns: DiskColumns, tasks: Sequence[Task]) -> dict[str, np.ndarray]:
    """The labels among columns on disk, by task."""
    return {task.name: columns[task.column] for task in tasks}


def _lengths(columns: DiskColumns, name: str) -> np.ndarray | None:
    """Row lengths of a flattened list column; None for a column with one value a row."""
    base, _, part = name.rpartition("/")
    return columns[f"{base}/row_lengths"] if part in ("values", "weights") else None


def row_count(columns: DiskColumns) -> int:
    """Rows of flattened columns."""
    return next(len(v) for name, v in columns.items() if not name.endswith(("/values", "/weights")))


def cut(columns: DiskColumns, ends: np.ndarray) -> Iterator[DiskColumns]:
    """The rows up to `ends[0]`, those up to `ends[1]` and so on, as views."""
    bounds = {}
    for name in columns:
        lengths = _lengths(columns, name)
        if lengths is None:
            bounds[name] = np.append(0, ends)
        else:
            bounds[name] = np.append(0, np.cumsum(lengths, dtype=np.int64))[np.append(0, ends)]
    for number in range(len(ends)):
        yield {
            name: values[bounds[name][number] : bounds[name][number + 1]]
            for name, values in columns.items()
        }


def take(columns: DiskColumns, rows: np.ndarray) -> DiskColumns:
    """The given rows in the given order."""
    taken = {}
    for name, values in columns.items():
        if (lengths := _lengths(columns, name)) is None:
            taken[name] = values[rows]
        else:
            starts = (np.cumsum(lengths, dtype=np.int64) - lengths)[rows]
            wanted = lengths[rows].astype(np.int64)
            shift = np.repeat(starts - (np.cumsum(wanted) - wanted), wanted)
            taken[name] = values[np.arange(len(shift)) + shift]
    return taken
