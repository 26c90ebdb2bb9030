"""Inputs of the calls that the serving benchmark times; needs NumPy alone."""

import pathlib
from collections.abc import Sequence

import numpy as np

REQUESTS = 16


def load(
    path: str | pathlib.Path, rows: int, user_fields: int = 0, once: int = 0
) -> list[list[np.ndarray]]:
    """Requests, one array a field each.

    Args:
      path: Path of an array of ids, `(rows, fields)`.
      rows: Number of rows of a request.
      user_fields: Number of first fields that have one id in all rows of a request, as those of
        one user's candidates.
      once: Number of first fields that have one row instead.
    """
    ids = np.load(path, mmap_mode="r", allow_pickle=False)[: REQUESTS * rows]
    found = []
    for start in range(0, len(ids), rows):
        block = np.array(ids[start : start + rows])
        block[:, :user_fields] = block[0, :user_fields]
        columns = [np.ascontiguousarray(column) for column in block.T]
        found.append([column[:1] if i < once else column for i, column in enumerate(columns)])
    return found


def named(
    requests: Sequence[Sequence[np.ndarray]], names: Sequence[str]
) -> list[dict[str, np.ndarray]]:
    """The requests by the names of inputs, which end in the number of their field."""
    names = sorted(names, key=lambda name: int(name.strip("field_")))
    return [dict(zip(names, request, strict=True)) for request in requests]
