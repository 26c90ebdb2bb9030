"""Calls of functions in an expression."""

from collections.abc import Sequence

import polars as pl

from data_prep.own_log.derived.functions import AGGREGATES, FUNCTIONS, LITERAL, PARTS, WINDOWS
from data_prep.own_log.derived.operators import chosen, comparison, joined, number
from data_prep.own_log.derived.terms import TEXT, TRUTH, Term, common_kind, open_term
from data_prep.own_log.derived.tokens import ExpressionError, Token
from dcrnn_tf.system.nearest import did_you_mean

_OPEN = {  # functions whose arguments and value are of one kind, whatever it is
    "COALESCE": (1, lambda *x: pl.coalesce(x)),
    "IFNULL": (2, lambda *x: pl.coalesce(x)),
    "GREATEST": (1, lambda *x: pl.max_horizontal(x)),
    "LEAST": (1, lambda *x: pl.min_horizontal(x)),
}
_OTHERS = ("CASE", "CAST", "CONCAT", "DATE_PART", "EXTRACT", "IF", "NULLIF", "TRY_CAST")


def check_function(word: Token) -> None:
    """Checks that there is a function of a name, which its own row suffices for.

    Raises:
      ExpressionError: There is none.
    """
    name = word.text.upper()
    if name in AGGREGATES:
        raise ExpressionError(f"{name} needs all rows, and an expression has one row")
    if name in WINDOWS:
        raise ExpressionError(f"{name} needs other rows than its own")
    if name not in FUNCTIONS and name not in (*_OPEN, *_OTHERS):
        near = did_you_mean(name, (*FUNCTIONS, *_OPEN, *_OTHERS))
        raise ExpressionError(f"there is no function {word.text!r}{near}")


def called(name: str, arguments: Sequence[Term]) -> Term:
    """What a function makes of its arguments.

    Args:
      name: Name of the function in capital letters.
      arguments: The arguments.

    Raises:
      ExpressionError: They do not fit the function.
    """
    if name in _OPEN:
        least, build = _OPEN[name]
        _check_count(name, arguments, least, least if name == "IFNULL" else len(arguments))
        if name in ("GREATEST", "LEAST") and common_kind(arguments) is None:
            return number(name, build, *arguments)
        return open_term(name, arguments, build)
    if name == "CONCAT":
        return joined(arguments, ignore_nulls=True)
    if name == "IF":
        _check_count(name, arguments, 3, 3)
        return chosen(name, [arguments[0].as_kind(TRUTH)], arguments[1:])
    if name == "NULLIF":
        _check_count(name, arguments, 2, 2)
        equal = comparison(arguments[0], "=", arguments[1]).as_kind(TRUTH)
        return open_term(name, arguments, lambda x, _: pl.when(~equal.fill_null(False)).then(x))
    return _function(name, arguments)


def part_of(moment: Term, part: str, word: Token) -> Term:
    """A part of a moment.

    Args:
      moment: The moment.
      part: Name of the part.
      word: The word that asks for it.

    Raises:
      ExpressionError: There is no such part.
    """
    name = part.upper()
    if name not in PARTS:
        raise ExpressionError(
            f"{word.text!r}: {part!r} is no part of a moment{did_you_mean(name, PARTS)}"
        )
    return _function(name, [moment])


def _function(name: str, arguments: Sequence[Term]) -> Term:
    function = FUNCTIONS[name]
    most = len(function.arguments)
    _check_count(name, arguments, most - function.optional, most)
    given: list[pl.Expr | str | int | float] = []
    for kind, argument in zip(function.arguments, arguments, strict=False):
        if kind != LITERAL:
            given.append(argument.as_kind(kind))
        elif argument.kind == TEXT and argument.value is not None:
            given.append(argument.value)
        else:
            raise ExpressionError(f"{name}: {argument.name} must be a text in quotes")
    values = function.build(*given)
    return Term(f"{name}(...)", function.result, lambda _: values)


def _check_count(name: str, arguments: Sequence[Term], least: int, most: int) -> None:
    if not least <= len(arguments) <= max(most, least):
        expected = str(least) if least == most else f"{least} to {most}"
        raise ExpressionError(f"{name} has {len(arguments)} arguments, expected {expected}")
