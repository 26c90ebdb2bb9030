"""Settings as dataclasses whose fields say what they mean and which values they take.

  @dataclasses.dataclass(frozen=True)
  class Settings:
      data_dir: str = required("Prepared dataset to train on.")
      epochs: int = setting(3, "Number of passes over the training split.", lower=1)

`check` refuses other values, `dcrnn_tf.system.flags` makes a program's flags of the fields.
"""

import dataclasses
import json
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import flags

from dcrnn_tf.system.errors import UsageError

_KEY = "rule"  # in a field's metadata
_PAIR = "NAME=VALUE, such as units=64"
_NOUNS = {int: "an integer", float: "a finite number", bool: "true or false", str: "a text"}
_CONVERTERS: Mapping[type, Callable[[Any], Any]] = {
    int: flags.IntegerParser().convert,
    float: flags.FloatParser().convert,
    bool: flags.BooleanParser().parse,
    str: flags.ArgumentParser().parse,
}


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a setting means, and which values it takes.

    Attributes:
      help: a sentence for the user.
      lower: least value.
      above: number that values exceed.
      upper: largest value.
      choices: the values that are allowed; any if empty.
      noun: what is expected, in words that say more than the type does.
      former: former name of the setting's flag, which is still understood.
      kind: type of a value, or of an element.
      form: None for one value, `tuple` for several, `dict` for a mapping of names.
      optional: whether None is a value.
    """

    help: str
    lower: float | None = None
    above: float | None = None
    upper: float | None = None
    choices: tuple[str, ...] = ()
    noun: str | None = None
    former: str | None = None
    kind: type = str
    form: type | None = None
    optional: bool = False

    def expected(self) -> str:
        """The noun phrase of what is expected, such as `an integer from 1 to 10`."""
        if self.noun or self.form is dict:
            return self.noun or _PAIR
        noun = f"one of {', '.join(self.choices)}" if self.choices else _NOUNS[self.kind]
        if bounds := self._bounds():
            noun += f" {bounds}"
        if self.form is tuple:
            plain = self.kind is str and not self.choices
            return "a comma-separated list" if plain else f"a comma-separated list, each {noun}"
        return noun

    def _bounds(self) -> str:
        if self.lower is not None and self.upper is not None:
            return f"from {_number(self.lower)} to {_number(self.upper)}"
        ends = {"of at least": self.lower, "above": self.above, "at most": self.upper}
        return " and ".join(f"{w} {_number(end)}" for w, end in ends.items() if end is not None)

    def convert(self, value: object) -> object:
        """The value that a text or a value of a file stands for.

        Raises:
          ValueError: it is none that the setting takes.
        """
        if value is None and self.optional:
            return None
        if self.form is dict:
            return _mapping(value)
        try:
            if self.form is tuple:
                return tuple(self._element(part) for part in _elements(value))
            return self._element(value)
        except (ValueError, TypeError, OverflowError):
            raise ValueError(f"must be {self.expected()}") from None

    def _element(self, value: Any) -> Any:
        if self.form is tuple and self.kind is str and type(value) in (int, float):
            value = repr(value)  # a file's 101 is the field of that name
        converted = _CONVERTERS[self.kind](value)
        if (
            (self.choices and converted not in self.choices)
            or (self.kind is float and not math.isfinite(converted))
            or (self.lower is not None and converted < self.lower)
            or (self.above is not None and converted <= self.above)
            or (self.upper is not None and converted > self.upper)
        ):
            raise ValueError
        return converted


def required(help: str, **rule: Any) -> Any:
    """Declares a field without a default; for the rule's other attributes see `Rule`."""
    return dataclasses.field(metadata={_KEY: Rule(help, **rule)})


def setting(default: object, help: str, **rule: Any) -> Any:
    """Declares a field with a default; for the rule's other attributes see `Rule`."""
    metadata = {_KEY: Rule(help, **rule)}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def rules(settings: type) -> Mapping[str, Rule]:
    """The rules of a dataclass' fields by name; fields without one are no settings of a user's."""
    hints = typing.get_type_hints(settings)
    return {
        field.name: dataclasses.replace(field.metadata[_KEY], **_of_type(hints[field.name]))
        for field in dataclasses.fields(settings)
        if _KEY in field.metadata
    }


def check(settings: object) -> None:
    """Refuses settings with a value that their rules forbid.

    Raises:
      UsageError: says which and why.
    """
    for name, rule in rules(type(settings)).items():
        value = getattr(settings, name)
        try:
            rule.convert(value)
        except ValueError as error:
            raise UsageError(f"--{name}={value} {error}") from None


def changes(settings: type, *names: str) -> type:
    """A dataclass of the same settings, or of those named, in which none has a value by default.

    `dataclasses.replace(preset, **given(changes))` applies what a user has given to a preset.
    """
    hints = typing.get_type_hints(settings)
    fields = [
        (name, hints[name] | None, setting(None, rule.help, **_limits(rule)))
        for name, rule in rules(settings).items()
        if not names or name in names
    ]
    return dataclasses.make_dataclass(f"ChangesOf{settings.__name__}", fields, frozen=True)


def given(settings: object) -> dict[str, Any]:
    """The settings that have a value, by name."""
    return {name: value for name, value in vars(settings).items() if value is not None}


def parse_value(text: str) -> object:
    """Reads a value as JSON, or else as YAML, which takes 1e-5 for a text.

    Raises:
      ValueError: it is neither.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        import yaml  # here, since few programs need it

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        # A date of month 13, or a tag on the wrong kind of value, raises what it may.
        raise ValueError("has a value that cannot be read") from None


def _limits(rule: Rule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in ("lower", "above", "upper", "choices", "noun")}


def _of_type(hint: object) -> dict[str, Any]:
    """The attributes of a rule that follow from a field's type."""
    alternatives = typing.get_args(hint) if type(None) in typing.get_args(hint) else (hint,)
    (kind,) = [part for part in alternatives if part is not type(None)]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    optional = len(alternatives) > 1
    if origin is tuple:
        return {"kind": arguments[0], "form": tuple, "optional": optional}
    if origin is not None:
        return {"form": dict}
    return {"kind": kind, "optional": optional}


def _number(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


def _elements(value: object) -> Sequence[object]:
    if isinstance(value, str):
        return flags.ListParser().parse(value)
    if not isinstance(value, list | tuple):
        raise TypeError
    return value


def _mapping(value: object) -> dict[str, object]:
    """Takes a mapping as it is, and a text NAME=VALUE as a mapping of one name."""
    if isinstance(value, Mapping):
        return dict(value)
    name, equals, text = str(value).partition("=")
    if not equals or not name.isidentifier():
        raise ValueError(f"must be {_PAIR}")
    return {name: parse_value(text)}
