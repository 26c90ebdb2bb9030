"""Reads the files of an own log with many workers, into chunk files of checked rows."""

import collections
import copy
import dataclasses
import itertools
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import apache_beam as beam
import numpy as np
import polars as pl

from data_prep.beam.own_log.tables import TableFiles
from data_prep.beam.stage import Results, replaced
from data_prep.own_log.declaration import Declaration
from data_prep.own_log.parsing.files import LogFile
from data_prep.own_log.parsing.remote import RawPath
from data_prep.own_log.rows.log_rows import LogRows
from data_prep.own_log.rows.row_reader import RowReader
from data_prep.own_log.split_draw import SplitCounts, SplitDraw
from data_prep.own_log.weighting.negatives import StayingRows, staying
from data_prep.storage.bad_rows import BadRows
from dcrnn_tf.dataset.schema import DatasetError

# A chunk file's columns: those of the frame and the labels, so called, and the splits.
_COLUMN, _LABEL, _SPLIT = "column ", "label ", "split"


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Rows of one file.

    Attributes:
      number: Number of the chunk among all.
      path: Path of the chunk file.
      drawn: rows of the chunks before.
      histories: Names of the fields whose lists lie beside the chunk file.
    """

    number: int
    path: pathlib.Path
    drawn: int
    histories: tuple[str, ...] = ()

    def load(self, draw: SplitDraw) -> tuple[pl.DataFrame, np.ndarray, dict[str, np.ndarray]]:
        """The rows as `LogRows.read` yields them, and their histories; those that stay."""
        return self.load_with_counts(draw)[0]

    def load_with_counts(
        self, draw: SplitDraw
    ) -> tuple[tuple[pl.DataFrame, np.ndarray, dict[str, np.ndarray]], StayingRows]:
        """The same, and what counted the rows that were left out."""
        frame, splits, labels = self.rows()
        draw(frame, splits, self.drawn)
        if self.histories:
            frame = frame.with_columns(self._lists(frame.height))
        rows_stay = StayingRows(draw.negatives, self.drawn)
        return staying(frame, splits, labels, rows_stay(splits, labels)), rows_stay

    def rows(self) -> tuple[pl.DataFrame, np.ndarray, dict[str, np.ndarray]]:
        """The rows as `RowReader` yields them."""
        table = pl.read_parquet(self.path)
        named = {c: c.removeprefix(_COLUMN) for c in table.columns if c.startswith(_COLUMN)}
        frame = table.select(*named).rename(named)
        splits = table[_SPLIT].to_numpy().copy()
        labels = {c.removeprefix(_LABEL): c for c in table.columns if c.startswith(_LABEL)}
        return frame, splits, {task: table[column].to_numpy() for task, column in labels.items()}

    def _lists(self, rows: int) -> list[pl.Series]:
        """The histories of the rows; where no row has a user, there is no file of them."""
        path = self.histories_path(self.path)
        if path.exists():
            return pl.read_parquet(path).select(self.histories).get_columns()
        return [pl.Series(n, [None] * rows, dtype=pl.List(pl.String)) for n in self.histories]

    @staticmethod
    def histories_path(path: pathlib.Path) -> pathlib.Path:
        """Path of the file of histories beside a chunk file."""
        return path.with_suffix(".histories")


@dataclasses.dataclass(frozen=True)
class Read:
    """Results of reading a file.

    Attributes:
      file: Number of the file among all.
      rows: Number of rows of each of its chunks.
      bad_rows: those left out, by reason.
      unmatched: rows without partner, by join.
      failure: a sentence if it cannot be read or has more bad rows than tolerated.
    """

    file: int
    rows: Sequence[int]
    bad_rows: Mapping[str, int]
    unmatched: Mapping[str, int]
    failure: str = ""


class ReadLog:
    """Builds the stage that reads the files, and makes chunks of their results.

    Args:
      log: Files of the log.
      declaration: Declaration of what they hold.
      folder: Folder of the chunk files.
      seed: Seed of the split.
      max_bad_rows: Number of bad rows that are tolerated.
    """

    def __init__(
        self,
        log: LogRows,
        declaration: Declaration,
        folder: pathlib.Path,
        seed: int,
        max_bad_rows: int,
    ):
        self._log = log
        self._declaration = declaration
        self._folder = folder
        self._seed = seed
        self._max_bad_rows = max_bad_rows
        self._tables = TableFiles(declaration.joins, folder)

    def build(self, pipeline: beam.Pipeline) -> Results:
        """Adds the steps; for `run_stage`."""
        self._tables.write(self._log.joins.tables)
        files = [(n, split, f.path, f.partitions) for n, (split, f) in enumerate(self._log.files)]
        read = (
            pipeline
            | "Files" >> beam.Create(files)
            | "Spread files" >> beam.Reshuffle()
            | "Read files"
            >> beam.FlatMap(
                _read,
                self._declaration,
                self._tables,
                self._folder,
                self._seed,
                self._max_bad_rows,
            ).with_outputs("counts", main="read")
        )
        counts = read.counts | "Sum counts" >> beam.CombineGlobally(
            _Sum(self._declaration, self._seed)
        )
        return {"read": read.read, "counts": counts}

    def chunks(
        self, read: Iterable[Read]
    ) -> tuple[list[Chunk], collections.Counter[str], list[str], collections.Counter[str]]:
        """Numbers the chunks as one machine reading file by file would meet them.

        Args:
          read: Result of the stage that reads the files.

        Returns:
          The chunks, the bad rows by reason, the names of the files without a usable row, and the
          numbers of rows without partner by join.

        Raises:
          DatasetError: a file is damaged, or there are more bad rows than tolerated.
        """
        chunks: list[Chunk] = []
        bad_rows = self._log.joins.bad_rows.copy()
        unmatched: collections.Counter[str] = collections.Counter()
        without_rows = list(self._log.empty_files)
        drawn = 0
        for one in sorted(read, key=lambda one: one.file):
            bad = sum(one.bad_rows.values())
            if one.failure or bad_rows.counts.total() + bad > self._max_bad_rows:
                self._explain(one.file, bad_rows)
                raise DatasetError(one.failure)  # gone at the second reading
            bad_rows.counts.update(one.bad_rows)
            unmatched.update(one.unmatched)
            if not sum(one.rows):
                without_rows.append(self._log.files[one.file][1].path.name)
            for number, rows in enumerate(one.rows):
                path = _chunk_file(self._folder, one.file, number)
                chunks.append(Chunk(len(chunks), path, drawn))
                drawn += rows
        return chunks, bad_rows.counts, without_rows, unmatched

    def _explain(self, number: int, bad_rows: BadRows) -> None:
        """Reads a file again up to the row that is one too many, which raises `DatasetError`."""
        split, file = self._log.files[number]
        read = RowReader(self._declaration, self._log.joins.tables)
        rows = read(file, split, bad_rows, lambda done: None)
        collections.deque(rows, maxlen=0)


def _chunk_file(folder: pathlib.Path, file: int, chunk: int) -> pathlib.Path:
    return folder / f"{file:05d}-{chunk:06d}.parquet"


class _Sum(beam.CombineFn):
    """Merges what is to be known of all rows before they are split."""

    def __init__(self, declaration: Declaration, seed: int):
        self._empty = SplitCounts(declaration, seed)

    def create_accumulator(self) -> SplitCounts:
        return copy.deepcopy(self._empty)

    def add_input(self, counts: SplitCounts, other: SplitCounts) -> SplitCounts:
        counts.merge(other)
        return counts

    def merge_accumulators(self, parts: Iterable[SplitCounts]) -> SplitCounts:
        counts = self.create_accumulator()
        for part in parts:
            counts.merge(part)
        return counts

    def extract_output(self, counts: SplitCounts) -> SplitCounts:
        return counts


def _read(
    element: tuple[int, int, RawPath, Mapping[str, str | None]],
    declaration: Declaration,
    tables: TableFiles,
    folder: pathlib.Path,
    seed: int,
    max_bad_rows: int,
) -> Iterator[Read | beam.pvalue.TaggedOutput]:
    """Yields the results of a file and, where splits depend on all rows, counts of them."""
    number, split, path, partitions = element
    counts = SplitCounts(declaration, seed)
    bad_rows = BadRows(max_bad_rows)
    rows: list[int] = []
    try:
        reader = RowReader(declaration, tables.tables())
        file = LogFile(path, declaration.selection, partitions)
        chunks = reader(file, split, bad_rows, lambda done: None)
        for chunk, (frame, splits, labels) in zip(itertools.count(), chunks, strict=False):
            table = frame.rename(lambda name: _COLUMN + name).with_columns(
                pl.Series(_SPLIT, splits),
                *(
                    pl.Series(_LABEL + task, label)
                    if label.dtype != object
                    else pl.Series(_LABEL + task, label.tolist(), pl.String)
                    for task, label in labels.items()
                ),
            )
            with replaced(_chunk_file(folder, number, chunk)) as partial:
                table.write_parquet(partial, compression="lz4")
            rows.append(frame.height)
            if declaration.split.counts_first:
                counts.add(frame)
    except DatasetError as error:
        yield Read(number, rows, bad_rows.counts, {}, str(error))
        return
    for reason, count in bad_rows.counts.items():
        beam.metrics.Metrics.counter("bad_rows", reason).inc(count)
    yield Read(number, rows, bad_rows.counts, reader.unmatched)
    if declaration.split.counts_first:
        yield beam.pvalue.TaggedOutput("counts", counts)
