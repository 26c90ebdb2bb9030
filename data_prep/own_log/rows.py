"""The rows of all files of a declaration: checked, labelled and assigned to splits."""

import collections
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from data_prep.own_log.cells import (
    as_values,
    expected_number,
    numbers_of,
    spelled,
    text_of,
    unusable_numbers,
)
from data_prep.own_log.declaration import SPLIT_NAMES, Declaration, DeclaredTask
from data_prep.own_log.declared.joins import REFUSE
from data_prep.own_log.declared.times import TIME
from data_prep.own_log.derived.columns import DeriveColumns
from data_prep.own_log.joined.columns import JoinColumns
from data_prep.own_log.joined.tables import JoinedTable, read_joins
from data_prep.own_log.lists.vectors import shown, vectors_of
from data_prep.own_log.lists.weighted import unusable_weights
from data_prep.own_log.parsing.chunks import Chunk, first_of
from data_prep.own_log.parsing.files import LogFile, open_files
from data_prep.own_log.split_draw import SplitCounts
from data_prep.own_log.weighting.row_weights import read_weights
from data_prep.storage.ahead import ahead
from data_prep.storage.bad_rows import BadRows, Progress
from dcrnn_tf.dataset.encodings import Ids, Vector
from dcrnn_tf.dataset.schema import MULTICLASS, REGRESSION, DatasetError
from dcrnn_tf.dataset.targets import ZERO_INFLATED_LOGNORMAL

ROW = "\nrow"  # the column of frames with each row's number; no declared column is called so
MISSING = -1  # label of a row that lacks one


class LogRows:
    """The usable rows of all files: checked, labelled and assigned to splits, in file order.

    Args:
      declaration: what the files hold.
      data_dir: folder that the declaration's file patterns are relative to.
      seed: Seed of the split.
      max_bad_rows: Number of bad rows that are left out and counted; one more is an error.
      first_rows: Number of rows of each file that are read; all if None.

    Raises:
      DatasetError: a pattern fits no file, or a file cannot be read or lacks a column.
    """

    def __init__(
        self,
        declaration: Declaration,
        data_dir: pathlib.Path,
        seed: int,
        max_bad_rows: int,
        first_rows: int | None = None,
    ):
        self.bad_rows = BadRows(max_bad_rows)
        self._declaration = declaration
        self._seed = seed
        self._draw = None if self.counts_first else SplitCounts(declaration, seed).draw()
        self._max_bad_rows = max_bad_rows
        self._first_rows = first_rows
        self.empty_files: list[str] = []
        self.hidden_files: list[str] = []
        self.files_without_rows: list[str] = []  # as far as read
        self.files: list[tuple[int, LogFile]] = []
        split_of: dict[pathlib.Path, str] = {}
        for split, patterns in declaration.split.files.items():
            files = open_files(data_dir, patterns, declaration.selection)
            self.hidden_files += [path.name for path in files.hidden]
            self.empty_files += [path.name for path in files.empty]
            for path in (*files.empty, *(file.path for file in files.opened)):
                other = split_of.setdefault(path.resolve(), split)
                if other != split:
                    raise DatasetError(f"{path} is a file of {other} and of {split}")
            self.files += [(SPLIT_NAMES.index(split), file) for file in files.opened]
        self.joins = read_joins(declaration.joins, declaration, data_dir, BadRows(max_bad_rows))
        self.hidden_files += [path.name for path in self.joins.hidden]
        self.unmatched: Mapping[str, int] = {}  # by join, as far as read

    @property
    def bytes(self) -> int:
        """Size of all files of the log, which are read several times."""
        return sum(file.bytes for _, file in self.files)

    @property
    def all_files(self) -> list[LogFile]:
        """The files of the log, then those that are joined to it."""
        return [*(file for _, file in self.files), *self.joins.files]

    @property
    def counts_first(self) -> bool:
        """Whether all rows are read once before it is known how they are split."""
        return self._declaration.split.counts_first

    @property
    def ignored_columns(self) -> list[str]:
        """Columns of the files that are neither input nor label, and do not decide the split."""
        names = dict.fromkeys(name for _, file in self.files for name in file.names)
        return [name for name in names if name not in self._declaration.file_columns]

    def read(self, progress: Progress) -> Iterator[tuple[pl.DataFrame, np.ndarray, dict]]:
        """Yields chunk by chunk the declared columns, each row's split and the labels by task.

        Weights of rows are among the labels, by their names in the prepared dataset.

        Every call yields the same rows. Columns that are read as numbers alone are Float64;
        the column `TIME`, where times are declared, has each row's moment, and `ROW` its number.

        Raises:
          DatasetError: there are more bad rows than tolerated.
        """
        if self._draw is None:
            self.count(lambda done: None)
        before = 0
        for frame, splits, labels in ahead(self._rows(progress)):
            self._draw(frame, splits, before)
            if TIME in frame.columns:
                rows = pl.Series(ROW, np.arange(before, before + frame.height))
                frame = frame.with_columns(rows)
            before += frame.height
            yield frame, splits, labels

    def count(self, progress: Progress) -> None:
        """Reads all rows to know their splits, which `read` does by itself if this was not called.

        Raises:
          DatasetError: there are more bad rows than tolerated.
        """
        counts = SplitCounts(self._declaration, self._seed)
        for frame, _, _ in ahead(self._rows(progress)):
            counts.add(frame)
        self._draw = counts.draw()

    def _rows(self, progress: Progress) -> Iterator[tuple[pl.DataFrame, np.ndarray, dict]]:
        """Yields as `read` does, with splits as far as the declaration says them."""
        self.bad_rows = self.joins.bad_rows.copy()
        read = RowReader(self._declaration, self.joins.tables, self._first_rows)
        self.unmatched = read.unmatched
        self.files_without_rows = list(self.empty_files)
        for split, file in self.files:
            rows = 0
            for frame, splits, labels in read(file, split, self.bad_rows, progress):
                rows += frame.height
                yield frame, splits, labels
            if not rows:
                self.files_without_rows.append(file.path.name)


