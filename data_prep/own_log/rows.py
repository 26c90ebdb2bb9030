"""The rows of all files of a declaration: checked, labelled and assigned to splits."""

import hashlib
import pathlib
from collections.abc import Callable, Iterator

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
from data_prep.own_log.declaration import SPLIT_NAMES, Declaration, DeclaredSplit
from data_prep.own_log.parsing.chunks import Chunk, EmptyFileError
from data_prep.own_log.parsing.files import LogFile, find_files, open_file
from data_prep.storage.bad_rows import BadRows, Progress
from dcrnn_tf.dataset.schema import DatasetError

TRAIN, VALIDATION, TEST = range(3)  # positions in SPLIT_NAMES


class LogRows:
    """The usable rows of all files: checked, labelled and assigned to splits, in file order.

    Args:
      declaration: what the files hold.
      data_dir: folder that the declaration's file patterns are relative to.
      seed: Seed of the split.
      max_bad_rows: Number of bad rows that are left out and counted; one more is an error.

    Raises:
      DatasetError: a pattern fits no file, or a file cannot be read or lacks a column.
    """

    def __init__(
        self, declaration: Declaration, data_dir: pathlib.Path, seed: int, max_bad_rows: int
    ):
        self.bad_rows = BadRows(max_bad_rows)
        self._declaration = declaration
        self._seed = seed
        self._max_bad_rows = max_bad_rows
        self.empty_files: list[str] = []
        self.hidden_files: list[str] = []
        self.files_without_rows: list[str] = []  # as far as read
        self.files: list[tuple[int, LogFile]] = []
        split_of: dict[pathlib.Path, str] = {}
        for split, patterns in declaration.split.files.items():
            paths, hidden = find_files(data_dir, patterns)
            self.hidden_files += [path.name for path in hidden]
            empty = []
            for path in paths:
                other = split_of.setdefault(path.resolve(), split)
                if other != split:
                    raise DatasetError(f"{path} is a file of {other} and of {split}")
                try:
                    self.files.append((SPLIT_NAMES.index(split), open_file(path, declaration)))
                except EmptyFileError:
                    empty.append(path)
            if len(empty) == len(paths):
                raise DatasetError(f"{empty[0]} is empty")
            self.empty_files += [path.name for path in empty]

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for _, file in self.files)

    @property
    def ignored_columns(self) -> list[str]:
        """Columns of the files that are neither input nor label, and do not decide the split."""
        names = dict.fromkeys(name for _, file in self.files for name in file.names)
        return [name for name in names if name not in self._declaration.columns]

    def read(self, progress: Progress) -> Iterator[tuple[pl.DataFrame, np.ndarray, dict]]:
        """Yields chunk by chunk the declared columns, each row's split and the labels by task.

        Every call yields the same rows. Columns that are read as numbers alone are Float64.

        Raises:
          DatasetError: there are more bad rows than tolerated.
        """
        self.bad_rows = BadRows(self._max_bad_rows)
        read = RowReader(self._declaration)
        drawn = 0
        self.files_without_rows = list(self.empty_files)
        for split, file in self.files:
            before = drawn
            for frame, splits, labels in read(file, split, self.bad_rows, progress):
                draw_splits(frame, splits, self._declaration.split, self._seed, drawn)
                drawn += frame.height
                yield frame, splits, labels
            if drawn == before:
                self.files_without_rows.append(file.path.name)


class RowReader:
    """Reads, checks and labels the rows of one file."""

    def __init__(self, declaration: Declaration):
        self._declaration = declaration

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
        for chunk in file.chunks(bad_rows, progress):
            faults = _Faults(chunk, bad_rows)
            frame = self._numbers(chunk.frame, faults)
            labels = self._labels(frame, faults)
            splits = self._splits(frame, split, faults)
            good = ~faults.bad
            labels = {task: label[good] for task, label in labels.items()}
            yield frame.filter(pl.Series(good)), splits[good], labels

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

    def _labels(self, frame: pl.DataFrame, faults: "_Faults") -> dict[str, np.ndarray]:
        """Reads the labels; a missing one where the parent is 0 becomes 0."""
        labels: dict[str, np.ndarray] = {}
        for task in self._declaration.tasks:
            text = text_of(frame[task.column])
            where = f"task {task.name}: column {task.column!r}"
            missing = text.is_null().to_numpy()
            positive = as_values(task.positive).hold(frame[task.column]).to_numpy()
            asked = np.ones(len(text), bool)
            if task.only_where is not None:
                asked = labels[task.only_where] > 0
            faults.add(
                "label missing", missing & asked, lambda row, where=where: f"{where} has no label"
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
            labels[task.name] = positive.astype(np.uint8)
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


def draw_splits(
    frame: pl.DataFrame, splits: np.ndarray, declared: DeclaredSplit, seed: int, drawn: int
) -> None:
    """Draws test and validation rows from the training rows of a chunk, in place.

    Args:
      frame: the rows.
      splits: theirs, `(rows,)`; training rows among them become test and validation rows.
      declared: how rows are split.
      seed: Seed of the draw.
      drawn: rows of the chunks before.
    """
    if declared.by == "group":
        groups, of_row = np.unique(
            text_of(frame[declared.column]).to_numpy().astype(object), return_inverse=True
        )
        groups = spelled(pl.Series(groups, dtype=pl.String))
        key = seed.to_bytes(8, "little")
        digests = [hashlib.blake2b(g.encode(), digest_size=16, key=key) for g in groups]
        numbers = np.frombuffer(b"".join(d.digest() for d in digests), np.uint64)
        numbers = (numbers.reshape(-1, 2) / 2.0**64)[of_row]
    else:
        random = np.random.default_rng([seed, 0])
        random.bit_generator.advance(2 * drawn)  # each number is one step of the generator
        numbers = random.random((frame.height, 2))
    train = splits == TRAIN
    splits[train & (numbers[:, 1] < declared.validation_fraction)] = VALIDATION
    splits[train & (numbers[:, 0] < declared.test_fraction)] = TEST


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
