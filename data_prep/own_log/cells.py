"""Cells of raw columns, whatever their types: as text, as numbers, as lists, or missing."""

import functools
import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from dcrnn_tf.dataset.encodings import Ids
from dcrnn_tf.dataset.values import DAY, SPELLINGS, decimal_of, words_of


class ListedValues:
    """Values that a declaration lists, and which cells of a column are among them.

    Args:
      texts: The values as the declaration has them.
    """

    def __init__(self, texts: Sequence[str]):
        self._texts = sorted({word for text in texts for word in words_of(text)})
        self._numbers = {number for text in texts if (number := decimal_of(text)) is not None}
        days = [text for text in texts if re.match(DAY, text)]
        self._moments = set(spelled(pl.Series(days, dtype=pl.String)))

    def hold(self, column: pl.Series) -> pl.Series:
        """Returns whether each cell is one of the values; false where it is null.

        Args:
          column: A column without lists, texts without white space at their ends.
        """
        if column.dtype.is_integer() or column.dtype.is_float():
            return column.is_in(self._typed(column.dtype).implode()).fill_null(False)
        return self._texts_hold(text_of(column)).fill_null(False)

    def _typed(self, dtype: pl.DataType) -> pl.Series:
        """The values that a type of numbers has, as it has them."""
        texts = [text for text in self._texts if text in ("inf", "-inf")]
        for number in self._numbers:
            whole = number.to_integral_value()
            texts.append(format(whole if number == whole else number, "f"))
        values = pl.Series(texts, dtype=pl.String).cast(dtype, strict=False)
        # A rounded number is another number.
        shortest = values.cast(pl.String).to_list()
        same = [
            text is not None and (text in texts or decimal_of(text) in self._numbers)
            for text in shortest
        ]
        return values.filter(pl.Series(same, dtype=pl.Boolean))

    def _texts_hold(self, column: pl.Series) -> pl.Series:
        held = column.is_in(self._texts)
        near = pl.Series(np.zeros(len(column), bool))
        if self._numbers:
            floats = [float(number) for number in self._numbers]
            near |= column.cast(pl.Float64, strict=False).is_in(floats)
        if self._moments:
            days = [moment[:10] for moment in self._moments]
            near |= column.str.slice(0, 10).is_in(days)
        # Few different texts are left, which are looked at one by one.
        others = column.filter(near & ~held).unique()
        if others.is_empty():
            return held
        same = spelled(others).is_in(sorted(self._moments))
        same |= pl.Series([decimal_of(text) in self._numbers for text in others])
        return held | column.is_in(others.filter(same).implode())


@functools.lru_cache(maxsize=64)
def listed_values(texts: Sequence[str]) -> ListedValues:
    """Returns the values that a tuple of texts lists."""
    return ListedValues(texts)


def cleaned(frame: pl.DataFrame, missing_values: Sequence[str]) -> pl.DataFrame:
    """Strips text cells, and makes null what stands for a missing value, typed or not."""
    return pl.DataFrame([clean(column, missing_values) for column in frame.get_columns()])


def clean(column: pl.Series, missing_values: Sequence[str]) -> pl.Series:
    """Strips the text cells of a column, and makes null what stands for a missing value."""
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if column.dtype.is_nested() or column.dtype == pl.Null:
        return column
    if column.dtype == pl.String:
        column = column.str.strip_chars()
    if column.dtype.is_float():
        column = column.fill_nan(None)
    return column.set(listed_values(tuple(missing_values)).hold(column), None)


def spelled(texts: pl.Series) -> pl.Series:
    """Returns texts as the ids of their values are spelled."""
    for pattern, replacement in SPELLINGS:
        texts = texts.str.replace(pattern, re.sub(r"\\(\d)", r"${\1}", replacement))
    return texts


def as_text(values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Returns values of a type as text, whole numbers without a decimal point."""
    if dtype.is_float():
        whole = values.cast(pl.Int64, strict=False)
        return (
            pl.when(whole == values).then(whole.cast(pl.String)).otherwise(values.cast(pl.String))
        )
    return values.cast(pl.String)


def text_of(column: pl.Series) -> pl.Series:
    """Returns a column of single values as text."""
    return pl.select(as_text(pl.lit(column), column.dtype)).to_series()


def numbers_of(column: pl.Series) -> tuple[pl.Series, np.ndarray]:
    """Returns a column as Float64, and which rows are finite numbers or missing."""
    numbers = column.cast(pl.Float64, strict=False)
    usable = numbers.cast(pl.Float32).is_finite().fill_null(column.is_null())
    return numbers, usable.to_numpy()


def lists_of(column: pl.Series, encoding: Ids) -> pl.Series:
    """Returns a column of lists as lists of text, without missing values and not cut."""
    if not isinstance(column.dtype, pl.List):
        column = text_of(column).str.split(encoding.separator)
    element = pl.element().fill_nan(None) if column.dtype.inner.is_float() else pl.element()
    lists = column.list.eval(as_text(element, column.dtype.inner).str.strip_chars())
    texts = lists.explode()
    missing = texts.filter(listed_values(encoding.missing).hold(texts)).unique()
    return lists.list.eval(pl.element().filter(~pl.element().is_in(missing.implode()))).fill_null(
        []
    )
