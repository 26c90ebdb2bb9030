"""The rows of all files of a declaration: checked, labelled and assigned to splits."""

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from data_prep.own_log.declaration import SPLIT_NAMES, Declaration
from data_prep.own_log.declared.times import TIME
from data_prep.own_log.joined.tables import read_joins
from data_prep.own_log.parsing.files import LogFile, open_files
from data_prep.own_log.parsing.remote import RawPath
from data_prep.own_log.rows.row_reader import RowReader
from data_prep.own_log.split_draw import SplitCounts, SplitDraw
from data_prep.storage.ahead import ahead
from data_prep.storage.bad_rows import BadRows, Progress
from dcrnn_tf.dataset.schema import DatasetError

ROW = "\nrow"  # the column of frames with each row's number; no declared column is called so


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
        data_dir: RawPath,
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
        split_of: dict[RawPath, str] = {}
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
        draw = self._draw or self.count(lambda done: None)
        before = 0
        for frame, splits, labels in ahead(self._rows(progress)):
            draw(frame, splits, before)
            if TIME in frame.columns:
                rows = pl.Series(ROW, np.arange(before, before + frame.height))
                frame = frame.with_columns(rows)
            before += frame.height
            yield frame, splits, labels

    def count(self, progress: Progress) -> SplitDraw:
        """Reads all rows to know their splits, which `read` does by itself if this was not called.

        Raises:
          DatasetError: there are more bad rows than tolerated.
        """
        counts = SplitCounts(self._declaration, self._seed)
        for frame, _, _ in ahead(self._rows(progress)):
            counts.add(frame)
        self._draw = counts.draw()
        return self._draw

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
