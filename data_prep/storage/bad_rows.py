"""Rows of raw files that cannot be used: counted by reason, up to a limit."""

import collections
from collections.abc import Callable

from dcrnn_tf.dataset.schema import DatasetError

Progress = Callable[[int], object]  # called with the number of bytes read since the last call


class BadRows:
    """Counts rows that cannot be used, by reason, up to a limit.

    Args:
      limit: Number of bad rows that are tolerated.
      beside: Counts of other rows for which the limit stands as well.
    """

    def __init__(self, limit: int, beside: "BadRows | None" = None):
        self.limit = limit
        self.beside = beside
        self.counts: collections.Counter[str] = collections.Counter()

    def copy(self) -> "BadRows":
        """Returns another one that has counted the same rows."""
        other = BadRows(self.limit)
        other.counts.update(self.counts)
        return other

    def add(self, reason: str, where: Callable[[], str], what: str) -> None:
        """Counts a row.

        Args:
          reason: Reason under which the row is counted.
          where: Function that says where the row is; called for the row that is one too many.
          what: Description of what is wrong with it.

        Raises:
          DatasetError: there are more bad rows than tolerated.
        """
        self.counts[reason] += 1
        others = 0 if self.beside is None else self.beside.counts.total()
        if self.counts.total() + others > self.limit:
            raise DatasetError(
                f"{where()}: {what}; correct the row, or have such rows left out and counted with "
                f"--max_bad_rows (now {self.limit})"
            )
