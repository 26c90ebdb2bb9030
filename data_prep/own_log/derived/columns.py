"""Columns that are derived of others by expressions, as a declaration has them under `derived`."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from data_prep.own_log.cells import clean
from data_prep.own_log.declared.keys import Keys
from data_prep.own_log.derived.expression import Expression, parse
from data_prep.own_log.derived.terms import NUMBER, TEXT, TYPES, read
from data_prep.own_log.derived.tokens import ExpressionError
from dcrnn_tf.dataset.schema import DatasetError

_SAMPLES = {NUMBER: 1.0, TEXT: "1"}  # cells that expressions are tried on


@dataclasses.dataclass(frozen=True)
class DerivedColumn:
    """A column that an expression makes of other columns of the same row.

    Attributes:
      name: Name of the column.
      text: The expression as it is written.
      expression: What it is.
    """

    name: str
    text: str
    expression: Expression = dataclasses.field(compare=False)

    @property
    def part(self) -> str:
        """What messages call it."""
        return f"derived column {self.name}, {self.text!r}"

    @property
    def reads(self) -> set[str]:
        """The columns that the expression reads."""
        return {column for column, _ in self.expression.reads.values()}


def derived_columns(content: object) -> tuple[DerivedColumn, ...]:
    """Makes derived columns of a mapping of names to expressions.

    Raises:
      DatasetError: An expression cannot be used, or reads a column that is derived later.
    """
    keys = Keys({"derived": content}, "the declaration", ("derived",))
    columns: list[DerivedColumn] = []
    names = list(keys.mapping("derived"))
    expressions = Keys(content, "derived", names)
    for position, name in enumerate(names):
        column = _derived_column(name, expressions.text(name))
        if later := sorted(column.reads & set(names[position:])):
            itself = "itself" if later[0] == name else f"{later[0]!r}, which is derived after it"
            raise DatasetError(f"{column.part}: it reads {itself}; choose another name or order")
        columns.append(column)
    return tuple(columns)


def _derived_column(name: str, text: str) -> DerivedColumn:
    shown = text if len(text) <= 200 else f"{text[:200]}..."
    try:
        column = DerivedColumn(name, shown, parse(text))
        for samples in (_SAMPLES, {}):
            _values(column, _sample(column, samples))
    except ExpressionError as error:
        raise DatasetError(f"derived column {name}, {shown!r}: {error}") from None
    return column


class DeriveColumns:
    """Adds derived columns to rows.

    Args:
      columns: The derived columns; one may read those before it.
      missing_values: Cells that mean a missing value.
    """

    def __init__(self, columns: Sequence[DerivedColumn], missing_values: Sequence[str]):
        self._columns = columns
        self._missing_values = missing_values

    def __call__(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Returns rows with the derived columns; null where an expression has no value.

        Args:
          frame: Rows as `cells.cleaned` gives them, with the columns that the expressions read.

        Raises:
          DatasetError: A column holds values of a type, or a number, that cannot be read as the
            expression needs it.
        """
        for column in self._columns:
            try:
                reads = column.expression.reads
                cells = {name: read(frame[source], kind) for name, (source, kind) in reads.items()}
            except DatasetError as error:
                raise DatasetError(f"{column.part}: {error}") from None
            # A column without rows or sources has the height of the frame all the same.
            cells[""] = pl.Series([None]).new_from_index(0, frame.height)
            values = _values(column, pl.DataFrame(cells)).alias(column.name)
            frame = frame.with_columns(clean(values, self._missing_values))
        return frame


def sources_of(columns: Iterable[DerivedColumn]) -> Mapping[str, str]:
    """Returns the columns that derived ones read and none of them is, each with what reads it."""
    columns = tuple(columns)
    derived = {column.name for column in columns}
    return {
        source: column.part
        for column in reversed(columns)
        for source in sorted(column.reads)
        if source not in derived
    }


def needed(columns: Sequence[DerivedColumn], names: Iterable[str]) -> tuple[DerivedColumn, ...]:
    """Returns those of derived columns that are among names, or that others of them read."""
    wanted, kept = set(names), []
    for column in reversed(columns):
        if column.name in wanted:
            wanted |= column.reads
            kept.append(column)
    return tuple(reversed(kept))


def _sample(column: DerivedColumn, samples: Mapping[str, object]) -> pl.DataFrame:
    reads = column.expression.reads
    cells = {
        name: pl.Series([samples.get(kind)], dtype=TYPES[kind]) for name, (_, kind) in reads.items()
    }
    return pl.DataFrame({**cells, "": [None]})


def _values(column: DerivedColumn, cells: pl.DataFrame) -> pl.Series:
    """Returns the values of an expression; numbers that are not finite are null.

    Raises:
      ExpressionError: Polars cannot compute it, such as a pattern that is none.
    """
    try:
        values = cells.select(column.expression.values.alias("")).get_column("")
    except pl.exceptions.PolarsError as error:
        raise ExpressionError(str(error).splitlines()[0]) from None
    if len(values) == 1:  # as of a constant, and of one that is compared with nulls alone
        values = values.new_from_index(0, cells.height)
    if values.dtype.is_float():
        values = values.set(~values.is_finite(), None)
    return values
