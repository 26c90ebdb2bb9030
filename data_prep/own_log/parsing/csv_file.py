"""A CSV file, read in blocks."""

import contextlib
import csv
import functools
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv

from data_prep.own_log.cells import cleaned
from data_prep.own_log.declared.options import Selection
from data_prep.own_log.parsing.chunks import Chunk, EmptyFileError, not_text, reading
from data_prep.own_log.parsing.csv_text import CsvText, for_arrow, text_of
from data_prep.own_log.parsing.first_bytes import unpacked
from data_prep.own_log.parsing.remote import RawPath
from data_prep.storage.bad_rows import BadRows, Progress
from dcrnn_tf.dataset.schema import DatasetError

BLOCK_BYTES = 8 << 20  # of CSV text a chunk


class CsvFile:
    """A CSV file, packed or not; `names` are its columns."""

    def __init__(self, path: RawPath, selection: Selection):
        self.path = path
        self._selection = selection
        self._options = selection.options
        self.bytes = path.stat().st_size
        with reading(path):
            first = next(self._records(), None)
        if first is None:
            raise EmptyFileError(f"{path} is empty")
        # Names must be right; a first row that is not UTF-8 is a bad row like any other.
        if self._options.column_names is None and not all(map(_is_encodable, first[1])):
            raise DatasetError(f"{path}: its first line is not {self._options.encoding} text")
        self.names = self._options.column_names or tuple(name.strip() for name in first[1])
        for column in selection.columns:
            if self.names.count(column) > 1:
                raise DatasetError(
                    f"{path}: two columns of the header line are named {column!r}; rename one"
                )

    def chunks(self, bad_rows: BadRows, progress: Progress) -> Iterator[Chunk]:
        """Yields all rows, except those with a wrong number of cells or bytes that are no text.

        Raises:
          DatasetError: the file is damaged, or has more bad rows than tolerated.
        """
        header = int(self._options.column_names is None)
        skipped: list[int] = []  # record numbers, from 1, of rows with a wrong number of cells
        waiting: list[tuple[int, int]] = []  # of those, the ones still to be counted, and cells
        ended = False

        def on_wrong_cells(row: pa.csv.InvalidRow) -> str:
            nonlocal ended
            if row.text.startswith(text.end):
                ended = True
                return "skip"
            waiting.append((row.number, row.actual_columns))
            return "skip" if len(waiting) <= bad_rows.limit else "error"

        def count_wrong_cells() -> None:
            while waiting:  # Arrow reads ahead and may append meanwhile
                record, cells = waiting.pop(0)
                what = f"{cells} cells, expected {len(self.names)}"
                bad_rows.add("wrong number of cells", functools.partial(self._place, record), what)
                skipped.append(record)

        # By their numbers, because columns that are not read may share a name.
        columns = {str(self.names.index(name)): name for name in self._selection.among(self.names)}
        record = 0  # number of the last record seen
        with reading(self.path), self.path.open("rb") as raw:
            text = CsvText(
                unpacked(raw), self._options.separator, len(self.names), self._options.encoding
            )
            try:
                reader = pa.csv.open_csv(
                    text,
                    pa.csv.ReadOptions(
                        use_threads=False,  # with threads, rows have no numbers
                        block_size=BLOCK_BYTES,
                        column_names=list(map(str, range(len(self.names)))),
                    ),
                    pa.csv.ParseOptions(
                        delimiter=text.separator,
                        quote_char='"' if self._options.quoted else False,
                        newlines_in_values=self._options.quoted,
                        invalid_row_handler=on_wrong_cells,
                    ),
                    pa.csv.ConvertOptions(
                        include_columns=list(columns),
                        column_types=dict.fromkeys(columns, pa.string()),
                        check_utf8=False,
                    ),
                )
                done = 0
                with reader:
                    for batch in reader:
                        count_wrong_cells()
                        numbers = _without(skipped, record, batch.num_rows)
                        record = int(numbers[-1]) if len(numbers) else record
                        rows = numbers > header  # Arrow would count a blank line as the header
                        frame = pl.from_arrow(batch).filter(pl.Series(rows))
                        frame = frame.rename(columns)
                        yield self._chunk(frame, numbers[rows], text, bad_rows)
                        progress(raw.tell() - done)
                        done = raw.tell()
            except pa.ArrowInvalid as error:
                count_wrong_cells()
                raise DatasetError(
                    f"{self._place(record)}: what follows this line cannot be read "
                    f"({str(error).splitlines()[0]}); is a quote left open?"
                ) from None
            count_wrong_cells()
        if not ended:
            raise DatasetError(
                f"{self._place(max([record, *skipped]))}: a quote is opened and never closed; "
                "correct it, or declare `quoted: false` if quotes are plain characters"
            )

    def _chunk(
        self, frame: pl.DataFrame, numbers: np.ndarray, text: CsvText, bad_rows: BadRows
    ) -> Chunk:
        frame = frame.with_columns(text.restored(pl.all()))
        if text.marked:
            marked = pl.any_horizontal(pl.all().str.contains(text.mark, literal=True))
            bad = frame.select(marked).to_series()
            reason, what = not_text(self._options.encoding)
            for number in numbers[bad.to_numpy()]:
                bad_rows.add(reason, functools.partial(self._place, number), what)
            frame, numbers = frame.filter(~bad), numbers[~bad.to_numpy()]
        frame = cleaned(frame, self._options.missing_values)
        return Chunk(frame, lambda row: self._place(numbers[row]))

    def _place(self, number: int) -> str:
        """Says where a record is; blank lines are no records."""
        with contextlib.suppress(csv.Error):  # a cell that Arrow takes and `csv` does not
            for count, (line, _) in enumerate(self._records(), start=1):
                if count == number:
                    return f"{self.path}, line {line}"
        return f"{self.path}, record {number}"

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Yields each record that is not blank with the number of its first line.

        Bytes that are no text come as surrogates, NUL, which `csv` may not take, as another
        character.
        """
        csv.field_size_limit(max(csv.field_size_limit(), BLOCK_BYTES))  # as long as Arrow takes
        with self.path.open("rb") as raw:
            text = text_of(unpacked(raw), self._options.encoding)
            lines = (line.replace("\0", "\ufffd") for line in text)
            separator = self._options.separator
            if (delimiter := for_arrow(separator)) != separator:
                lines = (
                    line.replace(delimiter, "\ufffd").replace(separator, delimiter)
                    for line in lines
                )
            read = functools.partial(csv.reader, lines, delimiter=delimiter)
            quoted = self._options.quoted
            reader = read() if quoted else read(quoting=csv.QUOTE_NONE)
            line = 1
            for record in reader:
                if record:
                    if delimiter != separator:  # one in quotes
                        record = [cell.replace(delimiter, separator) for cell in record]
                    yield line, record
                line = reader.line_num + 1


def _without(skipped: Sequence[int], last: int, rows: int) -> np.ndarray:
    """Numbers of the `rows` records after number `last`, those in `skipped` left out."""
    skipped = [number for number in skipped if number > last]
    numbers = np.arange(last + 1, last + 1 + rows + len(skipped))
    return np.setdiff1d(numbers, skipped, assume_unique=True)[:rows]


def _is_encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
