"""Values of one weight, carried by the names of its rows, its classes or its fields."""

from collections.abc import Sequence

import numpy as np


def class_counts(before: Sequence[str], now: Sequence[str]) -> tuple[int, int, int]:
    """Returns how many classes are carried, start fresh and are dropped."""
    kept = len({*before} & {*now})
    return kept, len(now) - kept, len(before) - kept


def by_class(
    now: np.ndarray, before: np.ndarray, classes_before: Sequence[str], classes_now: Sequence[str]
) -> np.ndarray | None:
    """Carries the parts of a weight whose last axis has an output for each class.

    Args:
      now: The weight, as it starts.
      before: The earlier weight.
      classes_before: Names of the earlier classes.
      classes_now: Names of the classes.

    Returns:
      The weight; None where the shapes do not fit the classes.
    """
    expected = (*now.shape[:-1], len(classes_before))
    if before.shape != expected or now.shape[-1] != len(classes_now):
        return None
    now = now.copy()
    for position, name in enumerate(classes_now):
        if name in classes_before:
            now[..., position] = before[..., classes_before.index(name)]
    return now


def by_field(
    now: np.ndarray, before: np.ndarray, names_before: Sequence[str], names_now: Sequence[str]
) -> np.ndarray | None:
    """Carries the parts of a weight whose first axis has as many rows for each field.

    Args:
      now: The weight, as it starts.
      before: The earlier weight.
      names_before: Names of the earlier fields.
      names_now: Names of the fields.

    Returns:
      The weight; None where its shape does not follow from the number of fields.
    """
    sizes = [(len(now), len(names_now)), (len(before), len(names_before))]
    if now.shape[1:] != before.shape[1:] or any(not n or rows % n for rows, n in sizes):
        return None
    width, other = (rows // fields for rows, fields in sizes)
    if width != other:
        return None
    now = now.copy()
    for position, name in enumerate(names_now):
        if name in names_before:
            first = names_before.index(name) * width
            now[position * width : (position + 1) * width] = before[first : first + width]
    return now
