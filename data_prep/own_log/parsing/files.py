"""The files of an own log: those that the declaration names, and what each of them is.

All kinds give chunks of a few thousand rows as Polars frames, text cells stripped and missing ones
null. Rows that cannot be read at all go to a `BadRows` and are left out.
"""

import dataclasses
import fnmatch
import pathlib
from collections.abc import Sequence

from data_prep.own_log.declared.options import Selection
from data_prep.own_log.parsing.chunks import EmptyFileError
from data_prep.own_log.parsing.csv_file import CsvFile
from data_prep.own_log.parsing.first_bytes import PARQUET, kind_of
from data_prep.own_log.parsing.parquet_file import ParquetFile
from dcrnn_tf.dataset.schema import DatasetError

LogFile = CsvFile | ParquetFile


@dataclasses.dataclass(frozen=True)
class Files:
    """The files that patterns name.

    Attributes:
      opened: the files that hold something, in the order of the patterns and of their names.
      empty: Paths of the files without a line.
      hidden: Paths of hidden files that were passed over.
    """

    opened: Sequence[LogFile]
    empty: Sequence[pathlib.Path]
    hidden: Sequence[pathlib.Path]


def open_files(data_dir: pathlib.Path, patterns: Sequence[str], selection: Selection) -> Files:
    """Opens the files that fit patterns.

    Args:
      data_dir: Folder that the patterns are relative to.
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
            opened.append(open_file(path, selection))
        except EmptyFileError:
            empty.append(path)
    if not opened:
        raise DatasetError(f"{empty[0]} is empty")
    return Files(opened, empty, hidden)


def find_files(
    data_dir: pathlib.Path, patterns: Sequence[str]
) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Returns the files that fit patterns, each once, and hidden ones that are passed over.

    A name also fits with `.gz` at its end. Hidden files begin with `.` or `_`, or lie in folders
    that do; they fit only what begins in the same way.

    Raises:
      DatasetError: A pattern fits no file, or a file is there packed and not packed.
    """
    paths: dict[pathlib.Path, pathlib.Path] = {}  # by what they lead to
    passed_over: set[pathlib.Path] = set()
    for pattern in patterns:
        try:
            found, packed = (_matches(data_dir, pattern + end) for end in ("", ".gz"))
        except (NotImplementedError, ValueError, RecursionError):
            raise DatasetError(
                f"files: {pattern!r} is no file name or pattern relative to --raw_dir"
            ) from None
        if not found or set(pattern) & set("*?"):  # a name is one file, the plain one if there
            found |= packed
        found = {path for path in found if path.is_file()}
        hidden = {path for path in found if _is_hidden(path.relative_to(data_dir), pattern)}
        if not found - hidden:
            only = f" but hidden ones such as {min(hidden).name}" if hidden else ""
            raise DatasetError(
                f"{data_dir} holds no file {pattern}{only}; say where with --raw_dir"
            )
        passed_over |= hidden
        for path in sorted(found - hidden):
            if path.with_name(path.name + ".gz") in found:
                raise DatasetError(f"there are both {path} and {path.name}.gz; remove one of them")
            paths.setdefault(path.resolve(), path)
    return list(paths.values()), sorted(passed_over)


def open_file(path: pathlib.Path, selection: Selection) -> LogFile:
    """Opens a file, of whose kind its first bytes speak, and checks its columns.

    Raises:
      DatasetError: It cannot be read, is empty or lacks a declared column.
    """
    file = (ParquetFile if kind_of(path) == PARQUET else CsvFile)(path, selection)
    selection.check(file.names, str(path))
    return file


def open_csv(path: pathlib.Path, selection: Selection) -> CsvFile:
    """Opens a CSV file and checks its columns.

    Raises:
      DatasetError: It cannot be read, is no CSV file, is empty or lacks a declared column.
    """
    file = open_file(path, selection)
    if not isinstance(file, CsvFile):
        raise DatasetError(f"{path} is a Parquet file, expected CSV text")
    return file


def _matches(folder: pathlib.Path, pattern: str) -> set[pathlib.Path]:
    """Files that fit a pattern, or the one that has it as its name, such as `clicks [1].csv`."""
    matches, named = set(folder.glob(pattern)), folder / pattern
    return matches if named in matches or not named.is_file() else {named}


def _is_hidden(path: pathlib.Path, pattern: str) -> bool:
    """Whether a part of a path is hidden, and no part of the pattern begins in the same way."""
    written = [part for part in pathlib.PurePath(pattern).parts if part[0] in "._"]
    fitting = [part + end for part in written for end in ("", ".gz")]
    return any(
        part[0] in "._"
        and part not in (".", "..", *fitting)
        and not any(fnmatch.fnmatchcase(part, one) for one in fitting)
        for part in path.parts
    )
