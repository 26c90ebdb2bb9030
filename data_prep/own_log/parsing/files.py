"""The files of an own log: those that the declaration names, and what each of them is.

All kinds give chunks of a few thousand rows as Polars frames, text cells stripped and missing ones
null. Rows that cannot be read at all go to a `BadRows` and are left out.
"""

import pathlib
from collections.abc import Sequence

from data_prep.own_log.declaration import Declaration, check_columns
from data_prep.own_log.parsing.csv_file import CsvFile
from data_prep.own_log.parsing.parquet_file import ParquetFile
from dcrnn_tf.dataset.schema import DatasetError

LogFile = CsvFile | ParquetFile


def find_files(data_dir: pathlib.Path, patterns: Sequence[str]) -> list[pathlib.Path]:
    """Files that fit the patterns, in sorted order, each once; a name also fits with `.gz`."""
    paths: dict[pathlib.Path, pathlib.Path] = {}  # by what they lead to
    for pattern in patterns:
        try:
            found, packed = (_matches(data_dir, pattern + end) for end in ("", ".gz"))
        except (NotImplementedError, ValueError, RecursionError):
            raise DatasetError(
                f"files: {pattern!r} is no file name or pattern relative to --raw_dir"
            ) from None
        if not found or set(pattern) & set("*?"):  # a name is one file, the plain one if there
            found |= packed
        found = sorted(path for path in found if path.is_file())
        if not found:
            raise DatasetError(f"{data_dir} holds no file {pattern}; say where with --raw_dir")
        for path in found:
            if path.with_name(path.name + ".gz") in found:
                raise DatasetError(f"there are both {path} and {path.name}.gz; remove one of them")
            paths.setdefault(path.resolve(), path)
    return list(paths.values())


def _matches(folder: pathlib.Path, pattern: str) -> set[pathlib.Path]:
    """Files that fit a pattern, or the one that has it as its name, such as `clicks [1].csv`."""
    matches, named = set(folder.glob(pattern)), folder / pattern
    return matches if named in matches or not named.is_file() else {named}


def open_file(path: pathlib.Path, declaration: Declaration) -> LogFile:
    """Opens a file, Parquet if its name says so and CSV else, and checks its columns.

    Raises:
      DatasetError: it cannot be read, is empty or lacks a declared column.
    """
    file = (ParquetFile if path.suffix in (".parquet", ".pq") else CsvFile)(path, declaration)
    check_columns(declaration, file.names, str(path))
    return file
