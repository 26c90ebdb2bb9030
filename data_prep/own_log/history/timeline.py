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
        order = None
        if np.any(times[1:] < times[:-1]):
            order = np.argsort(times, kind="stable")
            users, times = users[order], times[order]
        new = _begins(times)
        self._times, ranks = times[new], np.cumsum(new) - 1
        by_user = stable_order(users)
        self.order = by_user if order is None else order[by_user]
        users, self._ranks = users[by_user], ranks[by_user]
        # A user's rows have keys from `base * user` on, in the order of their times.
        base = len(self._times) + 1
        self._first = users.astype(np.int64) * base
        self._keys = self._first + self._ranks
        self._begins = _first_of_same(users)

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
        if delay:
            seen = self._first + np.searchsorted(self._times, self._times - delay)[self._ranks]
            ends = before[np.searchsorted(self._keys, seen)]
        else:
            ends = before[_first_of_same(self._keys)]
        return np.maximum(before[self._begins], ends - last), ends


def stable_order(numbers: np.ndarray) -> np.ndarray:
    """Returns the positions of whole numbers from 0 in ascending order, equal ones as they are.

    Digits of 16 bits are sorted one after the other, in a time that grows with their number alone.
    """
    digits = int(numbers.max(initial=0)).bit_length()
    order = np.argsort(numbers.astype(np.uint16), kind="stable")
    for shift in range(16, digits, 16):
        digit = (numbers >> shift).astype(np.uint16)[order]
        order = order[np.argsort(digit, kind="stable")]
    return order


def _begins(values: np.ndarray) -> np.ndarray:
    """Returns which values differ from the one before them."""
    new = np.ones(len(values), bool)
    new[1:] = values[1:] != values[:-1]
    return new


def _first_of_same(values: np.ndarray) -> np.ndarray:
    """Returns for each of ascending values the position of the first one that is the same."""
    positions = np.arange(len(values))
    return np.maximum.accumulate(np.where(_begins(values), positions, 0))


def uses(begins: np.ndarray, ends: np.ndarray, events: int) -> np.ndarray:
    """Returns how many of the slices hold each event, `(events,)`."""
    steps = np.bincount(begins, minlength=events + 1) - np.bincount(ends, minlength=events + 1)
    return np.cumsum(steps)[:events]


def gathered(values: np.ndarray, ends: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Returns the values of slices, which end at `ends`, end to end."""
    first = ends - np.cumsum(lengths)
    return values[np.repeat(first, lengths) + np.arange(lengths.sum())]
