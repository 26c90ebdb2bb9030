"""What is wrong with the rows of a chunk."""

import functools
from collections.abc import Callable

import numpy as np

from data_prep.own_log.parsing.chunks import Chunk
from data_prep.storage.bad_rows import BadRows


class Faults:
    """Collects the bad rows of a chunk; a row counts once, under the first reason.

    Args:
      chunk: The rows, and where they stand in their file.
      bad_rows: Takes the bad rows.

    Attributes:
      bad: Whether each row has been found bad.
    """

    def __init__(self, chunk: Chunk, bad_rows: BadRows):
        self.bad = np.zeros(chunk.frame.height, bool)
        self._chunk = chunk
        self._bad_rows = bad_rows

    def add(self, reason: str, rows: np.ndarray, what: Callable[[int], str]) -> None:
        """Adds rows that are bad for one reason.

        Args:
          reason: Name of the reason, under which the rows are counted.
          rows: Whether each row is bad for it, bool.
          what: Takes the position of a row and says what is wrong with it.
        """
        for row in np.flatnonzero(rows & ~self.bad).tolist():
            self._bad_rows.add(reason, functools.partial(self._chunk.place, row), what(row))
        self.bad |= rows
