"""The files of an own log: those that the declaration names, and what each of them is.

All kinds give chunks of a few thousand rows as Polars frames, text cells stripped and missing ones
null. Rows that cannot be read at all go to a `BadRows` and are left out.
"""

import dataclasses
import fnmatch
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import unquote

import polars as pl

from data_prep.own_log.cells import clean
from data_prep.own_log.declared.options import Selection
from data_prep.own_log.parsing.chunks import Chunk, EmptyFileError
from data_prep.own_log.parsing.csv_file import CsvFile
from data_prep.own_log.parsing.first_bytes import CSV, JSON_LINES, PARQUET, kind_of
from data_prep.own_log.parsing.json_lines import JsonLinesFile
from data_prep.own_log.parsing.parquet_file import ParquetFile
from data_prep.own_log.parsing.remote import RawPath, in_order, parts_below
from data_prep.storage.bad_rows import BadRows, Progress
from dcrnn_tf.dataset.schema import DatasetError

_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"  # as Hive and Spark name the folder of missing values
_CONTENTS: Mapping[str, type[CsvFile] | type[ParquetFile] | type[JsonLinesFile]]
_CONTENTS = {CSV: CsvFile, PARQUET: ParquetFile, JSON_LINES: JsonLinesFile}


class LogFile:
    """A file of a log; `names` are its columns, those that its folders give among them.

    A folder such as `day=2026-11-01` gives the column `day` to files that have none of this name.

    Args:
      path: Path of the file.
      selection: what is read of it.
      partitions: Values of the columns that its folders give, None for a missing one.

    Raises:
      DatasetError: It cannot be read, is empty or lacks a column.
    """

    def __init__(
        self,
        path: RawPath,
        selection: Selection,
        partitions: Mapping[str, str | None] | None = None,
    ):
        self.path = path
        self.partitions = dict(partitions or {})
        self.kind = kind_of(path)
        own_selection = dataclasses.replace(selection, elsewhere=self.partitions)
        self._content = _CONTENTS[self.kind](path, own_selection)
        self.bytes = self._content.bytes
        own = self._content.names
        self.names = (*own, *(name for name in self.partitions if name not in own))
        selection.check(self.names, str(path))
        if selection.columns and not set(selection.columns) & set(own):
            raise DatasetError(
                f"{path}: its folders give all columns that are read, expected one of its own"
            )
        missing = selection.options.missing_values
        self._given = [
            clean(pl.Series(name, [value], pl.String), missing)
            for name, value in self.partitions.items()
            if name in selection.columns and name not in own
        ]
        self._columns = list(selection.columns)

    def chunks(self, bad_rows: BadRows, progress: Progress) -> Iterator[Chunk]:
        """Yields the rows that can be read at all; the others go to `bad_rows`.

        Raises:
          DatasetError: the file is damaged, or has more bad rows than tolerated.
        """
        for chunk in self._content.chunks(bad_rows, progress):
            rows = chunk.frame.height
            given = [column.new_from_index(0, rows) for column in self._given]
            yield Chunk(chunk.frame.with_columns(given).select(self._columns), chunk.place)


def partitions_of(path: RawPath, data_dir: RawPath) -> dict[str, str | None]:
    """Returns the columns that folders such as `day=2026-11-01` below `data_dir` give a file."""
    folders = parts_below(path, data_dir)[:-1]
    pairs = [part.split("=", 1) for part in folders if "=" in part[1:]]
    values = {unquote(name): unquote(value) for name, value in pairs}
    return {name: None if value == _NO_VALUE else value for name, value in values.items()}


@dataclasses.dataclass(frozen=True)
class Files:
    """The files that patterns name.

    Attributes:
      opened: the files that hold something, in the order of the patterns and of their names.
      empty: Paths of the files without a line.
      hidden: Paths of hidden files that were passed over.
    """

    opened: Sequence[LogFile]
    empty: Sequence[RawPath]
    hidden: Sequence[RawPath]


