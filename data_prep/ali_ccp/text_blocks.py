"""Reads text files in blocks of whole lines, and reads many cells of a block at once.

A cell is given by the positions of its first character and of the one after its last.
"""

import gzip
import os
import pathlib
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np

from dcrnn_tf.dataset.schema import DatasetError

BLOCK_BYTES = 4 << 20
MAX_DIGITS = 16
MAX_NUMBER_CHARACTERS = 32
LARGEST_NUMBER = float(np.finfo(np.float32).max)

_STEP = 1 << 16  # bytes looked at when a line's beginning is sought


def read_blocks(
    path: pathlib.Path, progress: Callable[[int], object], block_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[int, bytes]]:
    """Reads a file, plain or .gz, in blocks of whole lines.

    Args:
      path: the file.
      progress: called with the number of bytes on disk that were read since the last call.
      block_bytes: Approximate size of the text of a block.

    Yields:
      The number of the block's first line, from 1, and the lines, each ending in a line feed.

    Raises:
      DatasetError: the file is empty, is a truncated or damaged .gz, or holds a line longer than
        a block.
    """
    first_line = 1
    rest = b""
    with open(path, "rb") as raw:
        file = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        position = 0
        while True:
            try:
                data = file.read(block_bytes)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                fault = "is truncated" if isinstance(error, EOFError) else f"is damaged ({error})"
                raise DatasetError(
                    f"{path}, after line {first_line + rest.count(10) - 1}: the .gz file {fault}; "
                    "fetch it again"
                ) from None
            progress(raw.tell() - position)
            position = raw.tell()
            if not data:
                break
            data = rest + data
            end = data.rfind(b"\n") + 1
            if not end and len(data) > block_bytes:
                raise _too_long(path, first_line, block_bytes)
            rest = data[end:]
            if end:
                yield first_line, data[:end]
                first_line += int(np.count_nonzero(np.frombuffer(data, np.uint8, end) == ord("\n")))
    if rest:
        yield first_line, rest + b"\n"
    elif first_line == 1:
        raise DatasetError(f"{path} is empty; fetch it again")


def block_count(path: pathlib.Path, block_bytes: int = BLOCK_BYTES) -> int:
    """Returns the number of blocks of a plain file that `read_block` reads."""
    return -(-path.stat().st_size // block_bytes) + 1


def read_block(path: pathlib.Path, number: int, block_bytes: int = BLOCK_BYTES) -> bytes:
    """Reads one block of a plain file without those before it.

    Block n holds the lines that end in the n-th `block_bytes` of the file, counted from 0, the last
    one what follows the last line feed: in order, they are those of `read_blocks` and empty ones.

    Returns:
      The lines, each ending in a line feed.

    Raises:
      DatasetError: the file holds a line longer than a block.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        first = min(number * block_bytes, size)
        begin = _line_begin(file, first, block_bytes)
        if begin is not None:
            file.seek(begin)
            data = file.read(first + block_bytes - begin)
            if number * block_bytes >= size:  # the last line may lack a line feed
                return data + b"\n" if data else b""
            end = data.rfind(b"\n") + 1
            if end or len(data) <= block_bytes:
                return data[:end]
        file.seek(0)
        raise _too_long(path, file.read(first).count(b"\n") + 1, block_bytes)


def _line_begin(file: BinaryIO, position: int, longest: int) -> int | None:
    """Returns where the line of a position begins; None if more than `longest` bytes before."""
    end = position
    while end > 0 and position - end <= longest:
        start = max(0, end - _STEP)
        file.seek(start)
        after_line_feed = file.read(end - start).rfind(b"\n") + 1
        if after_line_feed:
            begin = start + after_line_feed
            return begin if position - begin <= longest else None
        end = start
    return 0 if position - end <= longest else None


def _too_long(path: pathlib.Path, line: int, block_bytes: int) -> DatasetError:
    return DatasetError(
        f"{path}, line {line}: longer than {block_bytes} bytes, this is not a file of Ali-CCP"
    )


def words(data: bytes) -> np.ndarray:
    """`words[i]` is the eight bytes before position i, the last of them the most significant."""
    return np.ndarray(len(data) + 1, "<u8", b"\0" * 8 + data, strides=(1,))


def last_characters(
    words: np.ndarray, end: np.ndarray, length: np.ndarray, zero: int = 0
) -> np.ndarray:
    """The `length` (clipped to 1 .. 8) characters before `end`, others 0.

    Characters are counted from `zero`: with ord("0"), digits become their values.
    """
    shift = (64 - 8 * np.clip(length, 1, 8)).astype(np.uint64)
    return (words[end] ^ np.uint64(zero * 0x0101010101010101)) >> shift << shift


def differs_from_previous(words: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Whether a cell is the first, not empty, or another than the previous line's.

    Cells of more than 16 characters always count as others.
    """
    length = end - begin
    last = last_characters(words, end, length)
    first = np.where(length > 8, last_characters(words, np.maximum(end - 8, 0), length - 8), 0)
    same = (length[1:] == length[:-1]) & (length[1:] <= 16)
    same &= (last[1:] == last[:-1]) & (first[1:] == first[:-1])
    return np.append(np.ones(min(1, len(end)), bool), ~same)


def integers(
    words: np.ndarray, begin: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the whole numbers of cells, `(cells,)` int64, and whether each has 1 to 16 digits."""
    length = end - begin
    values, valid = _joined_digits(last_characters(words, end, length, ord("0")))
    long = np.flatnonzero(length > 8)
    upper = last_characters(words, end[long] - 8, length[long] - 8, ord("0"))
    upper, upper_valid = _joined_digits(upper)
    values[long] += upper * np.uint64(10**8)
    valid[long] &= upper_valid
    return values.astype(np.int64), valid & (length >= 1) & (length <= MAX_DIGITS)


def _joined_digits(digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The number that eight bytes, the first digit lowest, stand for; whether all are digits.

    Neighbouring digits, then pairs, then fours are joined inside the word: three products instead
    of a loop over the characters.
    """

    def u(number: int) -> np.uint64:
        return np.uint64(number)

    above_nine = ((digits + u(0x7676767676767676)) | digits) & u(0x8080808080808080)
    digits = digits * u(10 << 8 | 1) >> u(8) & u(0x00FF00FF00FF00FF)
    digits = digits * u(100 << 16 | 1) >> u(16) & u(0x0000FFFF0000FFFF)
    return digits * u(10000 << 32 | 1) >> u(32), above_nine == 0


def numbers(data: bytes, begin: np.ndarray, end: np.ndarray) -> np.ndarray | None:
    """Returns the numbers of cells, `(cells,)` float32; None if any cell is not a number."""
    length = end - begin
    width = int(length.max(initial=1))
    if width > MAX_NUMBER_CHARACTERS:
        return None
    text = np.frombuffer(data + b"\0" * width, np.uint8)
    characters = np.lib.stride_tricks.sliding_window_view(text, width)[begin]
    characters = np.where(np.arange(width) < length[:, None], characters, 0).astype(np.uint8)
    if np.any(characters == ord("_")):  # which NumPy, as Python does, takes between two digits
        return None
    try:
        numbers = characters.view(f"S{width}")[:, 0].astype(np.float64)
    except ValueError:
        return None
    return numbers.astype(np.float32) if np.all(np.abs(numbers) <= LARGEST_NUMBER) else None
