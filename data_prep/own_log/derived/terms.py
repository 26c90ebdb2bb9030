"""Terms of an expression, and the kinds of their values.

A cell of a CSV file is text, and what an expression does with it decides what it is: `rating >= 4`
needs a number, `LOWER(city)` a text. A term whose kind is open, such as a column, is made in the
kind that its place in the expression asks for.
"""

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence

import polars as pl

from data_prep.own_log.cells import as_text, as_values, numbers_of, text_of
from data_prep.own_log.derived.tokens import ExpressionError
from dcrnn_tf.dataset.schema import DatasetError

NUMBER, TEXT, TRUTH, MOMENT = "number", "text", "truth value", "moment"
TYPES: Mapping[str, pl.DataType] = {
    NUMBER: pl.Float64(),
    TEXT: pl.String(),
    TRUTH: pl.Boolean(),
    MOMENT: pl.Datetime("us"),
}
TRUE, FALSE = ("1", "true"), ("0", "false")
EXACT = 2**53  # largest number up to which float64 has every whole number
_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d", "%Y-%m-%d %H:%M")


@dataclasses.dataclass(frozen=True)
class Term:
    """A part of an expression.

    Attributes:
      name: what messages call it.
      kind: Kind of its values; None if they are what the place of the term asks for.
      build: makes the expression of Polars for one kind.
      value: Value of a literal, None of any other term.
    """

    name: str
    kind: str | None
    build: Callable[[str], pl.Expr]
    value: str | int | float | None = None

    def as_kind(self, kind: str) -> pl.Expr:
        """Returns its values as values of a kind.

        Raises:
          ExpressionError: They are of another kind.
        """
        if self.kind is None or self.kind == kind:
            return self.build(kind)
        if kind == MOMENT and (moment := self.moment) is not None:
            return pl.lit(moment, TYPES[MOMENT])
        raise ExpressionError(
            f"{self.name} is a {self.kind}, expected a {kind}; CAST(... AS ...) turns one into "
            "another"
        )

    def as_text(self) -> pl.Expr:
        """Returns its values as text, whatever their kind."""
        if self.kind in (None, TEXT):
            return self.build(TEXT)
        values = self.build(self.kind)
        if self.kind == MOMENT:
            return values.dt.to_string("%Y-%m-%d %H:%M:%S%.f").str.replace(" 00:00:00$", "")
        return as_text(values, TYPES[self.kind])

    @property
    def moment(self) -> datetime.datetime | None:
        """The moment that a literal text is."""
        if self.kind != TEXT or self.value is None:
            return None
        return read(pl.Series([self.value], dtype=pl.String), MOMENT)[0]


def open_term(name: str, parts: Sequence[Term], build: Callable[..., pl.Expr]) -> Term:
    """Returns a term whose kind is that of its parts, which are all of one kind.

    Args:
      name: what messages call it.
      parts: The parts.
      build: makes its expression of theirs.
    """
    return Term(name, common_kind(parts), lambda kind: build(*(p.as_kind(kind) for p in parts)))


def common_kind(terms: Iterable[Term]) -> str | None:
    """Returns the one kind of terms; None if that of all is open.

    Raises:
      ExpressionError: They are of different kinds.
    """
    first = None
    for term in sorted(terms, key=lambda term: term.kind != MOMENT):  # texts may be moments
        if term.kind is None:
            continue
        first = first or term
        if first.kind != term.kind and not (first.kind == MOMENT and term.moment):
            raise ExpressionError(
                f"{first.name} is a {first.kind} and {term.name} a {term.kind}; "
                "CAST(... AS ...) turns one into another"
            )
    return None if first is None else first.kind


def read(column: pl.Series, kind: str) -> pl.Series:
    """Returns the cells of a column as values of a kind; null where a cell is none.

    Args:
      column: Single values of any type, texts without white space at their ends.
      kind: Kind of the values.

    Raises:
      DatasetError: No value of the column's type is of the kind, or a number would be rounded.
    """
    dtype = column.dtype
    if kind == TEXT:
        return text_of(column)
    if dtype == pl.Null:
        return column.cast(TYPES[kind])
    if kind == TRUTH:
        true, false = as_values(TRUE).hold(column), as_values(FALSE).hold(column)
        return true.set(~true & ~false, None)
    if kind == MOMENT:
        if dtype == pl.String:
            return column.to_frame().select(moments_of(pl.col(column.name))).to_series()
        if dtype not in (pl.Date, pl.Datetime):
            advice = "write TO_TIMESTAMP(its seconds since 1970)"
            raise DatasetError(f"column {column.name!r} holds {dtype}, expected moments; {advice}")
        column = column if dtype == pl.Date else column.dt.replace_time_zone(None)
        return column.cast(TYPES[MOMENT])
    if dtype.is_temporal():
        advice = "write EPOCH(...) for its seconds since 1970"
        raise DatasetError(f"column {column.name!r} holds {dtype}, expected numbers; {advice}")
    numbers = numbers_of(column)
    if (large := numbers.abs() >= EXACT).any():
        _check_exact(column.filter(large), numbers.filter(large))
    return numbers.set(~numbers.is_finite(), None)


def moments_of(texts: pl.Expr) -> pl.Expr:
    """Returns days and moments as they are written, whatever their time zone."""
    wall = texts.str.replace(r"^([0-9]{4}-[0-9]{2}-[0-9]{2})T", "${1} ")
    wall = wall.str.replace(r"(:[0-9]{2}(?:\.[0-9]+)?)(?:Z|[+-][0-9]{2}:?[0-9]{2})$", "${1}")
    parsed = [wall.str.to_datetime(form, time_unit="us", strict=False) for form in _FORMATS]
    return pl.coalesce(parsed)


def _check_exact(cells: pl.Series, numbers: pl.Series) -> None:
    """Refuses whole numbers that float64 rounds, such as long ids."""
    texts = text_of(cells)
    whole = texts.cast(pl.Int128, strict=False)
    rounded = (whole != numbers.cast(pl.Int128, strict=False)).fill_null(False)
    if rounded.any():
        raise DatasetError(
            f"column {cells.name!r} holds {texts.filter(rounded)[0]}, which a number would round; "
            f"write CAST({cells.name} AS BIGINT) or use it as text"
        )
