"""Reads, checks and labels the rows of one file after the other."""

import collections
import functools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from data_prep.own_log.cells import (
    as_values,
    no_number,
    numbers_of,
    text_of,
    unusable_numbers,
)
from data_prep.own_log.declaration import SPLIT_NAMES, Declaration
from data_prep.own_log.declared.joins import REFUSE, DeclaredJoin
from data_prep.own_log.declared.times import TIME
from data_prep.own_log.derived.columns import DeriveColumns
from data_prep.own_log.joined.columns import JoinColumns
from data_prep.own_log.joined.tables import JoinedTable
from data_prep.own_log.lists.vectors import shown, vectors_of
from data_prep.own_log.lists.weighted import unusable_weights
from data_prep.own_log.parsing.chunks import Chunk, first_of
from data_prep.own_log.parsing.files import LogFile
from data_prep.own_log.rows.faults import Faults
from data_prep.own_log.rows.labels import read_labels
from data_prep.own_log.weighting.row_weights import read_weights
from data_prep.storage.bad_rows import BadRows, Progress
from dcrnn_tf.dataset.encodings import Ids, Vector

KEY = "\nkey "  # before the names of columns that are passed on as they were read


class RowReader:
    """Reads, checks and labels the rows of files, one after the other.

    Args:
      declaration: what the files hold.
      tables: The joined tables.
      first_rows: Number of rows of each file that are read; all if None.
      keys: Columns that the frames have once more as they were read, with `KEY` before their names.

    Attributes:
      unmatched: Number of usable rows without partner, by join, as far as read.
    """

    def __init__(
        self,
        declaration: Declaration,
        tables: Sequence[JoinedTable] = (),
        first_rows: int | None = None,
        keys: Sequence[str] = (),
    ):
        self._declaration = declaration
        self._keys = keys
        self._first_rows = first_rows
        self._join = JoinColumns(tables)
        self._columns = [*declaration.columns]
        self._columns += [join.row_column for join in declaration.entities.values()]
        self.unmatched: collections.Counter[str] = collections.Counter()
        self._derive = DeriveColumns(declaration.derived, declaration.missing_values)

    def __call__(
        self, file: LogFile, split: int, bad_rows: BadRows, progress: Progress
    ) -> Iterator[tuple[pl.DataFrame, np.ndarray, dict]]:
        """Yields as `LogRows.read` does, but with splits as far as the declaration says them.

        Args:
          file: to read.
          split: which one it is a file of, as a position in `SPLIT_NAMES`.
          bad_rows: takes the rows that cannot be used.
          progress: called with the number of bytes read since the last call.
        """
        for chunk in first_of(file.chunks(bad_rows, progress), self._first_rows):
            yield self.usable(chunk, split, bad_rows)

    def usable(
        self, chunk: Chunk, split: int, bad_rows: BadRows
    ) -> tuple[pl.DataFrame, np.ndarray, dict]:
        """Returns what `__call__` yields of some rows of a file.

        Args:
          chunk: The rows, with the columns that the declaration's `selection` names.
          split: As `__call__` takes it.
          bad_rows: As `__call__` takes it.
        """
        faults = Faults(chunk, bad_rows)
        frame, alone = self._join(chunk.frame)
        self._check_partners(frame, alone, faults)
        frame = self._derive(frame)
        keys = [frame[name].alias(KEY + name) for name in self._keys]
        frame = pl.DataFrame([frame[name] for name in self._columns] + keys)
        frame = self._times(frame, faults)
        self._weights(frame, faults)
        frame = self._numbers(frame, faults)
        labels = read_labels(self._declaration.tasks, frame, faults)
        labels |= read_weights(frame, self._declaration.tasks, faults.add)
        splits = self._splits(frame, split, faults)
        good = ~faults.bad
        for join, rows in alone.items():
            self.unmatched[join] += int(np.count_nonzero(rows & good))
        labels = {task: label[good] for task, label in labels.items()}
        return frame.filter(pl.Series(good)), splits[good], labels

    def _check_partners(
        self, frame: pl.DataFrame, alone: Mapping[str, np.ndarray], faults: Faults
    ) -> None:
        """Refuses rows without partner where the declaration does."""
        for join in self._declaration.joins:
            if join.unmatched == REFUSE:
                cells = [frame[name] for name in join.log_key]
                faults.add(
                    "without partner",
                    alone[join.name],
                    functools.partial(_without_partner, join, cells),
                )

    def _times(self, frame: pl.DataFrame, faults: Faults) -> pl.DataFrame:
        """Reads the moment of each row into the column `TIME`."""
        time = self._declaration.time
        if time is None:
            return frame
        cells = frame[time.column]
        moments = time.moments(cells)
        where, missing = f"time: column {time.column!r}", cells.is_null().to_numpy()
        faults.add("time missing", missing, lambda row: f"{where} is empty")
        faults.add(
            "not a time",
            moments.is_null().to_numpy() & ~missing,
            lambda row: f"{where} holds {str(cells[row])!r}, expected {time.expected}",
        )
        return frame.with_columns(moments.alias(TIME))

    def _numbers(self, frame: pl.DataFrame, faults: Faults) -> pl.DataFrame:
        """Checks the columns of numbers, and parses those of which nothing else is read."""
        parsed = []
        for column, field in self._declaration.number_columns.items():
            cells = frame[column]
            numbers = numbers_of(cells)
            faults.add(
                "not a number",
                unusable_numbers(cells, numbers),
                functools.partial(no_number, field, cells),
            )
            if column not in self._declaration.text_columns:
                parsed.append(numbers)
        return frame.with_columns(parsed)

    def _weights(self, frame: pl.DataFrame, faults: Faults) -> None:
        """Checks vectors, and the weights that lists carry."""
        for field in self._declaration.fields:
            encoding = field.encoding(self._declaration.missing_values)
            if isinstance(encoding, Vector):
                cells = frame[field.column]
                what = functools.partial(_no_vector, field.name, cells, encoding.length)
                faults.add("not a vector", vectors_of(cells, encoding)[1], what)
            if not isinstance(encoding, Ids) or encoding.weight_mark is None:
                continue
            cells = frame[field.column]
            what = functools.partial(_no_weight, field.name, cells, encoding.weight_mark)
            faults.add("not a weight", unusable_weights(cells, encoding), what)

    def _splits(self, frame: pl.DataFrame, split: int, faults: Faults) -> np.ndarray:
        """Assigns rows as far as their file or a column decides; the rest is training."""
        splits = np.full(frame.height, split, np.int8)
        declared = self._declaration.split
        if declared.column is None:
            return splits
        text = text_of(frame[declared.column])
        where = f"split: column {declared.column!r}"
        faults.add("split unknown", text.is_null().to_numpy(), lambda row: f"{where} is empty")
        listed = np.zeros(frame.height, bool)
        for name, values in declared.values.items():
            held = as_values(values).hold(frame[declared.column]).to_numpy()
            splits[held] = SPLIT_NAMES.index(name)
            listed |= held
        if "train" in declared.values:
            faults.add(
                "split unknown",
                ~listed & ~text.is_null().to_numpy(),
                lambda row: f"{where} holds {text[row]!r}, which no split lists",
            )
        return splits


