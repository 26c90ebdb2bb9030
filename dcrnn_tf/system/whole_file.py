"""Files that are complete or absent, whenever the process ends."""

import contextlib
import errno
import os
import pathlib
from collections.abc import Iterator
from typing import IO, Any

PARTIAL_SUFFIX = ".partial"
_SQLITE_FULL = "database or disk is full"


@contextlib.contextmanager
def whole_file(path: str | pathlib.Path, mode: str = "w", **how: Any) -> Iterator[IO]:
    """Opens a file for writing, which gets its name once it is complete and on the disk.

    A file that has the name already stays as it is until then, also where the disk is full.

    Args:
      path: Path of the file; it is written as `PATH.partial`.
      mode: Mode, as `open` takes it.
      **how: Further arguments of `open`; text is UTF-8 by default.
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
    """Adds the file's name to errors of writing that lack it, as most do on a full disk.

    Python's own errors name no file once it is open; those of Polars, TensorFlow and SQLite are of
    other types, and hold words alone.
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
    """Returns the system's number of an error that says that the disk is full; None of others."""
    for number in (errno.ENOSPC, errno.EDQUOT):
        if getattr(error, "errno", None) == number or os.strerror(number) in str(error):
            return number
    return errno.ENOSPC if _SQLITE_FULL in str(error) else None
