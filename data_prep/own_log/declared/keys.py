"""The keys of a declaration, read one by one, each with its check."""

import math
import reprlib
from collections.abc import Sequence
from typing import Any, Literal, NoReturn, TypeGuard, overload

import polars as pl

from data_prep.own_log.cells import as_values
from dcrnn_tf.dataset.names import fault_of
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.system.nearest import did_you_mean


def _is_text(value: object) -> TypeGuard[str]:
    """Whether a value is text; JSON can hold half of a character, which no file can."""
    return isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)


class Keys:
    """One mapping of the declaration, whose keys are read one by one, each with its check.

    Args:
      entry: The mapping.
      where: Name of its part of the declaration, for messages.
      allowed: Keys that it may have.
      kind: What the keys are keys of, for messages.
    """

    def __init__(self, entry: object, where: str, allowed: Sequence[str], kind: str = ""):
        if not isinstance(entry, dict):
            shown = reprlib.repr(entry)  # aliases may make a short text a huge content
            raise DatasetError(f"{where} must be a mapping of keys to values, not {shown}")
        self.entry: dict[str, Any] = entry
        self.where = where
        for key in entry:
            if key not in allowed:
                raise DatasetError(
                    f"{where}: {key!r} is not a key{kind or ' here'}{did_you_mean(key, allowed)}"
                )

    def exclude(self, key: str, others: Sequence[str]) -> None:
        """Refuses keys that say nothing beside another one."""
        if key in self.entry and (found := [other for other in others if other in self.entry]):
            raise DatasetError(f"{self.where}: give either {key} or {found[0]}, not both")

    def get(self, key: str) -> Any:
        """Returns the value of a key that must be there."""
        if key not in self.entry:
            raise DatasetError(f"{self.where}: the key {key!r} is missing")
        return self.entry[key]

    def fail(self, key: str, expected: str) -> NoReturn:
        """Refuses the value of a key."""
        shown = reprlib.repr(self.entry[key])
        raise DatasetError(f"{self.where}: {key} is {shown}, expected {expected}")

    @overload
    def text(self, key: str, *default: str, strip: bool = True) -> str: ...

    @overload
    def text(self, key: str, *default: str | None, strip: bool = True) -> str | None: ...

    def text(self, key: str, *default: str | None, strip: bool = True) -> str | None:
        """Returns a text that is not empty, and not of spaces alone if `strip`."""
        if default and key not in self.entry:
            return default[0]
        value = self.get(key)
        if not _is_text(value) or not (value.strip() if strip else value):
            self.fail(key, "text; quote it if it is")
        return value

    def choice(self, key: str, choices: Sequence[str], *default: str) -> str:
        """Returns one of the texts that are allowed."""
        value = self.text(key, *default)
        if value not in choices:
            self.fail(key, f"one of {', '.join(choices)}{did_you_mean(value, choices)}")
        return value

    def whole_number(self, key: str, default: int, at_most: int | None = None) -> int:
        """Returns a whole number from 1."""
        value = self.entry.get(key, default)
        if type(value) is not int or value < 1 or (at_most and value > at_most):
            self.fail(key, f"a whole number from 1{f' to {at_most}' if at_most else ''}")
        return value

    def fraction(self, key: str) -> float:
        """Returns a number from 0 to below 1; 0 if the key is absent."""
        value = self.entry.get(key, 0.0)
        try:
            number = math.nan if isinstance(value, bool) else float(value)  # 0.10 is a text
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not 0 <= number < 1:
            self.fail(key, "a number from 0 to below 1")
        return number

    def share(self, key: str) -> float:
        """Returns a number above 0 up to 1; 1 if the key is absent."""
        value = self.entry.get(key, 1.0)
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not 0 < number <= 1:
            self.fail(key, "a number above 0 up to 1")
        return number

    def truth(self, key: str, default: bool) -> bool:
        """Returns true or false."""
        value = self.entry.get(key, default)
        if type(value) is not bool:
            self.fail(key, "true or false")
        return value

    @overload
    def values(self, key: str, required: Literal[True]) -> tuple[str, ...]: ...

    @overload
    def values(
        self, key: str, required: bool = False, may_be_empty: bool = False
    ) -> tuple[str, ...] | None: ...

    def values(
        self, key: str, required: bool = False, may_be_empty: bool = False
    ) -> tuple[str, ...] | None:
        """Returns one value or a list of them, each as text; None if the key is absent."""
        if key not in self.entry and not required:
            return None
        value = self.get(key)
        items = value if isinstance(value, list) else [value]
        if not (items or may_be_empty) or any(
            type(i) not in (int, float) and not _is_text(i) for i in items
        ):
            # YAML reads no, on and null without quotes as false, true and nothing.
            self.fail(key, "a value or a list of values; quote words such as 'no' and 'true'")
        return tuple(str(item) for item in items)

    def cells(self, key: str, may_be_empty: bool = False) -> tuple[str, ...] | None:
        """Returns values that cells are compared with, of which white space around is no part."""
        values = self.values(key, may_be_empty=may_be_empty)
        return values and tuple(value.strip() for value in values)

    def mapping(self, key: str) -> dict[str, object]:
        """Returns a mapping of names, which is not empty."""
        value = self.get(key)
        if not isinstance(value, dict) or not value:
            self.fail(key, "a mapping of names to entries")
        for name in value:
            if not isinstance(name, str):
                raise DatasetError(f"{key}: the name {name!r} must be text; quote it if it is")
            if fault := fault_of(name):  # further messages hold the name as it is
                raise DatasetError(
                    f"{key}: the name {name!r} {fault}; choose one of printable characters"
                )
        return value


def in_both(first: Sequence[str], second: Sequence[str]) -> str | None:
    """Returns the least of the values that are in both lists, as the first one spells it."""
    values = pl.Series(first, dtype=pl.String)
    return values.filter(as_values(tuple(second)).hold(values)).min()