def _without_partner(join: DeclaredJoin, cells: Sequence[pl.Series], row: int) -> str:
    """Says of a row that a join has no row for it."""
    return (
        f"{join.part}: {_columns(join.log_key)} {_holds(cells, row)}, which is the "
        f"{' and '.join(join.key)} of no row of {', '.join(join.files)}; declare "
        "`unmatched: missing` to take its columns as missing"
    )


def _no_vector(field: str, cells: pl.Series, length: int, row: int) -> str:
    """Says of a cell that it is no vector."""
    where = f"field {field}: column {cells.name!r}"
    return f"{where} holds {shown(cells[row])}, expected {length} numbers"


def _no_weight(field: str, cells: pl.Series, mark: str, row: int) -> str:
    """Says of a cell that a weight in it is none."""
    where = f"field {field}: column {cells.name!r}"
    return f"{where} holds {cells[row]!r}, expected a number from 0 after each {mark!r}"


def _columns(names: Sequence[str]) -> str:
    return f"column{'s' * (len(names) > 1)} {', '.join(map(repr, names))}"


def _holds(cells: Sequence[pl.Series], row: int) -> str:
    if len(cells) == 1:
        return "is empty" if cells[0][row] is None else f"holds {cells[0][row]!r}"
    return f"hold {', '.join(repr(column[row]) for column in cells)}"
