"""The joined files of an own log: one row for each key, in memory."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl

from data_prep.own_log.cells import no_number, numbers_of, spelled, text_of, unusable_numbers
from data_prep.own_log.declaration import Declaration
from data_prep.own_log.declared.joins import FIRST, REFUSE, DeclaredJoin
from data_prep.own_log.derived.columns import sources_of
from data_prep.own_log.parsing.chunks import Chunk
from data_prep.own_log.parsing.files import Files, LogFile, open_files
from data_prep.own_log.parsing.remote import RawPath
from data_prep.storage.bad_rows import BadRows
from dcrnn_tf.dataset.ids.index import IdIndex
from dcrnn_tf.dataset.schema import LARGEST_ROW, DatasetError

_KEY = "key"  # column of a table's file; the others are called as follows
_COLUMN = "column "


class JoinedTable:
    """The rows that a join adds.

    Args:
      join: The join.
      keys: Key of each row, as the ids of its value are spelled.
      frame: The rows, with the columns that the join gives.
      repeated: Number of rows that were left out since another has their key.

    Attributes:
      join: The join.
      frame: The rows.
      repeated: Number of rows that were left out.
    """

    def __init__(self, join: DeclaredJoin, keys: pl.Series, frame: pl.DataFrame, repeated: int = 0):
        self.join = join
        self.frame = frame
        self.repeated = repeated
        self._keys = keys
        self._index = IdIndex(keys)

    def rows(self, keys: Sequence[pl.Series]) -> np.ndarray:
        """Returns the number of the row of each key, int64 `(rows,)`; -1 where there is none.

        Args:
          keys: Columns of the log's rows, of which the keys are made.
        """
        return self._index(keys_of(keys))

    def rows_of(self, numbers: np.ndarray) -> pl.DataFrame:
        """Returns the rows of given numbers; all values are null where one is -1."""
        chosen = pl.Series(numbers).set(pl.Series(numbers < 0), None)
        return pl.DataFrame([column.gather(chosen) for column in self.frame.get_columns()])

    def write(self, path: pathlib.Path) -> None:
        """Writes the table for workers that read it with `read_table`."""
        columns = [column.alias(_COLUMN + column.name) for column in self.frame.get_columns()]
        pl.DataFrame([self._keys.alias(_KEY), *columns]).write_parquet(path, compression="lz4")


def read_table(join: DeclaredJoin, path: pathlib.Path) -> JoinedTable:
    """Reads a table that `JoinedTable.write` has written."""
    table = pl.read_parquet(path)
    frame = table.drop(_KEY).rename(lambda name: name.removeprefix(_COLUMN))
    return JoinedTable(join, table[_KEY], frame)


def keys_of(columns: Sequence[pl.Series]) -> pl.Series:
    """Returns keys as their cells are spelled as ids, so that 5 and 5.0 are one key.

    A key of several cells is a text that no other ones make; it is null if one of them is.
    """
    texts = [spelled(text_of(column)).cast(pl.String) for column in columns]
    if len(texts) == 1:
        return texts[0]
    parts = (pl.concat_str(text.str.len_bytes(), pl.lit(":"), text) for text in texts)
    return pl.select(pl.concat_str(parts)).to_series()


def cells_of(columns: Sequence[pl.Series], row: int) -> str:
    """Returns the cells of a key, spelled as ids, as messages show them."""
    texts = (spelled(text_of(column.slice(row, 1)))[0] for column in columns)
    return ", ".join("nothing" if text is None else repr(text) for text in texts)


@dataclasses.dataclass(frozen=True)
class JoinedFiles:
    """The files of one join.

    Attributes:
      join: The join.
      files: The files.
      declaration: Declaration of the log.
    """

    join: DeclaredJoin
    files: Files
    declaration: Declaration

    @classmethod
    def opened(
        cls, join: DeclaredJoin, declaration: Declaration, data_dir: RawPath
    ) -> "JoinedFiles":
        """Opens the files.

        Raises:
          DatasetError: A pattern fits no file, or a file cannot be read or lacks a column.
        """
        try:
            selection = declaration.join_selection(join)
            return cls(join, open_files(data_dir, join.files, selection), declaration)
        except DatasetError as error:
            raise DatasetError(f"{join.part}: {error}") from None

    def read(self, bad_rows: BadRows) -> JoinedTable:
        """Reads the files into memory.

        Args:
          bad_rows: takes the rows that cannot be used.

        Raises:
          DatasetError: A file is damaged, keys repeat and must not, or there are more bad rows than
            tolerated.
        """
        chunks: list[Chunk] = []
        for file in self.files.opened:
            chunks += (self._good(chunk, bad_rows) for chunk in file.chunks(bad_rows, _no_progress))
        join = self.join
        # Chunks of no rows may not know what their cells are.
        frames = [chunk.frame for chunk in chunks if chunk.frame.height]
        frames = frames or [chunk.frame for chunk in chunks[:1]]
        if not frames:
            frames = [pl.DataFrame(schema=dict.fromkeys((*join.key, *join.columns.values())))]
        frame = pl.concat(_alike(frames))
        cells = [frame[column] for column in join.key]
        keys = keys_of(cells)
        frame = pl.DataFrame(
            [self._typed(frame[column].alias(name)) for name, column in join.columns.items()]
        )
        first = keys.is_first_distinct() if join.repeated != "last" else keys.is_last_distinct()
        repeated = int((~first).sum())
        if repeated and join.repeated == REFUSE:
            row = int(np.flatnonzero(~first.to_numpy())[0])
            self._refuse(cells_of(cells, row), row, chunks)
        if len(keys) - repeated >= LARGEST_ROW:
            raise DatasetError(f"{join.part}: it has more rows than can be numbered")
        return JoinedTable(join, keys.filter(first), frame.filter(first).rechunk(), repeated)

    def _typed(self, column: pl.Series) -> pl.Series:
        """A column as numbers if nothing else is read of it."""
        declared = self.declaration
        others = {*declared.text_columns, *sources_of(declared.derived)}
        numbers = column.name in declared.number_columns and column.name not in others
        return numbers_of(column).alias(column.name) if numbers else column

    def _good(self, chunk: Chunk, bad_rows: BadRows) -> Chunk:
        """The rows of a chunk that can be used, numbers as such."""
        frame, place = chunk.frame, chunk.place
        good = np.ones(frame.height, bool)

        def leave_out(reason: str, rows: np.ndarray, what: Callable[[int], str]) -> None:
            for row in np.flatnonzero(rows & good).tolist():
                bad_rows.add(reason, functools.partial(place, row), what(row))
            good[rows] = False

        def empty(key: str, _: int) -> str:
            return f"{self.join.part}: column {key!r} is empty"

        for key in self.join.key:
            missing = frame[key].is_null().to_numpy()
            leave_out("key missing", missing, functools.partial(empty, key))
        for name, field in self.declaration.number_columns.items():
            if (column := self.join.columns.get(name)) is None:
                continue
            cells = frame[column]
            numbers = numbers_of(cells)
            leave_out(
                "not a number",
                unusable_numbers(cells, numbers),
                functools.partial(no_number, field, cells),
            )
        rows = np.flatnonzero(good)
        return Chunk(frame.filter(pl.Series(good)), lambda row: place(int(rows[row])))

    def _refuse(self, key: str, row: int, chunks: Sequence[Chunk]) -> None:
        """Refuses a key that an earlier row has."""
        for chunk in chunks:
            if row < chunk.frame.height:
                break
            row -= chunk.frame.height
        join = self.join
        raise DatasetError(
            f"{chunk.place(row)}: {join.part}: an earlier row has the key {key} too; correct "
            f"the files, or declare `repeated: {FIRST}` or `repeated: last`"
        )


def _alike(frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """Frames of files of several kinds, their cells as text where types differ."""
    texts = {
        name
        for name in frames[0].columns
        if len({frame[name].dtype for frame in frames} - {pl.Null}) > 1
        and not any(frame[name].dtype.is_nested() for frame in frames)
    }
    return [
        frame.with_columns(*(text_of(frame[name]) for name in texts)) if texts else frame
        for frame in frames
    ]


def _no_progress(done: int) -> None:
    pass


def counts_of(
    tables: Sequence[JoinedTable], unmatched: Mapping[str, int]
) -> dict[str, dict[str, int]]:
    """Returns what the schema's `filters` say of each join.

    Args:
      tables: The joined tables.
      unmatched: Number of rows of the log without partner, by join.
    """
    return {
        table.join.name: {
            "rows": table.frame.height,
            "repeated": table.repeated,
            "unmatched": unmatched.get(table.join.name, 0),
        }
        for table in tables
    }


@dataclasses.dataclass(frozen=True)
class Joins:
    """The joined files of a log, read.

    Attributes:
      tables: The joined tables, in the order of the declaration.
      files: The files that were read.
      hidden: Paths of hidden files that were passed over.
      bad_rows: The rows that were left out.
    """

    tables: Sequence[JoinedTable]
    files: Sequence[LogFile]
    hidden: Sequence[RawPath]
    bad_rows: BadRows


def read_joins(
    joins: Sequence[DeclaredJoin],
    declaration: Declaration,
    data_dir: RawPath,
    bad_rows: BadRows,
) -> Joins:
    """Opens all files of joins, and reads them.

    Args:
      joins: The joins.
      declaration: Declaration of the log.
      data_dir: Folder that file patterns are relative to.
      bad_rows: takes the rows that cannot be used.

    Raises:
      DatasetError: A pattern fits no file, a file cannot be read or lacks a column, keys repeat and
        must not, or there are more bad rows than tolerated.
    """
    opened = [JoinedFiles.opened(join, declaration, data_dir) for join in joins]
    files = [file for one in opened for file in one.files.opened]
    hidden = [path for one in opened for path in one.files.hidden]
    return Joins([one.read(bad_rows) for one in opened], files, hidden, bad_rows)
