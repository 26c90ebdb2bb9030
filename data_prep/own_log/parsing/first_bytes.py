"""What a file is by its first bytes, whatever its name."""

import codecs
import gzip
import json
import re
from collections.abc import Callable
from typing import Any, BinaryIO

import pyarrow as pa

from data_prep.own_log.parsing.chunks import reading
from data_prep.own_log.parsing.remote import RawPath
from dcrnn_tf.dataset.schema import DatasetError

PARQUET, CSV, JSON_LINES = "Parquet", "CSV", "JSON lines"
_FIRST = 512  # bytes
_FIRST_LINE = 1 << 16  # bytes
_PARQUET_NAMES = (".parquet", ".pq")
_OBJECT = re.compile(rb'(?:\xef\xbb\xbf)?\s*(\{\s*(?:"(?:[^"\\]|\\.)*"\s*:|\}))')
_ARRAY = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*\{")

# Python's own readers of bzip2 and xz take what follows a damaged part for no part of the file.
_PACKINGS: tuple[tuple[bytes, str, Callable[[BinaryIO], Any]], ...] = (
    (b"\x1f\x8b", "gzip", lambda raw: gzip.GzipFile(fileobj=raw)),
    (b"BZh", "bzip2", lambda raw: pa.CompressedInputStream(raw, "bz2")),
    (b"\x28\xb5\x2f\xfd", "zstd", lambda raw: pa.CompressedInputStream(raw, "zstd")),
    (b"\x04\x22\x4d\x18", "lz4", lambda raw: pa.CompressedInputStream(raw, "lz4")),
)
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90")
_UNREAD = (  # first bytes, what the file is, and what to do
    (b"PK\x03\x04", "a zip archive", "unpack it"),
    (b"PK\x05\x06", "an empty zip archive", "unpack another one"),
    (b"\xfd7zXZ\0", "packed with xz", "unpack it, or pack it with gzip or zstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (b"\xd0\xcf\x11\xe0", "a workbook of Excel", "save its sheet as CSV"),
    (b"ARROW1", "an Arrow (Feather) file", "write it as Parquet"),
    (b"FEA1", "a Feather file", "write it as Parquet"),
    (b"Obj\x01", "an Avro file", "write it as Parquet"),
    (b"\x89HDF", "an HDF5 file", "write it as Parquet"),
    (b"SQLite format 3\0", "an SQLite database", "write its table as CSV or Parquet"),
    (b"\x80\x04\x95", "a pickle", "write it as Parquet"),
    (b"\x80\x05\x95", "a pickle", "write it as Parquet"),
    (b"PARE", "an encrypted Parquet file", "write it without encryption"),
    (b"\xff\xfe\0\0", "text in UTF-32", "save it as UTF-8"),
    (b"\0\0\xfe\xff", "text in UTF-32", "save it as UTF-8"),
    (codecs.BOM_UTF16_LE, "text in UTF-16", "save it as UTF-8"),
    (codecs.BOM_UTF16_BE, "text in UTF-16", "save it as UTF-8"),
)


def unpacked(raw: BinaryIO) -> BinaryIO:
    """Returns the content of an open file, which is at its beginning, without its packing."""
    first = raw.read(_FIRST)
    raw.seek(0)
    packing = _packing(first)
    return raw if packing is None else packing[1](raw)


def kind_of(path: RawPath) -> str:
    """Returns `PARQUET`, `JSON_LINES` or `CSV`, the last of any other text, packed or not.

    Raises:
      DatasetError: It is a file of another kind, or cannot be read.
    """
    with reading(path), path.open("rb") as raw:
        first = raw.read(_FIRST)
        if _is_parquet(first):
            return PARQUET
        packing = _packing(first)
        if packing is None:
            text = raw
        else:
            raw.seek(0)
            text = unpacked(raw)
            first = text.read(_FIRST)
            if _is_parquet(first):
                raise DatasetError(f"{path} is a Parquet file packed with {packing[0]}; unpack it")
            if (inner := _packing(first)) is not None:
                raise DatasetError(
                    f"{path} is packed twice, with {inner[0]} and {packing[0]}; unpack it once"
                )
        line = first + text.read(_FIRST_LINE) if _OBJECT.match(first) else b""
    if (unread := _unread(first)) is not None:
        what, advice = unread
        raise DatasetError(f"{path} is {what}, expected CSV text, JSON lines or Parquet; {advice}")
    if path.suffix.lower() in _PARQUET_NAMES and not _is_text(first):
        raise DatasetError(f"{path} does not begin as a Parquet file does; fetch it again")
    return JSON_LINES if line and not _goes_on(line) else CSV


def check_text(path: RawPath) -> None:
    """Checks that a file begins like text, or like gzip if its name says so.

    Raises:
      DatasetError: It begins like a file of another kind.
    """
    with reading(path), path.open("rb") as raw:
        first = raw.read(_FIRST)
    packing, unread = _packing(first), _unread(first)
    if _is_parquet(first):
        unread = "a Parquet file", "write it as text"
    elif packing is not None and (packing[0] != "gzip" or path.suffix != ".gz"):
        unread = f"packed with {packing[0]}", "unpack it"
    if unread is not None:
        what, advice = unread
        raise DatasetError(f"{path} is {what}, expected text; {advice}")


def _packing(first: bytes) -> tuple[str, Callable[[BinaryIO], Any]] | None:
    for magic, name, opener in _PACKINGS:
        # Text may begin like bzip2, but not go on like it, with a block or the end.
        if first.startswith(magic) and (name != "bzip2" or first[4:10] in _BZIP2_BLOCKS):
            return name, opener
    return None


def _is_parquet(first: bytes) -> bool:
    """Whether a file is Parquet; a column of a CSV file may be named PAR1 as well."""
    return first.startswith(b"PAR1") and not 32 <= (first + b"\0")[4] < 127


def _goes_on(text: bytes) -> bool:
    """Whether the line in which a JSON object ends goes on, as a cell of a CSV file does."""
    match = _OBJECT.match(text)
    if match is None:
        return False
    text = text[match.start(1) :]
    try:
        _, end = json.JSONDecoder().raw_decode(text.decode(errors="replace"))
    except (ValueError, RecursionError):
        return False  # damaged, or longer
    return bool(text.decode(errors="replace")[end:].split("\n", 1)[0].strip())


def _unread(first: bytes) -> tuple[str, str] | None:
    if first.startswith(b"PK") and b"[Content_Types].xml" in first:
        return "a workbook of Excel or the like", "save its sheet as CSV"
    if first[257:262] == b"ustar":
        return "a tar archive", "unpack it"
    for magic, what, advice in _UNREAD:
        if first.startswith(magic):
            return what, advice
    if _ARRAY.match(first):
        return "a JSON array", "write one object a line"
    even, odd = first[0:16:2], first[1:16:2]
    if len(first) >= 8 and any(even) != any(odd):  # ASCII of two bytes a character
        return "text in UTF-16", "save it as UTF-8"
    return None


def _is_text(first: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(first)
    except UnicodeDecodeError:
        return False
    return b"\0" not in first
