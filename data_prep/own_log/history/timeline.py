"""Which earlier rows of the same user a row sees."""

import numpy as np


class Timeline:
    """Rows of some users in the order of users and times.

    Args:
      users: Numbers of the users, from 0, `(rows,)`.
      times: Moments of the rows, `(rows,)` int64.

    Attributes:
      order: Positions of the rows in the order of users, of times, and among equal ones in that in
        which they came, `(rows,)`.
    """

    def __init__(self, users: np.ndarray, times: np.ndarray):
        self._times, ranks = np.unique(times, return_inverse=True)
        # A user's rows have keys from `base * user` on, in the order of their times.
        base = len(self._times) + 1
        first = users.astype(np.int64) * base
        keys = first + ranks
        self.order = np.argsort(keys, kind="stable")
        self._keys, self._first, self._ranks = (
            values[self.order] for values in (keys, first, ranks)
        )
        self._begins = np.searchsorted(self._keys, self._first)

    def slices(self, events: np.ndarray, last: int, delay: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns where the events that each row sees begin and end.

        A row sees the events of its user that are earlier by more than the delay: its own one is
        not among them, nor is any at the same moment.

        Args:
          events: Which rows are events, bool `(rows,)` in this order.
          last: Largest number of events that a row sees, the latest ones.
          delay: Number of microseconds that an event must be older.

        Returns:
          Positions among the events alone, in this order, each int64 `(rows,)`.
        """
        before = np.append(0, np.cumsum(events))
        seen = self._first + np.searchsorted(self._times, self._times - delay)[self._ranks]
        ends = before[np.searchsorted(self._keys, seen)]
        return np.maximum(before[self._begins], ends - last), ends


def uses(begins: np.ndarray, ends: np.ndarray, events: int) -> np.ndarray:
    """Returns how many of the slices hold each event, `(events,)`."""
    steps = np.bincount(begins, minlength=events + 1) - np.bincount(ends, minlength=events + 1)
    return np.cumsum(steps)[:events]


def gathered(values: np.ndarray, ends: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Returns the values of slices, which end at `ends`, end to end."""
    first = ends - np.cumsum(lengths)
    return values[np.repeat(first, lengths) + np.arange(lengths.sum())]
