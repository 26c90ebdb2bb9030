"""Refuses columns of a type that writes ids otherwise than a vocabulary does, such as 7 for 007."""

import functools

import numpy as np
import polars as pl

from data_prep.own_log.cells import ids_of, spelled, text_of
from dcrnn_tf.dataset.encodings import VALUE, Ids
from dcrnn_tf.dataset.schema import MULTI_CATEGORICAL, DatasetError, Field


class IdTypes:
    """The types of the columns that a field can be made of.

    Text always can be. A typed value has one text, which is its id; ids that are spelled otherwise
    would all be taken for unknown ones.

    Args:
      field: A field of ids that are texts.
      ids: The ids of its vocabulary.
    """

    def __init__(self, field: Field, ids: np.ndarray):
        self._field = field
        self._ids = pl.Series(ids, dtype=pl.String)
        self._encoding = field.encoded_as(Ids)
        self._former = self._encoding.values != VALUE

    def check(self, column: pl.Series) -> None:
        """Checks a column.

        Raises:
          DatasetError: Its type has no text, or the ids are spelled otherwise than its values.
        """
        lists = self._field.kind == MULTI_CATEGORICAL and isinstance(column.dtype, pl.List)
        cells = column.explode() if lists else column
        dtype, spelled_so = cells.dtype, None
        if dtype.is_numeric():
            decimals = dtype == pl.Decimal
            spelled_so = self._like_no_decimal if decimals else self._like_no_number
        elif dtype == pl.Boolean or dtype in (pl.Date, pl.Datetime, pl.Time):
            spelled_so = self._like_no_cell(cells)
        elif dtype not in (pl.String, pl.Categorical, pl.Enum, pl.Null):
            raise DatasetError(
                f"field {self._field.name}: column {column.name!r} holds values of type {dtype}, "
                "which have no text; give that column as text"
            )
        if spelled_so is not None:
            raise DatasetError(
                f"field {self._field.name}: column {column.name!r} holds values of type {dtype}, "
                f"and the dataset has ids such as {spelled_so!r}, which no such value is written "
                "as; give that column as text"
            )

    @functools.cached_property
    def _like_no_number(self) -> str | None:
        """An id that is a number and spelled as typed numbers never are, such as 02139."""
        number = self._numbers
        whole = self._ids.cast(pl.Int128, strict=False)
        alike = (whole.cast(pl.String) == self._ids).fill_null(False)
        alike |= (text_of(number, self._former) == self._ids).fill_null(False)
        return self._first_number(~alike)

    @functools.cached_property
    def _like_no_decimal(self) -> str | None:
        """An id that is a number and spelled as decimals never are, such as 02139 or 1e-07."""
        return self._first_number(~self._ids.str.contains(r"^-?(0|[1-9]\d*)(\.\d*[1-9])?$"))

    @functools.cached_property
    def _numbers(self) -> pl.Series:
        return self._ids.cast(pl.Float64, strict=False)

    def _first_number(self, chosen: pl.Series) -> str | None:
        found = self._ids.filter(self._numbers.is_finite().fill_null(False) & chosen)
        return found[0] if len(found) else None

    @functools.cached_property
    def _shapes(self) -> set[str]:
        return self._shapes_of(self._ids)

    def _like_no_cell(self, cells: pl.Series) -> str | None:
        """An id, if no id has the shape of a truth value's, a day's or a moment's text."""
        texts = ids_of(cells.drop_nulls(), self._encoding)
        if texts.is_empty() or self._ids.is_empty() or self._shapes & self._shapes_of(texts):
            return None
        return self._ids[0]

    def _shapes_of(self, texts: pl.Series) -> set[str]:
        """The texts with a sign in the place of digits, and of one for what one type can show."""
        if not self._former:  # where fractions are cut and midnight is not shown
            texts = spelled(texts).str.replace(r"^([0-9]{4}-[0-9]{2}-[0-9]{2}) .*$", "${1}")
        texts = texts.str.replace("^false$", "true").str.replace_all("[0-9]", "0")
        return set(texts.unique())
