"""Flags of a program, made from the dataclasses of its settings (see `settings`).

A flag has the name of its field. What the command line leaves out comes from the file that
`--config` names, and what the file leaves out from the defaults.
"""

import dataclasses
import pathlib
import sys
import typing
from collections.abc import Callable, Mapping
from typing import Any

from absl import flags

from dcrnn_tf.system.errors import UsageError
from dcrnn_tf.system.nearest import did_you_mean
from dcrnn_tf.system.settings import Rule, parse_value, rules

FLAGS = flags.FLAGS
_CONFIG = Rule(
    "JSON or YAML file with values of flags; flags on the command line win.", optional=True
)
Settings = typing.TypeVar("Settings")
Values = dict[str, Any]  # of settings, by name


class _Parser(flags.ArgumentParser):
    """Reads a flag's text as its rule says."""

    def __init__(self, name: str, rule: Rule):
        self._name, self._rule = name, rule
        plain = rule.kind in (str, bool) and not rule.choices and rule.form is None
        self.syntactic_help = "" if plain else rule.expected()  # what --help adds to the sentence

    def parse(self, argument: object) -> object:
        try:
            return self._rule.convert(argument)
        except ValueError as error:
            raise UsageError(f"--{self._name}={argument} {error}") from None


class _Serializer(flags.ArgumentSerializer):
    """Writes a default as the command line takes it."""

    def serialize(self, value: object) -> str:
        if isinstance(value, tuple):
            return ",".join(map(str, value))
        return str(value).lower() if isinstance(value, bool) else str(value)


def define(*classes: type) -> None:
    """Defines a program's flags: one for each setting of the classes, and `--config`."""
    for settings in classes:
        defaults = {field.name: field.default for field in dataclasses.fields(settings)}
        for name, rule in rules(settings).items():
            _define(name, rule, defaults[name])
            if rule.former:
                former = dataclasses.replace(rule, help=f"Former name of --{name}.")
                _define(rule.former, former, None)
    _define("config", _CONFIG, None)


def read(
    *classes: type[Settings], translate: Callable[[Values], Values] | None = None
) -> tuple[Settings, ...]:
    """Reads the settings that were defined, once the command line is parsed.

    Args:
      classes: all that were given to `define`.
      translate: turns the content of the file that `--config` names into values of flags.

    Raises:
      UsageError: a flag is missing; the file has a key that is no flag, or a value that a rule
        forbids.
    """
    known = {name: rule for settings in classes for name, rule in rules(settings).items()}
    values = _renamed(_file_values(known, translate), known)
    for name, value in _renamed(_command_line_values(known), known).items():
        values[name] = values.get(name, {}) | value if known[name].form is dict else value
    if missing := [name for settings in classes for name in _required(settings) - set(values)]:
        listed = " and ".join(f"--{name}" for name in known if name in missing)
        raise UsageError(f"{listed} must be given (--help lists the flags)")
    return tuple(
        settings(**{name: values[name] for name in rules(settings) if name in values})
        for settings in classes
    )


def _define(name: str, rule: Rule, default: object) -> None:
    if default is dataclasses.MISSING:
        default = None
    kind: Any = flags.MultiFlag if rule.form is dict else flags.Flag
    boolean = rule.kind is bool and rule.form is None
    parser, serializer = _Parser(name, rule), _Serializer()
    flag = kind(parser, serializer, name, default, rule.help, boolean=boolean)
    # Under the program's own name, whose flags --help lists.
    flags.DEFINE_flag(flag, module_name=sys.argv[0])


def _required(settings: type) -> set[str]:
    missing = dataclasses.MISSING
    return {
        field.name
        for field in dataclasses.fields(settings)
        if field.default is missing and field.default_factory is missing
    }


def _command_line_values(known: Mapping[str, Rule]) -> Values:
    """The values that the command line gives, some of them under former names."""
    names = [*known, *(rule.former for rule in known.values() if rule.former)]
    values: Values = {name: FLAGS[name].value for name in names if FLAGS[name].present}
    for name in [name for name in values if name in known and known[name].form is dict]:
        pairs = [pair for mapping in values[name] for pair in mapping.items()]
        values[name] = dict(pairs)
        if len(values[name]) < len(pairs):
            twice = next(
                key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number])
            )
            raise UsageError(f"--{name}={twice}=... is given twice")
    return values


def _file_values(known: Mapping[str, Rule], translate: Callable[[Values], Values] | None) -> Values:
    """The values that the file of `--config` gives, some of them under former names."""
    path = FLAGS["config"].value
    if path is None:
        return {}
    try:
        content = parse_value(pathlib.Path(path).read_text(encoding="utf-8"))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise UsageError(f"--config={path} must be a JSON or YAML file that maps flags to values")
    allowed = dict(known) | {rule.former: rule for rule in known.values() if rule.former}
    values = {}
    for key, value in (translate(content) if translate else content).items():
        if key not in allowed:
            raise UsageError(f"{path}: {key!r} is not a flag{did_you_mean(key, allowed)}")
        try:
            values[key] = allowed[key].convert(value)
        except ValueError as error:
            raise UsageError(f"{path}: {key}: {value!r} {error}") from None
    return values


def _renamed(values: Values, known: Mapping[str, Rule]) -> Values:
    """The values under today's names; says where one has come under a former name."""
    for name, rule in known.items():
        if rule.former not in values:
            continue
        value = values.pop(rule.former)
        if values.setdefault(name, value) != value:
            raise UsageError(
                f"--{name}={values[name]} and its former name --{rule.former}={value} differ; "
                f"give --{name} alone"
            )
        print(
            f"--{rule.former} is now called --{name}; the former name still works.",
            file=sys.stderr,
        )
    return values
