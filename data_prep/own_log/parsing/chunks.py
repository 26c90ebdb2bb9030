"""Rows of a file, and what goes wrong in reading them."""

import csv
import dataclasses
import zlib
from collections.abc import Callable, Iterable, Iterator

import polars as pl
import pyarrow as pa

from data_prep.own_log.parsing.remote import RawPath, RemotePath
from dcrnn_tf.dataset.schema import DatasetError


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Rows of one file.

    Attributes:
      frame: the declared columns; text, or numbers as Parquet has them.
      place: says where the row of a given position in `frame` is, for messages.
    """

    frame: pl.DataFrame
    place: Callable[[int], str]


def first_of(chunks: Iterable[Chunk], rows: int | None) -> Iterator[Chunk]:
    """Yields the first rows of a file, all if `rows` is None."""
    for chunk in chunks:
        if rows is None:
            yield chunk
            continue
        yield dataclasses.replace(chunk, frame=chunk.frame.head(rows))
        rows -= chunk.frame.height
        if rows <= 0:
            return


def not_text(encoding: str) -> tuple[str, str]:
    """The reason of bad rows with bytes that are no text in an encoding, and the sentence."""
    return f"not {encoding}", f"a cell holds bytes that are not {encoding}"


class EmptyFileError(DatasetError):
    """A file without a line."""


class reading:
    """Turns what goes wrong in reading a file into one sentence."""

    def __init__(self, path: RawPath):
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, error_type, error, traceback) -> None:
        if isinstance(error, EOFError):
            raise DatasetError(
                f"{self._path} is cut off: its compressed data ends early; fetch it again"
            ) from None
        kinds: tuple[type[BaseException], ...]
        kinds = (OSError, zlib.error, pa.ArrowException, csv.Error, UnicodeDecodeError)
        if isinstance(self._path, RemotePath) and not isinstance(error, DatasetError):
            kinds = (Exception,)  # each remote file system has exceptions of its own
        if isinstance(error, kinds):
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise DatasetError(f"{self._path} cannot be read ({reason}); fetch it again") from None
