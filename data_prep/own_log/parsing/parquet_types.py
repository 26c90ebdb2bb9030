"""Types of Parquet columns, and their cells as the types that the rest of the preparation reads.

Texts, bytes and decimal numbers come as text, UUIDs in their usual form; dictionaries are decoded;
all kinds of lists are one; what only wraps another type is that type. Polars would misread some of
these types, and panic at others.
"""

import decimal
import zoneinfo
from collections.abc import Iterator

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from data_prep.own_log.cells import without_last_zeros

_BYTES = (
    *("is_binary", "is_large_binary", "is_fixed_size_binary", "is_binary_view"),
    *("is_string", "is_large_string", "is_string_view"),
)
_LISTS = ("is_list", "is_large_list", "is_fixed_size_list", "is_list_view", "is_large_list_view")
_MOMENTS = ("is_date", "is_time", "is_timestamp")
_SINGLE = ("is_boolean", "is_integer", "is_floating", "is_decimal", "is_null", *_MOMENTS)


def refusal(dtype: pa.DataType, may_be_list: bool, is_number: bool = False) -> str | None:
    """Returns what to do about a column of a type that cannot be read, None if it can.

    Args:
      dtype: Type of the column.
      may_be_list: Whether a field takes lists from it.
      is_number: Whether a field takes numbers from it.
    """
    dtype = _unwrapped(dtype)
    if is_number and pa.types.is_time(dtype):
        return "write it as a number, such as its seconds"
    if is_number and any(_is(dtype, _MOMENTS)):  # in days or seconds or parts of them
        return "derive a number, such as days: EPOCH(column) / 86400"
    if _is_list(dtype):
        if not may_be_list:
            return "declare a multi_categorical field of it, or write single values"
        if _is_list(_unwrapped(dtype.value_type)):
            return "write lists of single values"
        return refusal(dtype.value_type, may_be_list=False)
    if pa.types.is_struct(dtype) or pa.types.is_map(dtype):
        return "write each part that matters as a column of its own"
    if pa.types.is_duration(dtype):
        return "write it as a number, such as its seconds"
    return None if any(_is(dtype, _BYTES + _SINGLE)) else "write it as text or numbers"


def frame_of(batch: pa.RecordBatch, uuids: set[str]) -> tuple[pl.DataFrame, np.ndarray]:
    """Returns the rows whose cells are UTF-8, and which rows of the batch these are.

    Args:
      batch: Columns of types that `refusal` lets pass.
      uuids: Names of the columns of UUIDs.
    """
    columns = [_plain(batch.column(name), name in uuids) for name in batch.schema.names]
    good = np.ones(batch.num_rows, bool)
    texts = []
    for column in columns:
        try:
            texts.append(_as_text(column))
        except pa.ArrowInvalid:  # a file's text need not be text
            good &= [_is_utf8(cell) for cell in column.to_pylist()]
    if not good.all():
        texts = [_as_text(column.filter(pa.array(good))) for column in columns]
    return pl.DataFrame(pa.table(texts, batch.schema.names)), good


def _plain(column: pa.Array, uuid: bool) -> pa.Array:
    """A column in one of few types, texts as bytes because they need not be UTF-8."""
    dtype = column.type
    if isinstance(dtype, pa.BaseExtensionType):
        return _plain(column.storage, uuid or dtype.extension_name == "arrow.uuid")
    if pa.types.is_dictionary(dtype):
        return _plain(column.dictionary_decode(), uuid)
    if _is_list(dtype):
        lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
        ends = pa.array(np.append(0, np.cumsum(lengths, dtype=np.int64)))
        values = _plain(pc.list_flatten(column), uuid)
        return pa.LargeListArray.from_arrays(ends, values, mask=column.is_null())
    if uuid and dtype == pa.binary(16):
        return _uuid_text(column)
    if any(_is(dtype, _BYTES)):
        return column.cast(pa.large_binary())
    if pa.types.is_decimal(dtype):
        return _decimal_text(column)
    if pa.types.is_float16(dtype):
        return column.cast(pa.float32())
    if pa.types.is_date64(dtype):
        return column.cast(pa.date32())
    if pa.types.is_timestamp(dtype) and dtype.tz not in (None, *zoneinfo.available_timezones()):
        return column.cast(pa.timestamp(dtype.unit, "UTC"))  # `+05:30`, which Polars does not know
    return column


def _uuid_text(column: pa.Array) -> pa.Array:
    digits = pl.Series(column.cast(pa.binary())).bin.encode("hex")
    text = digits.str.replace("^(.{8})(.{4})(.{4})(.{4})", "${1}-${2}-${3}-${4}-")
    return text.to_arrow().cast(pa.large_binary())


def _decimal_text(column: pa.Array) -> pa.Array:
    """Decimal numbers as text without zeros at the end: 2.50 is 2.5, as in a CSV file."""
    texts = pl.Series(column.cast(pa.string()))
    # Arrow writes numbers below a millionth, and 0 with many decimals, with an exponent.
    exponents = texts.filter(texts.str.contains("E", literal=True)).unique()
    plain = [format(decimal.Decimal(text), "f") for text in exponents]
    texts = texts.replace(exponents, pl.Series(plain, dtype=pl.String))
    if column.type.scale > 0:
        texts = pl.select(without_last_zeros(pl.lit(texts))).to_series()
    return texts.to_arrow().cast(pa.large_binary())


def _as_text(column: pa.Array) -> pa.Array:
    """A column with its bytes as text.

    Raises:
      pa.ArrowInvalid: Some are not UTF-8.
    """
    if column.type == pa.large_binary():
        return column.cast(pa.large_string())
    if column.type == pa.large_list(pa.large_binary()):
        return column.cast(pa.large_list(pa.large_string()))
    return column


def _unwrapped(dtype: pa.DataType) -> pa.DataType:
    if isinstance(dtype, pa.BaseExtensionType):
        return _unwrapped(dtype.storage_type)
    return _unwrapped(dtype.value_type) if pa.types.is_dictionary(dtype) else dtype


def _is(dtype: pa.DataType, names: tuple[str, ...]) -> Iterator[bool]:
    return (getattr(pa.types, name)(dtype) for name in names)


def _is_list(dtype: pa.DataType) -> bool:
    return any(_is(dtype, _LISTS))


def _is_utf8(cell: object) -> bool:
    if isinstance(cell, list):
        return all(map(_is_utf8, cell))
    try:
        return not isinstance(cell, bytes) or cell.decode() is not None
    except UnicodeDecodeError:
        return False