class RowReader:
    """Reads, checks and labels the rows of files, one after the other.

    Args:
      declaration: what the files hold.
      tables: The joined tables.
      first_rows: Number of rows of each file that are read; all if None.

    Attributes:
      unmatched: Number of usable rows without partner, by join, as far as read.
    """

    def __init__(
        self,
        declaration: Declaration,
        tables: Sequence[JoinedTable] = (),
        first_rows: int | None = None,
    ):
        self._declaration = declaration
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
            faults = _Faults(chunk, bad_rows)
            frame, alone = self._join(chunk.frame)
            self._check_partners(frame, alone, faults)
            frame = self._derive(frame)
            frame = pl.DataFrame([frame[name] for name in self._columns])
            frame = self._times(frame, faults)
            self._weights(frame, faults)
            frame = self._numbers(frame, faults)
            labels = self._labels(frame, faults)
            labels |= read_weights(frame, self._declaration.tasks, faults.add)
            splits = self._splits(frame, split, faults)
            good = ~faults.bad
            for join, rows in alone.items():
                self.unmatched[join] += int(np.count_nonzero(rows & good))
            labels = {task: label[good] for task, label in labels.items()}
            yield frame.filter(pl.Series(good)), splits[good], labels

    def _check_partners(
        self, frame: pl.DataFrame, alone: Mapping[str, np.ndarray], faults: "_Faults"
    ) -> None:
        """Refuses rows without partner where the declaration does."""
        for join in self._declaration.joins:
            if join.unmatched == REFUSE:
                cells = frame[join.log_key]
                faults.add(
                    "without partner",
                    alone[join.name],
                    lambda row, join=join, cells=cells: (
                        f"{join.part}: column {join.log_key!r} "
                        + ("is empty" if cells[row] is None else f"holds {cells[row]!r}")
                        + f", which is the {join.key} of no row of {', '.join(join.files)}; "
                        "declare `unmatched: missing` to take its columns as missing"
                    ),
                )

    def _times(self, frame: pl.DataFrame, faults: "_Faults") -> pl.DataFrame:
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

    def _numbers(self, frame: pl.DataFrame, faults: "_Faults") -> pl.DataFrame:
        """Checks the columns of numbers, and parses those of which nothing else is read."""
        parsed = []
        for column, field in self._declaration.number_columns.items():
            cells = frame[column]
            numbers = numbers_of(cells)
            faults.add(
                "not a number",
                unusable_numbers(cells, numbers),
                lambda row, column=column, field=field, cells=cells: (
                    f"field {field}: column {column!r} holds {cells[row]!r}, "
                    + expected_number(cells[row])
                ),
            )
            if column not in self._declaration.text_columns:
                parsed.append(numbers)
        return frame.with_columns(parsed)

    def _weights(self, frame: pl.DataFrame, faults: "_Faults") -> None:
        """Checks vectors, and the weights that lists carry."""
        for field in self._declaration.fields:
            encoding = field.encoding(self._declaration.missing_values)
            if isinstance(encoding, Vector):
                cells, where = frame[field.column], f"field {field.name}: column {field.column!r}"
                faults.add(
                    "not a vector",
                    vectors_of(cells, encoding)[1],
                    lambda row, where=where, cells=cells, length=encoding.length: (
                        f"{where} holds {shown(cells[row])}, expected {length} numbers"
                    ),
                )
            if not isinstance(encoding, Ids) or encoding.weight_mark is None:
                continue
            cells, where = frame[field.column], f"field {field.name}: column {field.column!r}"
            faults.add(
                "not a weight",
                unusable_weights(cells, encoding),
                lambda row, where=where, cells=cells, mark=encoding.weight_mark: (
                    f"{where} holds {cells[row]!r}, expected a number from 0 after each {mark!r}"
                ),
            )

    def _labels(self, frame: pl.DataFrame, faults: "_Faults") -> dict[str, np.ndarray]:
        """Reads the labels; a missing one where the parent is not 1 becomes 0, else -1."""
        labels: dict[str, np.ndarray] = {}
        for task in self._declaration.tasks:
            if task.kind == REGRESSION:
                given = labels.get(task.only_where)
                labels[task.name] = _number_labels(task, frame[task.column], given, faults)
                continue
            if task.kind == MULTICLASS:
                given = labels.get(task.only_where)
                labels[task.name] = _class_labels(task, frame[task.column], given, faults)
                continue
            text = text_of(frame[task.column])
            where = f"task {task.name}: column {task.column!r}"
            missing = text.is_null().to_numpy()
            positive = as_values(task.positive).hold(frame[task.column]).to_numpy()
            asked = np.ones(len(text), bool)
            if task.only_where is not None:
                asked = labels[task.only_where] > 0
            if not task.may_be_missing:
                faults.add(
                    "label missing",
                    missing & asked,
                    lambda row, where=where: f"{where} has no label",
                )
            if task.negative is not None:
                known = positive | as_values(task.negative).hold(frame[task.column]).to_numpy()
                allowed = ", ".join(dict.fromkeys((*task.positive, *task.negative)))
                faults.add(
                    "label not allowed",
                    ~missing & ~known,
                    lambda row, where=where, text=text, allowed=allowed: (
                        f"{where} holds {text[row]!r}, expected one of {allowed}"
                    ),
                )
            faults.add(
                "label without its parent",
                positive & ~asked,
                lambda row, where=where, task=task: (
                    f"{where} is positive where task {task.only_where} is not"
                ),
            )
            labels[task.name] = positive.astype(task.task.column_type)
            if task.may_be_missing:
                labels[task.name][missing & asked] = MISSING
        return labels

    def _splits(self, frame: pl.DataFrame, split: int, faults: "_Faults") -> np.ndarray:
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


