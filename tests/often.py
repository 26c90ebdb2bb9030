"""Parameters of which some are left to the slow tests."""

from collections.abc import Callable, Iterable

import pytest


def often(values: Iterable, chosen: Callable[[object], bool]) -> list:
    """Returns all values, of which those that are not chosen are left to the slow tests."""
    return [
        value if chosen(value) else pytest.param(*_parts(value), marks=pytest.mark.slow)
        for value in values
    ]


def _parts(value: object) -> tuple:
    """Returns the arguments that a parameter gives."""
    return value if isinstance(value, tuple) else (value,)
