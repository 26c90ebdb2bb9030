"""Dataclasses made of what JSON holds, checked against their type hints, and written as JSON."""

import dataclasses
import sys
import types
import typing
from collections.abc import Mapping

from dcrnn_tf.system.json_form import is_count

T = typing.TypeVar("T")

_LATER = "later"


def later(default: typing.Any) -> typing.Any:
    """Declares an attribute that files of former versions lack: at its default it is not written.

    Folders that do not use it keep their content, and are read by programs that do not know it.
    """
    return dataclasses.field(default=default, metadata={_LATER: True})


def written(item: typing.Any) -> dict[str, object]:
    """Returns the attributes of a dataclass, and of those within it, as JSON writes them."""
    content = {}
    for attribute in dataclasses.fields(item):
        value = getattr(item, attribute.name)
        if not (_LATER in attribute.metadata and value == attribute.default):
            content[attribute.name] = written(value) if dataclasses.is_dataclass(value) else value
    return content


def checked(kind: type[T], item: Mapping[str, object]) -> T:
    """Makes a dataclass of a mapping in which every integer is a count.

    Args:
      kind: The dataclass.
      item: Values of its attributes by their names.

    Raises:
      TypeError: A name is none of the dataclass, or a value is not of the attribute's type.
    """
    hints = typing.get_type_hints(kind)
    names = {field.name for field in dataclasses.fields(kind) if field.init}  # type: ignore[arg-type]
    values = {}
    for name, value in item.items():
        if name not in names:
            raise TypeError(f"{name} is no part of a {kind.__name__}")
        try:
            values[name] = _value(hints[name], value)
        except TypeError:
            raise TypeError(f"{name} of a {kind.__name__} is {value!r:.80}") from None
    return kind(**values)


def _value(hint: typing.Any, value: typing.Any) -> object:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        fitting = [one for one in arguments if isinstance(value, typing.get_origin(one) or one)]
        hint, origin = (fitting or [hint])[0], None
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_value(arguments[0], one) for one in value)
    # Not math.isfinite, which raises for integers that no float holds.
    if hint is float and type(value) in (int, float) and abs(value) <= sys.float_info.max:
        return float(value)
    if not isinstance(value, origin or hint) or (hint in (int, float) and not is_count(value)):
        raise TypeError
    return value
