"""Labels of rows, by kind of task."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from data_prep.own_log.cells import (
    as_values,
    expected_number,
    numbers_of,
    spelled,
    text_of,
    unusable_numbers,
)
from data_prep.own_log.declaration import DeclaredTask
from data_prep.own_log.rows.faults import Faults
from dcrnn_tf.dataset.schema import MULTICLASS, REGRESSION
from dcrnn_tf.dataset.targets import ZERO_INFLATED_LOGNORMAL

MISSING = -1  # label of a row that lacks one


def read_labels(
    tasks: Sequence[DeclaredTask], frame: pl.DataFrame, faults: Faults
) -> dict[str, np.ndarray]:
    """Reads the labels of all tasks.

    Args:
      tasks: The declared tasks; one that is defined where another is positive comes after it.
      frame: The rows.
      faults: Takes the rows whose label is at fault.

    Returns:
      Labels by task: of a binary one 0 or 1, and `MISSING` where it may be missing and is; of a
      regression float32, NaN where it is not defined; of a multiclass one the classes as texts,
      None where it is not defined.
    """
    labels: dict[str, np.ndarray] = {}
    for task in tasks:
        read = _READERS.get(task.kind, _binary_labels)
        labels[task.name] = read(
            task, frame[task.column], labels.get(task.only_where or ""), faults
        )
    return labels


def _binary_labels(
    task: DeclaredTask, cells: pl.Series, given: np.ndarray | None, faults: Faults
) -> np.ndarray:
    """Returns the labels of a binary task; a missing one where the parent is not 1 becomes 0.

    The arguments are those of `_number_labels`.
    """
    text = text_of(cells)
    where = f"task {task.name}: column {task.column!r}"
    missing = text.is_null().to_numpy()
    positive = as_values(task.positive).hold(cells).to_numpy()
    asked = np.ones(len(cells), bool) if given is None else given > 0
    if not task.may_be_missing:
        faults.add(
            "label missing",
            missing & asked,
            lambda row: f"{where} has no label",
        )
    if task.negative is not None:
        known = positive | as_values(task.negative).hold(cells).to_numpy()
        allowed = ", ".join(dict.fromkeys((*task.positive, *task.negative)))
        faults.add(
            "label not allowed",
            ~missing & ~known,
            lambda row: f"{where} holds {text[row]!r}, expected one of {allowed}",
        )
    faults.add(
        "label without its parent",
        positive & ~asked,
        lambda row: f"{where} is positive where task {task.only_where} is not",
    )
    labels = positive.astype(task.task.column_type)
    if task.may_be_missing:
        labels[missing & asked] = MISSING
    return labels


def _class_labels(
    task: DeclaredTask, cells: pl.Series, given: np.ndarray | None, faults: Faults
) -> np.ndarray:
    """Returns the classes of a multiclass task as texts; None where it is not defined.

    The arguments are those of `_number_labels`.
    """
    where = f"task {task.name}: column {task.column!r}"
    classes = spelled(text_of(cells))
    missing = classes.is_null().to_numpy()
    asked = np.ones(len(cells), bool) if given is None else given > 0
    if not task.may_be_missing:
        faults.add("label missing", missing & asked, lambda row: f"{where} has no label")
    if task.classes:
        known = classes.is_in(list(task.classes)).fill_null(True).to_numpy()
        faults.add(
            "label not allowed",
            ~known & asked,
            lambda row: f"{where} holds {cells[row]!r}, expected one of {', '.join(task.classes)}",
        )
    return classes.set(pl.Series(~asked), None).to_numpy()


def _number_labels(
    task: DeclaredTask, cells: pl.Series, given: np.ndarray | None, faults: Faults
) -> np.ndarray:
    """Returns the labels of a regression task, float32; NaN where the task is not defined.

    Args:
      task: The task.
      cells: Its column.
      given: Labels of the task on whose positives alone this one is defined; None if on all rows.
      faults: Takes the rows whose label is at fault.
    """
    where = f"task {task.name}: column {task.column!r}"
    numbers = numbers_of(cells)
    missing = cells.is_null().to_numpy()
    asked = np.ones(len(cells), bool) if given is None else given > 0
    labels = numbers.cast(pl.Float32).fill_null(np.nan).to_numpy()
    faults.add(
        "label not a number",
        unusable_numbers(cells, numbers),
        lambda row: f"{where} holds {cells[row]!r}, {expected_number(cells[row])}",
    )
    if not task.may_be_missing:
        faults.add("label missing", missing & asked, lambda row: f"{where} has no label")
    if task.loss == ZERO_INFLATED_LOGNORMAL:
        faults.add(
            "label below 0",
            labels < 0,
            lambda row: f"{where} holds {cells[row]!r}, expected an amount from 0",
        )
    faults.add(
        "label without its parent",
        (labels != 0) & ~missing & ~asked,
        lambda row: f"{where} holds {cells[row]!r} where task {task.only_where} is not positive",
    )
    return np.where(asked, labels, np.float32(np.nan))


_READERS = {REGRESSION: _number_labels, MULTICLASS: _class_labels}
