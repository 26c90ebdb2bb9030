"""Reads YAML and JSON, and keeps as text every value that would be written otherwise.

YAML takes 07, 010, 22:00, 1_000, 1.10 and dates for numbers and moments whose text is another one,
and both take 1.10 for 1.1. Here a number is what Python writes in the same way, and any other such
value is text.
"""

import contextlib
import json
from collections.abc import Sequence

import yaml


def read_yaml(text: str) -> object:
    """Returns the content of YAML.

    Raises:
      ValueError: It is not YAML, or a key is given twice.
    """
    try:
        return yaml.load(text, _UniqueKeyLoader)
    except (yaml.YAMLError, TypeError, LookupError, AttributeError, RecursionError) as error:
        # PyYAML lets tags on the wrong kind of value raise the last.
        raise ValueError(str(error)) from None


def read_json(text: str) -> object:
    """Returns the content of JSON.

    Raises:
      ValueError: It is not JSON, or a key is given twice.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_without_repeated_keys,
            parse_int=as_written,
            parse_float=as_written,
            parse_constant=float,
        )
    except RecursionError as error:
        raise ValueError(str(error)) from None


def as_written(text: str) -> int | float | str:
    """Returns a number if Python writes it like `text`, else the text."""
    for number in (int, float):
        with contextlib.suppress(ValueError):  # `int` takes no more than 4,300 digits
            if str(number(text)) == text:
                return number(text)
    return text


class _UniqueKeyLoader(yaml.SafeLoader):
    """Plain YAML, in which a key given twice is an error rather than the last one's victory."""

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict:
        """Builds a mapping after a look at its keys."""
        pairs = [(self.construct_object(key, deep=True), None) for key, _ in node.value]
        _without_repeated_keys(pairs)
        return super().construct_mapping(node, deep)

    def construct_as_written(self, node: yaml.Node) -> int | float | str:
        """Builds a number, or the text of what only looks like one; `.inf` and `.nan` as words."""
        text = self.construct_scalar(node)
        special = text.lstrip("+-").lower() in (".inf", ".nan")
        return text.replace(".", "").lower() if special else as_written(text)


for _type in ("int", "float", "timestamp"):
    _UniqueKeyLoader.add_constructor(
        f"tag:yaml.org,2002:{_type}", _UniqueKeyLoader.construct_as_written
    )


def _without_repeated_keys(pairs: Sequence[tuple[object, object]]) -> dict:
    content = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"the key {key!r} is given twice")
        content[key] = value
    return content
