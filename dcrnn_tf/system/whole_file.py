"""Files that are whole or not there, whenever the process ends."""

import contextlib
import errno
import os
import pathlib
from collections.abc import Iterator
from typing import IO

PARTIAL_SUFFIX = ".partial"


@contextlib.contextmanager
def whole_file(path: str | pathlib.Path, mode: str = "w", **how: object) -> Iterator[IO]:
    """Opens a file to be written, which gets its name once it is whole and on the disk.

    A file that has the name already stays as it is until then, also where the disk is full.

    Args:
      path: of the file; it is written as `PATH.partial`.
      mode: as `open` takes it.
      **how: as `open` takes it; text is UTF-8.
    """
    path = pathlib.Path(path)
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    if "b" not in mode:
        how = {"encoding": "utf-8"} | how
    try:
        with naming_file(path), open(partial, mode, **how) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    partial.rename(path)


@contextlib.contextmanager
def naming_file(path: str | pathlib.Path) -> Iterator[None]:
    """Names what could not be written where the error does not: on a full disk, hardly any does.

    Python's own errors say no name once a file is open, those of Polars and TensorFlow are of other
    types, with words alone.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:
            _name_full_disk(error, path)
        elif error.filename is None:
            error.filename = str(path)
        raise
    except Exception as error:
        _name_full_disk(error, path)
        raise


def _name_full_disk(error: Exception, path: str | pathlib.Path) -> None:
    if (number := full_disk(error)) is not None:
        raise OSError(number, os.strerror(number), str(path)) from error


def full_disk(error: Exception) -> int | None:
    """The system's number of an error that says that there is no room, whoever words it."""
    for number in (errno.ENOSPC, errno.EDQUOT):
        if getattr(error, "errno", None) == number or os.strerror(number) in str(error):
            return number
    return None
