"""A Parquet file, read in batches of rows."""

import contextlib
import functools
import pathlib
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from data_prep.own_log.cells import cleaned
from data_prep.own_log.declared.options import Selection
from data_prep.own_log.parsing.chunks import Chunk, not_text, reading
from data_prep.own_log.parsing.parquet_types import frame_of, refusal
from data_prep.own_log.parsing.remote import RawPath
from data_prep.storage.bad_rows import BadRows, Progress
from dcrnn_tf.dataset.schema import DatasetError

PARQUET_ROWS = 1 << 16  # a chunk


class ParquetFile:
    """A Parquet file; `names` are its columns."""

    def __init__(self, path: RawPath, selection: Selection):
        self.path = path
        self._selection = selection
        self.bytes = path.stat().st_size
        with self._open() as file:
            self._rows = file.metadata.num_rows
            schema = file.schema_arrow
            columns = [file.schema.column(n) for n in range(len(file.schema))]
        self._uuids = {c.path.split(".")[0] for c in columns if str(c.logical_type) == "UUID"}
        self.names = tuple(schema.names)
        for column in (name for name in self.names if name in selection.columns):
            if self.names.count(column) > 1:
                raise DatasetError(f"{path} has column {column!r} more than once; rename one")
            dtype = schema.field(column).type
            numbers = column in selection.numbers
            may_be_list = column in selection.lists
            if advice := refusal(dtype, may_be_list, numbers):
                expected = "single values or lists of them" if may_be_list else "single values"
                expected = "numbers" if numbers else expected
                raise DatasetError(
                    f"{path}: column {column!r} holds {dtype}, expected {expected}; {advice}"
                )

    @contextlib.contextmanager
    def _open(self) -> Iterator[pa.parquet.ParquetFile]:
        path = self.path
        try:
            with (
                reading(path),
                path.open("rb") as raw,
                pa.parquet.ParquetFile(
                    path if isinstance(path, pathlib.Path) else raw,
                    page_checksum_verification=True,
                ) as file,
            ):
                yield file
        except DatasetError as error:
            if "Expected all lists to be of size" not in str(error):
                raise
            raise DatasetError(
                f"{path}: a column holds lists of one size, and some rows have none, which Arrow "
                "cannot read; write lists of any size, and empty ones in those rows"
            ) from None

    def chunks(self, bad_rows: BadRows, progress: Progress) -> Iterator[Chunk]:
        """Yields all rows, except those with bytes that are not UTF-8.

        Raises:
          DatasetError: the file is damaged, or has more bad rows than tolerated.
        """
        columns = self._selection.among(self.names)
        first = 1  # number of a batch's first row
        with self._open() as file:
            for batch in _batches(file, columns):
                frame, good = frame_of(batch.select(columns), self._uuids)
                frame = cleaned(frame, self._selection.options.missing_values)
                numbers = first + np.flatnonzero(good)
                for number in (first + np.flatnonzero(~good)).tolist():
                    reason, what = not_text("UTF-8")
                    bad_rows.add(reason, functools.partial(self._place, number), what)
                yield Chunk(frame, self._places(numbers))
                first += len(good)
                progress(self.bytes * len(good) // self._rows)

    def _places(self, numbers: np.ndarray) -> Callable[[int], str]:
        """Returns the function that says where a row of a chunk is."""
        return lambda row: self._place(int(numbers[row]))

    def _place(self, number: int) -> str:
        return f"{self.path}, row {number}"


def _batches(file: pa.parquet.ParquetFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yields the rows, one row group after the other: Arrow cannot join lists of dictionaries."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(PARQUET_ROWS, row_groups=[group], columns=columns)
