"""Cells of raw columns, whatever their types: as text, as numbers, as lists, or missing."""

import decimal
import functools
import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from data_prep.own_log.written_lists import split_lists
from dcrnn_tf.dataset.encodings import FIRST, TEXT, Ids
from dcrnn_tf.dataset.values import DAY, RESPELLED, SPELLINGS, decimal_of, words_of

_LARGEST = float(np.finfo(np.float32).max)


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
        values = pl.Series(texts, dtype=pl.String).cast(dtype, strict=False).drop_nulls()
        # A rounded number is another number.
        same = [
            text in texts or bool({decimal_of(text), decimal.Decimal(value)} & self._numbers)
            for value, text in zip(values, values.cast(pl.String), strict=True)
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
def as_values(texts: Sequence[str]) -> ListedValues:
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
    return column.set(as_values(tuple(missing_values)).hold(column), None)


def clean_text(column: pl.Series, missing: Sequence[str]) -> pl.Series:
    """Cleans a column whose ids are texts: a text alone stands for what is missing, not a value."""
    if column.dtype != pl.String:
        return clean(column, missing)
    column = column.str.strip_chars()
    return column.set(column.is_in(missing), None)


def spelled(texts: pl.Series) -> pl.Series:
    """Returns texts as the ids of their values are spelled."""
    others = texts.str.contains(RESPELLED).arg_true()
    if others.is_empty():
        return texts
    changed = texts.gather(others)
    for pattern, replacement in SPELLINGS:
        changed = changed.str.replace(pattern, re.sub(r"\\(\d)", r"${\1}", replacement))
    return texts.clone().scatter(others, changed)


def without_last_zeros(numbers: pl.Expr) -> pl.Expr:
    """Returns decimal numbers with a point as the shortest text of each: 2.50 is 2.5, 5.00 is 5."""
    return numbers.str.strip_chars_end("0").str.strip_chars_end(".")


def as_text(values: pl.Expr, dtype: pl.DataType, former: bool = False) -> pl.Expr:
    """Returns values of a type as text, whole numbers without a decimal point.

    Args:
      values: The values.
      dtype: Their type.
      former: Whether whole numbers beyond int64 are spelled with an exponent, as they once were.
    """
    if dtype.is_float():
        whole = values.cast(pl.Int64 if former else pl.Int128, strict=False)
        return (
            pl.when(whole == values).then(whole.cast(pl.String)).otherwise(values.cast(pl.String))
        )
    if isinstance(dtype, pl.Decimal):
        text = values.cast(pl.String)
        return without_last_zeros(text) if dtype.scale else text
    if dtype == pl.Time:
        return values.dt.to_string("%H:%M:%S%.f")  # a cast leaves out parts of seconds
    return values.cast(pl.String)


def text_of(column: pl.Series, former: bool = False) -> pl.Series:
    """Returns a column of single values as text; of `former` see `as_text`."""
    return pl.select(as_text(pl.lit(column), column.dtype, former)).to_series()


def ids_of(column: pl.Series, encoding: Ids) -> pl.Series:
    """Returns a column of single values as the texts of ids, not yet spelled as ids are."""
    return text_of(column, former=encoding.values == TEXT)


def numbers_of(column: pl.Series) -> pl.Series:
    """Returns a column as Float64, null where a cell is missing or no number."""
    return column.cast(pl.Float64, strict=False)


def unusable_numbers(column: pl.Series, numbers: pl.Series) -> np.ndarray:
    """Returns which cells are neither missing nor finite numbers.

    Args:
      column: The cells.
      numbers: What `numbers_of` makes of them.
    """
    return ~numbers.cast(pl.Float32).is_finite().fill_null(column.is_null()).to_numpy()


def expected_number(cell: object) -> str:
    """Says what was expected in the place of a cell that `unusable_numbers` finds."""
    (number,) = pl.Series([cell]).cast(pl.Float64, strict=False)
    if number is not None and abs(number) > _LARGEST:
        return f"expected a number from -{_LARGEST:.1e} to {_LARGEST:.1e}, the range of float32"
    return "expected a number"


def no_number(field: str, cells: pl.Series, row: int) -> str:
    """Says of a cell that `unusable_numbers` finds what it holds and what was expected."""
    where = f"field {field}: column {cells.name!r}"
    return f"{where} holds {cells[row]!r}, {expected_number(cells[row])}"


def cut_lists(lists: pl.Series, encoding: Ids) -> pl.Series:
    """Returns lists without the values beyond the longest list."""
    cut = lists.list.head if encoding.keep == FIRST else lists.list.tail
    return cut(encoding.max_values)


def lists_of(column: pl.Series, encoding: Ids) -> pl.Series:
    """Returns a column of lists as lists of text, without missing values and not cut."""
    former = encoding.values == TEXT
    if not isinstance(column.dtype, pl.List):
        texts = text_of(column, former).rename(column.name)
        separator = encoding.separator or ""
        column = texts.str.split(separator) if former else split_lists(texts, separator)
    inner = column.clear().explode().dtype
    element = pl.element().fill_nan(None) if inner.is_float() else pl.element()
    lists = column.list.eval(as_text(element, inner, former).str.strip_chars())
    if former:
        missing = pl.Series(encoding.missing)
    else:
        texts = lists.explode()
        missing = texts.filter(as_values(encoding.missing).hold(texts)).unique()
    present = pl.element().filter(~pl.element().is_in(missing.implode()))
    # Of empty lists alone Polars would not know what they are lists of.
    return lists.list.eval(present).fill_null([]).cast(pl.List(pl.String))
