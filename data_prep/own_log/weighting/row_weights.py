"""The columns of example weights: which tasks they weigh, and which cells they may hold."""

import functools
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from data_prep.own_log.cells import numbers_of, unusable_numbers
from data_prep.own_log.declaration import DeclaredTask

Fault = Callable[[str, np.ndarray, Callable[[int], str]], None]


def weight_columns(tasks: Sequence[DeclaredTask]) -> dict[str, str]:
    """Returns the columns of weights, each with its name in the prepared dataset."""
    return {
        task.weight: name
        for task in tasks
        if task.weight is not None and (name := task.task.weight) is not None
    }


def read_weights(
    frame: pl.DataFrame, tasks: Sequence[DeclaredTask], add_fault: Fault
) -> dict[str, np.ndarray]:
    """Returns the weights of rows, float32 `(rows,)` by their names in the prepared dataset.

    Args:
      frame: The rows.
      tasks: The declared tasks.
      add_fault: Takes a reason, the rows that are at fault for it, and what is said of a row.
    """
    weights = {}
    for column, name in weight_columns(tasks).items():
        cells = frame[column]
        numbers = numbers_of(cells)
        unusable = unusable_numbers(cells, numbers) | cells.is_null().to_numpy()
        unusable |= (numbers < 0).fill_null(True).to_numpy()
        add_fault(
            "weight not allowed",
            unusable,
            functools.partial(_not_allowed, cells),
        )
        weights[name] = numbers.fill_null(0).cast(pl.Float32, strict=False).fill_null(0).to_numpy()
    return weights


def _not_allowed(cells: pl.Series, row: int) -> str:
    """Says of a cell that it is no weight."""
    held = "is empty" if cells[row] is None else f"holds {str(cells[row])!r}"
    return f"weight: column {cells.name!r} {held}, expected a finite number from 0 in every row"
