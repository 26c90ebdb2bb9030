"""What the operators of an expression make of terms."""

from collections.abc import Callable, Sequence

import polars as pl
from polars.expr.whenthen import ChainedThen, Then

from data_prep.own_log.derived.functions import remainder
from data_prep.own_log.derived.terms import NUMBER, TEXT, TRUTH, Term, common_kind, open_term
from data_prep.own_log.derived.tokens import ExpressionError

COMPARISONS: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "=": lambda x, y: x == y,
    "==": lambda x, y: x == y,
    "<>": lambda x, y: x != y,
    "!=": lambda x, y: x != y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
}
SUMS = {"+": lambda x, y: x + y, "-": lambda x, y: x - y}
PRODUCTS = {
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "//": lambda x, y: x // y,
    "%": remainder,
}


def literal(name: str, value: str | int | float, kind: str) -> Term:
    """A value as it is written."""
    return Term(name, kind, lambda _: pl.lit(value), value)


def truth(name: str, x: Term, y: Term, build: Callable[..., pl.Expr]) -> Term:
    """What `build` makes of two truth values."""
    values = build(x.as_kind(TRUTH), y.as_kind(TRUTH))
    return Term(name, TRUTH, lambda _: values)


def opposite(x: Term) -> Term:
    """Whether a truth value does not hold."""
    values = ~x.as_kind(TRUTH)
    return Term("NOT", TRUTH, lambda _: values)


def number(name: str, build: Callable[..., pl.Expr], *parts: Term) -> Term:
    """What `build` makes of numbers."""
    values = build(*(part.as_kind(NUMBER) for part in parts))
    return Term(" ".join((parts[0].name, name)), NUMBER, lambda _: values)


def comparison(x: Term, sign: str, y: Term) -> Term:
    """Whether a comparison holds, of numbers or of texts.

    Raises:
      ExpressionError: Both could be meant.
    """
    kind = common_kind((x, y))
    if kind is None:
        if sign not in ("=", "==", "<>", "!="):
            raise ExpressionError(
                f"{x.name} {sign} {y.name} may compare numbers or texts; write "
                f"CAST({x.name} AS DOUBLE) for numbers, CAST({x.name} AS TEXT) for texts"
            )
        kind = TEXT
    values = COMPARISONS[sign](x.as_kind(kind), y.as_kind(kind))
    return Term(f"{x.name} {sign} {y.name}", TRUTH, lambda _: values)


def chosen(name: str, conditions: Sequence[pl.Expr], results: Sequence[Term]) -> Term:
    """The result that belongs to the first condition that holds, or one more result, or null."""

    def build(*values: pl.Expr) -> pl.Expr:
        chosen: Then | ChainedThen = pl.when(conditions[0]).then(values[0])
        for condition, value in zip(conditions[1:], values[1:], strict=False):
            chosen = chosen.when(condition).then(value)
        return chosen.otherwise(values[-1]) if len(values) > len(conditions) else chosen

    return open_term(name, results, build)


def joined(parts: Sequence[Term], ignore_nulls: bool) -> Term:
    """The texts of several values, one behind the other."""
    if not parts:
        raise ExpressionError("CONCAT has no arguments, expected some")
    values = pl.concat_str([part.as_text() for part in parts], ignore_nulls=ignore_nulls)
    return Term("a joined text", TEXT, lambda _: values)
