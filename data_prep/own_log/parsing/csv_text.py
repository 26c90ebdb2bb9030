"""A CSV file made safe for the parser of Arrow: UTF-8 without NUL, a last line that ends."""

import codecs
import io
import uuid
from typing import BinaryIO


class CsvText:
    """Reads a file for Arrow: valid UTF-8 without NUL, and one more line at the end.

    Arrow reports a row with a wrong number of cells as text, and fails where it is not UTF-8; and
    it overlooks separators and line ends in the eight bytes after a NUL. So marks, which no file
    holds, replace NUL bytes and bytes that are no text in the file's encoding. The additional line
    is not reported as a row if a quote was left open.

    Args:
      file: File to read.
      separators: Separators of the additional line, more than any row has.
      encoding: Encoding of the file, in which ASCII is ASCII.

    Attributes:
      mark: Mark that replaces a byte that is no text.
      nul: Mark that replaces a NUL byte.
      end: Beginning of the additional line.
      marked: Whether `mark` has been used.
      has_nul: Whether `nul` has been used.
    """

    def __init__(self, file: BinaryIO, separators: str, encoding: str):
        self.mark, self.nul, self.end = (uuid.uuid4().hex for _ in range(3))
        self.marked = self.has_nul = False
        self.closed = False  # Arrow asks
        self._file = file
        self._last = f"\n{self.end}{separators}\n".encode()
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
        self._ready = b""

    def read(self, size: int) -> bytes:
        """Returns the next bytes, at most `size` of them, and none at the end."""
        while len(self._ready) < size and self._last:
            data = self._file.read(size)
            self._ready += self._valid(data)
            if not data:
                self._ready += self._last
                self._last = b""
        data, self._ready = self._ready[:size], self._ready[size:]
        return data

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


def text_of(file: BinaryIO, encoding: str) -> io.TextIOWrapper:
    """Returns the text of a file with its line ends; bytes that are no text come as surrogates."""
    if codecs.lookup(encoding).name == "utf-8":
        encoding = "utf-8-sig"
    return io.TextIOWrapper(file, encoding, "surrogateescape", newline="")