def _class_labels(
    task: DeclaredTask, cells: pl.Series, given: np.ndarray | None, faults: "_Faults"
) -> np.ndarray:
    """Returns the classes of a multiclass task as texts; None where it is not defined.

    The arguments are those of `_number_labels`.
    """
    where = f"task {task.name}: column {task.column!r}"
    classes = spelled(text_of(cells))
    missing = classes.is_null().to_numpy()
    asked = np.ones(len(cells), bool) if given is None else given > 0
    if not task.may_be_missing:
        faults.add("label missing", missing & asked, lambda row: f"{where} has no label")
    if task.classes:
        known = classes.is_in(list(task.classes)).fill_null(True).to_numpy()
        faults.add(
            "label not allowed",
            ~known & asked,
            lambda row: f"{where} holds {cells[row]!r}, expected one of {', '.join(task.classes)}",
        )
    return classes.set(pl.Series(~asked), None).to_numpy()


def _number_labels(
    task: DeclaredTask, cells: pl.Series, given: np.ndarray | None, faults: "_Faults"
) -> np.ndarray:
    """Returns the labels of a regression task, float32; NaN where the task is not defined.

    Args:
      task: The task.
      cells: Its column.
      given: Labels of the task on whose positives alone this one is defined; None if on all rows.
      faults: Takes the rows whose label is at fault.
    """
    where = f"task {task.name}: column {task.column!r}"
    numbers = numbers_of(cells)
    missing = cells.is_null().to_numpy()
    asked = np.ones(len(cells), bool) if given is None else given > 0
    labels = numbers.cast(pl.Float32).fill_null(np.nan).to_numpy()
    faults.add(
        "label not a number",
        unusable_numbers(cells, numbers),
        lambda row: f"{where} holds {cells[row]!r}, {expected_number(cells[row])}",
    )
    if not task.may_be_missing:
        faults.add("label missing", missing & asked, lambda row: f"{where} has no label")
    if task.loss == ZERO_INFLATED_LOGNORMAL:
        faults.add(
            "label below 0",
            labels < 0,
            lambda row: f"{where} holds {cells[row]!r}, expected an amount from 0",
        )
    faults.add(
        "label without its parent",
        (labels != 0) & ~missing & ~asked,
        lambda row: f"{where} holds {cells[row]!r} where task {task.only_where} is not positive",
    )
    return np.where(asked, labels, np.float32(np.nan))


class _Faults:
    """What is wrong with the rows of a chunk; a row counts once, under the first reason."""

    def __init__(self, chunk: Chunk, bad_rows: BadRows):
        self.bad = np.zeros(chunk.frame.height, bool)
        self._chunk = chunk
        self._bad_rows = bad_rows

    def add(self, reason: str, rows: np.ndarray, what: Callable[[int], str]) -> None:
        for row in np.flatnonzero(rows & ~self.bad).tolist():
            self._bad_rows.add(reason, lambda row=row: self._chunk.place(row), what(row))
        self.bad |= rows
