"""A Parquet file, read in batches of rows."""

import pathlib
from collections.abc import Iterator

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet

from data_prep.own_log.cells import cleaned
from data_prep.own_log.declaration import Declaration
from data_prep.own_log.parsing.chunks import NOT_UTF8, Chunk, reading
from data_prep.storage.bad_rows import BadRows, Progress
from dcrnn_tf.dataset.schema import MULTI_CATEGORICAL, DatasetError

PARQUET_ROWS = 1 << 16  # a chunk


class ParquetFile:
    """A Parquet file; `names` are its columns."""

    def __init__(self, path: pathlib.Path, declaration: Declaration):
        self.path = path
        self._declaration = declaration
        self.bytes = path.stat().st_size
        with reading(path):
            self._rows = pa.parquet.read_metadata(path).num_rows
            schema = pa.parquet.read_schema(path)
        self.names = tuple(schema.names)
        lists = {f.column for f in declaration.fields if f.kind == MULTI_CATEGORICAL}
        lists -= {f.column for f in declaration.fields if f.kind != MULTI_CATEGORICAL}
        for column in (name for name in self.names if name in declaration.columns):
            if self.names.count(column) > 1:
                raise DatasetError(f"{path} has column {column!r} more than once; rename one")
            dtype = schema.field(column).type
            if column in lists and _is_list(dtype):
                dtype = dtype.value_type
            if pa.types.is_nested(dtype) or pa.types.is_duration(dtype):
                raise DatasetError(
                    f"{path}: column {column!r} holds {dtype}, expected single values"
                    + (" or lists of them" if column in lists else "")
                )

    def chunks(self, bad_rows: BadRows, progress: Progress) -> Iterator[Chunk]:
        """Yields all rows, except those with bytes that are not UTF-8.

        Raises:
          DatasetError: the file is damaged, or has more bad rows than tolerated.
        """
        columns = list(self._declaration.columns)
        first = 1  # number of a batch's first row
        with reading(self.path), pa.parquet.ParquetFile(self.path) as file:
            for batch in file.iter_batches(PARQUET_ROWS, columns=columns):
                frame, good = _decode(batch, self._declaration)
                numbers = first + np.flatnonzero(good)
                for number in first + np.flatnonzero(~good):
                    bad_rows.add("not UTF-8", lambda n=number: self._place(n), NOT_UTF8)
                yield Chunk(frame, lambda row, numbers=numbers: self._place(numbers[row]))
                first += len(good)
                progress(self.bytes * len(good) // self._rows)

    def _place(self, number: int) -> str:
        return f"{self.path}, row {number}"


def _decode(batch: pa.RecordBatch, declaration: Declaration) -> tuple[pl.DataFrame, np.ndarray]:
    """Returns the rows that are UTF-8, cleaned, and which rows of the batch these are."""
    good = np.ones(batch.num_rows, bool)
    try:
        text = _binary_as_text(batch)
        text.validate(full=True)  # a file's text need not be text
    except pa.ArrowInvalid:
        for column in batch.columns:
            if _plain(column.type) in (pa.string(), pa.list_(pa.string())):
                good &= [_is_utf8(cell) for cell in _as_bytes(column).to_pylist()]
        text = _binary_as_text(batch.filter(pa.array(good)))
    return cleaned(pl.from_arrow(text), declaration.missing_values), good


def _binary_as_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with all texts in one type, whatever they are stored as."""
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]
    columns = [column.cast(_plain(column.type)) for column in columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _plain(dtype: pa.DataType) -> pa.DataType:
    """The type that a column is read as: `string` for texts and bytes, lists of it for theirs."""
    if pa.types.is_dictionary(dtype):
        return _plain(dtype.value_type)
    if _is_list(dtype) and _plain(dtype.value_type) == pa.string():
        return pa.list_(pa.string())
    stored = ("binary", "large_binary", "fixed_size_binary", "binary_view")
    stored += ("string", "large_string", "string_view")
    if any(getattr(pa.types, f"is_{name}")(dtype) for name in stored):
        return pa.string()
    return dtype


def _as_bytes(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    of_lists = _is_list(column.type)
    return column.cast(pa.list_(pa.binary()) if of_lists else pa.binary())


def _is_list(dtype: pa.DataType) -> bool:
    return pa.types.is_list(dtype) or pa.types.is_large_list(dtype)


def _is_utf8(cell: bytes | list[bytes | None] | None) -> bool:
    if isinstance(cell, list):
        return all(map(_is_utf8, cell))
    try:
        (cell or b"").decode()
    except UnicodeDecodeError:
        return False
    return True
