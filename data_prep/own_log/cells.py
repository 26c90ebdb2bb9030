"""Cells of raw columns, whatever their types: as text, as numbers, as lists, or missing."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from dcrnn_tf.dataset.encodings import Ids, finite_numbers


def cleaned(frame: pl.DataFrame, missing_values: Sequence[str]) -> pl.DataFrame:
    """Strips text cells, and makes null what stands for a missing value, typed or not."""
    return pl.DataFrame([clean(column, missing_values) for column in frame.get_columns()])


def clean(column: pl.Series, missing_values: Sequence[str]) -> pl.Series:
    """Strips the text cells of a column, and makes null what stands for a missing value."""
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        column = column.str.strip_chars()
        return column.set(column.is_in(missing_values), None)
    if column.dtype.is_numeric():
        if column.dtype.is_float():
            column = column.fill_nan(None)
        if numbers := finite_numbers(missing_values):
            column = column.set(column.cast(pl.Float64).is_in(numbers), None)
        return column
    if column.dtype.is_nested() or column.dtype == pl.Null:
        return column
    return column.set(column.cast(pl.String).is_in(missing_values), None)


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
    text = as_text(pl.element(), column.dtype.inner).str.strip_chars()
    lists = column.list.eval(text.filter(~text.is_in(encoding.missing)))
    return lists.fill_null([])
