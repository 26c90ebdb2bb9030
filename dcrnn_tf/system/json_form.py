"""Reads the project's own JSON files and compares them with the form that they must have.

    RESULT = Object({"steps": Optional(COUNT), "metrics": Named(Named(NUMBER))})
    content = read(path, RESULT, "make the run again")

What differs from its form is told in one sentence: the file, the key, what it holds, what was
expected, and what to do.
"""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from dcrnn_tf.system.errors import DatasetError

_LARGEST = 3.4028234663852886e38  # of float32, in which models compute


class Form(Protocol):
    """What a value must be."""

    def problem(self, value: Any, place: str) -> str | None:
        """Returns a clause on what is wrong with a value; None if nothing is.

        Args:
          value: The value.
          place: Where it stands, such as `metrics.test.click`; empty for the whole file.
        """


@dataclasses.dataclass(frozen=True)
class Value:
    """A form of single values.

    Attributes:
      expected: What is expected, in words.
      fits: Function that tells whether a value is such.
    """

    expected: str
    fits: Callable[[Any], bool]

    def problem(self, value: Any, place: str) -> str | None:
        """Returns what is wrong with a value."""
        return None if self.fits(value) else _unexpected(value, place, self.expected)


@dataclasses.dataclass(frozen=True)
class Optional:
    """A form of values that may be null, and whose key may be missing."""

    form: Form

    def problem(self, value: Any, place: str) -> str | None:
        """Returns what is wrong with a value."""
        return None if value is None else self.form.problem(value, place)


@dataclasses.dataclass(frozen=True)
class Listed:
    """A form of lists, all of whose values have one form."""

    form: Form

    def problem(self, value: Any, place: str) -> str | None:
        """Returns what is wrong with a list, that of its first wrong value."""
        if not isinstance(value, list):
            return _unexpected(value, place, "a list")
        found = (self.form.problem(one, f"{place}[{i}]") for i, one in enumerate(value))
        return next(filter(None, found), None)


@dataclasses.dataclass(frozen=True)
class Named:
    """A form of mappings with any keys, all of whose values have one form."""

    form: Form

    def problem(self, value: Any, place: str) -> str | None:
        """Returns what is wrong with a mapping, that of its first wrong value."""
        return Object({}, self.form).problem(value, place)


@dataclasses.dataclass(frozen=True)
class Object:
    """A form of mappings with known keys.

    Attributes:
      forms: Forms of the values by their keys.
      others: Form of the values of all other keys; None where they may hold anything.
      rule: Function of a mapping whose values have their forms. It returns a clause on how they
        contradict each other, or None.
    """

    forms: Mapping[str, Form]
    others: Form | None = None
    rule: Callable[[Any], str | None] = lambda value: None

    def problem(self, value: Any, place: str) -> str | None:
        """Returns what is wrong with a mapping, that of its first wrong value."""
        if not isinstance(value, Mapping):
            return _unexpected(value, place, "a JSON object")
        where = f"{place}." if place else ""
        for key, form in self.forms.items():
            if key not in value and not isinstance(form, Optional):
                return f"{place or 'it'} lacks {key}"
        for key, one in value.items():
            of_key: Form | None = self.forms.get(key) or self.others
            if of_key is not None and (found := of_key.problem(one, f"{where}{key}")):
                return found
        return (found := self.rule(value)) and f"{place or 'it'} {found}"


def is_count(value: object) -> bool:
    """Whether a value is a whole number from 0 that 64 bits hold."""
    return type(value) is int and 0 <= value < 2**63


def is_number(value: Any) -> bool:
    """Whether a value is a number that float32 holds."""
    return type(value) in (int, float) and abs(value) <= _LARGEST


TEXT = Value("a text", lambda value: isinstance(value, str))
BOOLEAN = Value("true or false", lambda value: isinstance(value, bool))
COUNT = Value("a whole number from 0", is_count)
NUMBER = Value("a finite number", is_number)
FROM_0 = Value("a finite number from 0", lambda value: is_number(value) and value >= 0)
ABOVE_0 = Value("a finite number above 0", lambda value: is_number(value) and value > 0)
# Statistics that models log may be anything that NumPy can compute.
ANY_NUMBER = Value("a number", lambda value: is_number(value) or isinstance(value, float))
OBJECT = Object({})


def read(path: pathlib.Path, form: Form, remedy: str) -> Any:
    """Reads a JSON file.

    Args:
      path: Path of the file.
      form: Form of its content.
      remedy: What a user can do if the file is damaged, as an imperative clause.

    Raises:
      DatasetError: The file cannot be read, or its content has another form.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing; {remedy}") from None
    return parse(text, form, str(path), remedy)


def parse(text: bytes, form: Form, name: str, remedy: str) -> Any:
    """Reads JSON.

    Args:
      text: The text, which must be UTF-8.
      form: Form of its content.
      name: Name of the file, or of the line of it, for messages.
      remedy: What a user can do if it is damaged, as an imperative clause.

    Raises:
      DatasetError: It is no JSON, or of another form.
    """
    try:
        content = json.loads(text.decode("utf-8"), object_pairs_hook=_without_repeated_keys)
        if b"\\u" in text:  # half of a character, which no file can hold
            json.dumps(content, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{name} is not JSON ({error}); {remedy}") from None
    if (found := form.problem(content, "")) is not None:
        raise DatasetError(f"{name} is damaged: {found}; {remedy}")
    return content


def _without_repeated_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is given twice")
    return content


def _unexpected(value: object, place: str, expected: str) -> str:
    shown = json.dumps(value)
    shown = f"{shown[:40]}..." if len(shown) > 43 else shown
    return f"{place or 'it'} is {shown}, expected {expected}"