def open_files(data_dir: RawPath, patterns: Sequence[str], selection: Selection) -> Files:
    """Opens the files that fit patterns.

    Args:
      data_dir: Folder that the patterns are relative to, on this machine or a remote one.
      patterns: File names, or patterns with `*` and `?`.
      selection: what is read of them.

    Raises:
      DatasetError: A pattern fits no file, all files are empty, or one cannot be read or lacks a
        column.
    """
    paths, hidden = find_files(data_dir, patterns)
    opened, empty = [], []
    for path in paths:
        try:
            opened.append(LogFile(path, selection, partitions_of(path, data_dir)))
        except EmptyFileError:
            empty.append(path)
    if not opened:
        raise DatasetError(f"{empty[0]} is empty")
    return Files(opened, empty, hidden)


def find_files(data_dir: RawPath, patterns: Sequence[str]) -> tuple[list[RawPath], list[RawPath]]:
    """Returns the files that fit patterns, each once, and hidden ones that are passed over.

    A name also fits with `.gz` at its end, and the name of a folder stands for all files below it.
    Hidden files begin with `.` or `_`, or lie in folders that do; they fit only what begins in the
    same way.

    Raises:
      DatasetError: A pattern fits no file, or a file is there packed and not packed.
    """
    paths: dict[RawPath, RawPath] = {}  # by what they lead to
    passed_over: set[RawPath] = set()
    found: set[RawPath]
    packed: set[RawPath]
    for pattern in patterns:
        try:
            if _is_folder(data_dir, pattern):
                found, packed = set((data_dir / pattern).rglob("*")), set()
            else:
                found, packed = (_matches(data_dir, pattern + end) for end in ("", ".gz"))
        except (NotImplementedError, ValueError, RecursionError):
            raise DatasetError(
                f"files: {pattern!r} is no file name or pattern relative to --raw_dir"
            ) from None
        if not found or set(pattern) & set("*?"):  # a name is one file, the plain one if there
            found |= packed
        found = {path for path in found if path.is_file()}
        hidden = {path for path in found if _is_hidden(parts_below(path, data_dir), pattern)}
        if not found - hidden:
            only = f" but hidden ones such as {in_order(hidden)[0].name}" if hidden else ""
            raise DatasetError(
                f"{data_dir} holds no file {pattern}{only}; say where with --raw_dir"
            )
        passed_over |= hidden
        for path in in_order(found - hidden):
            if path.with_name(path.name + ".gz") in found:
                raise DatasetError(f"there are both {path} and {path.name}.gz; remove one of them")
            paths.setdefault(path.resolve(), path)
    return list(paths.values()), in_order(passed_over)


def open_csv(path: RawPath, selection: Selection) -> LogFile:
    """Opens a CSV file and checks its columns.

    Raises:
      DatasetError: It cannot be read, is no CSV file, is empty or lacks a declared column.
    """
    if (kind := kind_of(path)) != CSV:
        raise DatasetError(f"{path} is a {kind} file, expected CSV text")
    return LogFile(path, selection)


def _is_folder(data_dir: RawPath, pattern: str) -> bool:
    """Whether a pattern names a folder in `data_dir`."""
    path = pathlib.PurePath(pattern)
    return not path.is_absolute() and ".." not in path.parts and (data_dir / pattern).is_dir()


def _matches(folder: RawPath, pattern: str) -> set[RawPath]:
    """Files that fit a pattern, or the one that has it as its name, such as `clicks [1].csv`."""
    matches: set[RawPath] = set(folder.glob(pattern))
    named = folder / pattern
    return matches if named in matches or not named.is_file() else {named}


def _is_hidden(parts: Sequence[str], pattern: str) -> bool:
    """Whether a part of a path is hidden, and no part of the pattern begins in the same way."""
    written = [part for part in pathlib.PurePath(pattern).parts if part[0] in "._"]
    fitting = [part + end for part in written for end in ("", ".gz")]
    return any(
        part[0] in "._"
        and part not in (".", "..", *fitting)
        and not any(fnmatch.fnmatchcase(part, one) for one in fitting)
        for part in parts
    )
