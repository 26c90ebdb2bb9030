"""Slices of a split's rows by the values of a field, each of which is evaluated by itself."""

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from dcrnn_tf.dataset.encodings import FIRST_ID_ROW, PADDING_ROW, UNKNOWN_ROW
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import (
    CATEGORICAL,
    NUMERIC,
    DatasetError,
    Field,
    Schema,
    Task,
    load_schema,
)
from dcrnn_tf.dataset.vocabulary import load_vocabulary
from dcrnn_tf.models.derived_outputs import DerivedOutput
from dcrnn_tf.system.nearest import did_you_mean
from dcrnn_tf.training.evaluation import row_groups
from dcrnn_tf.training.evaluation.figures import evaluate
from dcrnn_tf.training.evaluation.row_groups import RowGroups

MOST = 30
"""Largest number of ids with a slice of their own; the rows of all others are one."""

_QUANTILES = 10  # slices of a field of numbers


@dataclasses.dataclass(frozen=True)
class Slices:
    """The slices of a split's rows by one field.

    Attributes:
      name: Name of the field.
      labels: What each slice is called.
      numbers: Number of each row's slice, `(rows,)`.
    """

    name: str
    labels: Sequence[str]
    numbers: np.ndarray


def check(dataset: PreparedDataset, names: Sequence[str]) -> None:
    """Refuses names that are not those of fields with one id or number a row.

    Raises:
      DatasetError: One of them is not.
    """
    schema = load_schema(dataset.folder)
    for name in names:
        _field(schema, name)


def read(dataset: PreparedDataset, split: str, name: str) -> Slices:
    """Returns the slices of a split's rows by a field.

    A field of ids has a slice for each of the `MOST` most frequent ids of the split, one for all
    others, and one each for missing and unknown ones. A field of numbers has up to ten slices of
    equally many rows, of which equal numbers are never parted.

    Args:
      dataset: The dataset; any of its fields is taken, whether the model uses it or not.
      split: Name of the split.
      name: Name of the field.

    Raises:
      DatasetError: There is no such field, or a file is damaged.
    """
    schema = load_schema(dataset.folder)
    field = _field(schema, name)
    values = row_groups.values_of_field(dataset, split, schema, field)
    if field.kind == NUMERIC:
        return _of_numbers(name, values)
    ids = None
    if field.has_vocabulary:
        ids = load_vocabulary(dataset.folder, field).ids
    return _of_ids(name, values, ids)


def evaluate_slices(
    slices: Slices,
    labels: Mapping[str, np.ndarray],
    logits: Mapping[str, np.ndarray],
    derived_outputs: Sequence[DerivedOutput] = (),
    tasks: Sequence[Task] = (),
    weights: Mapping[str, np.ndarray] | None = None,
    groups: RowGroups | None = None,
    measure: Callable[..., dict] = evaluate,
) -> dict[str, dict]:
    """Computes all metrics of each slice, `{label: {task: {metric: value}}}`.

    Args:
      slices: The slices.
      labels: Labels by output, as `evaluate` takes them.
      logits: Logits by output.
      derived_outputs: Outputs that follow from those of tasks.
      tasks: Tasks of the dataset.
      weights: Weights of examples by output.
      groups: Groups of the rows.
      measure: Function of the arguments before it that computes what is wanted of a slice.
    """
    found = {}
    for label, rows in _rows(slices):
        own_labels, own_logits, own_weights = (
            {output: column[rows] for output, column in columns.items()}
            for columns in (labels, logits, weights or {})
        )
        inside = groups and dataclasses.replace(groups, numbers=groups.numbers[rows])
        found[label] = measure(own_labels, own_logits, derived_outputs, tasks, own_weights, inside)
    return found


def _rows(slices: Slices) -> Iterator[tuple[str, np.ndarray]]:
    for number, label in enumerate(slices.labels):
        yield label, np.flatnonzero(slices.numbers == number)


def _field(schema: Schema, name: str) -> Field:
    fields = {field.name: field for field in schema.fields}
    usable = [field.name for field in schema.fields if field.kind in (CATEGORICAL, NUMERIC)]
    if name not in usable:
        what = f"a {fields[name].kind} field" if name in fields else "no field"
        raise DatasetError(
            f"metrics cannot be sliced by {name}, {what} of dataset {schema.name}; expected a "
            f"field with one id or number a row{did_you_mean(name, usable)}"
        )
    return fields[name]


def _of_numbers(name: str, values: np.ndarray) -> Slices:
    cuts = np.unique(np.arange(1, _QUANTILES) * len(values) // _QUANTILES)
    edges = np.unique(np.partition(values, cuts)[cuts])
    edges = edges[edges > values.min()] if len(values) else edges
    ends = [f"{edge:.4g}" for edge in edges]
    labels = [f"{low} to below {high}" for low, high in itertools.pairwise(ends)]
    labels = [f"below {ends[0]}", *labels, f"from {ends[-1]}"] if ends else ["all"]
    return Slices(name, labels, np.searchsorted(edges, values, side="right"))


def _of_ids(name: str, rows: np.ndarray, ids: np.ndarray | None) -> Slices:
    counts = np.bincount(rows, minlength=FIRST_ID_ROW)
    known = FIRST_ID_ROW + np.argsort(-counts[FIRST_ID_ROW:], kind="stable")[:MOST]
    known = known[counts[known] > 0]
    if ids is None:
        labels = [f"hash {row - FIRST_ID_ROW}" for row in known]
    else:
        with contextlib.suppress(ValueError):  # numbers stand in their order, those in texts too
            known = known[np.argsort(ids[known - FIRST_ID_ROW].astype(np.float64), kind="stable")]
        labels = [str(ids[row - FIRST_ID_ROW]) for row in known]
    others, unknown, missing = len(known), len(known) + 1, len(known) + 2
    numbers = np.full(len(counts), others)
    numbers[known] = np.arange(len(known))
    numbers[UNKNOWN_ROW], numbers[PADDING_ROW] = unknown, missing
    numbers = numbers[rows]
    last = {others: "(others)", unknown: "(unknown)", missing: "(missing)"}
    there = [number for number in last if np.any(numbers == number)]
    for position, number in enumerate(there):  # ascending, so that none is taken twice
        numbers[numbers == number] = len(known) + position
    return Slices(name, [*labels, *(last[number] for number in there)], numbers)
