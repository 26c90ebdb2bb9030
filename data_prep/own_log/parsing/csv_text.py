"""A CSV file made safe for the parser of Arrow: UTF-8 without NUL, a last line that ends."""

import codecs
import io
import uuid
from typing import BinaryIO

import polars as pl

UNIT = "\x1f"  # the separator that Arrow gets in the place of one of several characters


class CsvText:
    """Reads a file for Arrow: valid UTF-8 without NUL, and one more line at the end.

    Arrow reports a row with a wrong number of cells as text, and fails where it is not UTF-8; and
    it overlooks separators and line ends in the eight bytes after a NUL. So marks, which no file
    holds, replace NUL bytes and bytes that are no text in the file's encoding. The additional line
    is not reported as a row if a quote was left open. Arrow takes separators of one byte: `UNIT`
    replaces other ones, in quotes too, and a mark replaces `UNIT`.

    Args:
      file: File to read.
      separator: Separator of cells.
      cells: Number of the separators of the additional line, more than any row has.
      encoding: Encoding of the file, in which ASCII is ASCII.

    Attributes:
      separator: Separator that Arrow gets.
      mark: Mark that replaces a byte that is no text.
      nul: Mark that replaces a NUL byte.
      end: Beginning of the additional line.
      marked: Whether `mark` has been used.
      has_nul: Whether `nul` has been used.
    """

    def __init__(self, file: BinaryIO, separator: str, cells: int, encoding: str):
        self.mark, self.nul, self.end, self._unit = (uuid.uuid4().hex for _ in range(4))
        self.marked = self.has_nul = False
        self.separator = for_arrow(separator)
        self._replaced = separator.encode() if self.separator != separator else None
        self._waiting = b""  # what may be the beginning of a separator
        self.closed = False  # Arrow asks
        self._file = file
        self._last = f"\n{self.end}{self.separator * cells}\n".encode()
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
        self._ready = b""

    def read(self, size: int) -> bytes:
        """Returns the next bytes, at most `size` of them, and none at the end."""
        while len(self._ready) < size and self._last:
            data = self._file.read(size)
            self._ready += self._separated(self._valid(data), final=not data)
            if not data:
                self._ready += self._last
                self._last = b""
        data, self._ready = self._ready[:size], self._ready[size:]
        return data

    def restored(self, cells: pl.Expr) -> pl.Expr:
        """Returns cells as the file has them, where marks or separators stand for something."""
        if self.has_nul:
            cells = cells.str.replace_all(self.nul, "\0", literal=True)
        if self._replaced is not None:  # a separator in quotes
            cells = cells.str.replace_all(UNIT, self._replaced.decode(), literal=True)
            cells = cells.str.replace_all(self._unit, UNIT, literal=True)
        return cells

    def _separated(self, data: bytes, final: bool) -> bytes:
        """Returns valid data with the separator that Arrow takes."""
        if (separator := self._replaced) is None:
            return data
        data = self._waiting + data.replace(UNIT.encode(), self._unit.encode())
        data = data.replace(separator, UNIT.encode())
        begun = (n for n in range(len(separator) - 1, 0, -1) if data.endswith(separator[:n]))
        kept = 0 if final else next(begun, 0)
        self._waiting = data[len(data) - kept :]
        return data[: len(data) - kept]

    def _valid(self, data: bytes) -> bytes:
        has_nul = b"\0" in data
        if data.isascii() and not has_nul and not self._decoder.getstate()[0]:
            return data
        text = self._decoder.decode(data, final=not data)
        if has_nul:
            self.has_nul = True
            text = text.replace("\0", self.nul)
        try:
            return text.encode()
        except UnicodeEncodeError:
            self.marked = True
            marks = dict.fromkeys(range(0xDC80, 0xDD00), self.mark)
            return text.translate(marks).encode()


def for_arrow(separator: str) -> str:
    """Returns the separator that stands for another one where it has to be of one byte."""
    return separator if len(separator) == 1 and separator.isascii() else UNIT


def text_of(file: BinaryIO, encoding: str) -> io.TextIOWrapper:
    """Returns the text of a file with its line ends; bytes that are no text come as surrogates."""
    if codecs.lookup(encoding).name == "utf-8":
        encoding = "utf-8-sig"
    return io.TextIOWrapper(file, encoding, "surrogateescape", newline="")
