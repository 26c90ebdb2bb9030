"""A CSV file's bytes as Arrow can take them, whatever they are."""

import codecs
import uuid
from typing import BinaryIO


class CsvText:
    """Reads a file for Arrow: all of it valid UTF-8, and a line more at its end.

    Arrow reports a row with a wrong number of cells as text and fails where it is none, so a mark
    takes the place of bytes that are not UTF-8. The last line is missed if a quote was left open.

    Args:
      file: to read.
      separators: of the last line's cells, so many that no row has as many.

    Attributes:
      mark: what stands for a byte that is not UTF-8; no file holds it.
      end: what the last line begins with.
      marked: whether there was such a byte so far.
    """

    def __init__(self, file: BinaryIO, separators: str):
        self.mark, self.end = (f"\0{uuid.uuid4().hex}\0" for _ in range(2))
        self.marked = False
        self.closed = False  # Arrow asks
        self._file = file
        self._last = f"\n{self.end}{separators}\n".encode()
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._ready = b""

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size` of them, none at the end."""
        while len(self._ready) < size and self._last:
            data = self._file.read(size)
            self._ready += self._valid(data)
            if not data:
                self._ready += self._last
                self._last = b""
        data, self._ready = self._ready[:size], self._ready[size:]
        return data

    def _valid(self, data: bytes) -> bytes:
        if data.isascii() and not self._decoder.getstate()[0]:
            return data
        text = self._decoder.decode(data, final=not data)
        try:
            return text.encode()
        except UnicodeEncodeError:
            self.marked = True
            marks = dict.fromkeys(range(0xDC80, 0xDD00), self.mark)
            return text.translate(marks).encode()
