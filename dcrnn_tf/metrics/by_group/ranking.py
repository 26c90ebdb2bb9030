"""The rows of each group in the order of their scores, equal scores together."""

import dataclasses
import functools
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike

NO_GROUP = -1
"""Number of the group of rows that belong to none, such as those of unknown users."""

_PART = 1 << 22  # rows whose runs are in memory at once


@dataclasses.dataclass(frozen=True)
class Runs:
    """Rows of several groups as runs of equal scores, the groups one after the other, best first.

    Attributes:
      rows: Number of rows of each run, `(runs,)`.
      positives: Number of positive rows of each run, `(runs,)`.
      rows_above: Number of rows of the same group with higher scores, `(runs,)`.
      positives_above: Number of positive ones among these, `(runs,)`.
      firsts: Position of each group's first run, `(groups,)`.
      group: Position of each run's group, `(runs,)`.
      group_rows: Number of rows of each group, `(groups,)`.
      group_positives: Number of positive rows of each group, `(groups,)`.
    """

    rows: np.ndarray
    positives: np.ndarray
    rows_above: np.ndarray
    positives_above: np.ndarray
    firsts: np.ndarray
    group: np.ndarray
    group_rows: np.ndarray
    group_positives: np.ndarray

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Returns the sum over each group's runs of one value a run, `(groups,)`."""
        return np.add.reduceat(values, self.firsts)

    def first_with_positives(self) -> np.ndarray:
        """Returns the position of each group's first run that has a positive, `(groups,)`."""
        there = np.flatnonzero((self.positives > 0) & (self.positives_above == 0))
        return there  # one of each group, since all have a positive


class GroupedRanking:
    """Ranks rows by their scores within groups, exactly, equal scores as one.

    Groups in which all rows are of one class have no pairs to rank: they are left out, and counted.
    So are rows without a group.

    Args:
      labels: Labels of the rows, zeros and ones, `(rows,)`.
      scores: Scores of the rows, any monotone transform of the probability, `(rows,)`.
      groups: Groups of the rows, `(rows,)`: numbers from 0, or `NO_GROUP`; or any values else.

    Attributes:
      rows: Number of rows of each group of both classes, `(groups,)`.
      positives: Number of positive rows of each of them, `(groups,)`.
      groups: Number of groups that have rows.
      groups_of_one_class: Number of those among them that are left out.
      rows_without_group: Number of rows that have no group.

    Example:
      >>> from dcrnn_tf.metrics.by_group.ranking import GroupedRanking
      >>> ranking = GroupedRanking([1, 0, 1, 1], [0.9, 0.1, 0.4, 0.3], ["a", "a", "b", "b"])
      >>> ranking.groups, ranking.groups_of_one_class
      (2, 1)
    """

    def __init__(self, labels: ArrayLike, scores: ArrayLike, groups: ArrayLike):
        positive = np.asarray(labels) > 0
        numbers = np.asarray(groups)
        if numbers.dtype.kind != "i":
            numbers = np.unique(numbers, return_inverse=True)[1]
        inside = numbers >= 0
        rows = np.bincount(numbers[inside])
        positives = np.bincount(numbers[inside & positive], minlength=len(rows))
        both = (positives > 0) & (positives < rows)
        self.groups = int(np.count_nonzero(rows))
        self.groups_of_one_class = self.groups - int(np.count_nonzero(both))
        self.rows_without_group = len(numbers) - int(np.count_nonzero(inside))
        self.rows, self.positives = rows[both], positives[both]
        ranked = inside.copy()
        ranked[inside] = both[numbers[inside]]
        self._ranked = positive[ranked], np.asarray(scores)[ranked], numbers[ranked]
        self._renumbered = np.cumsum(both) - 1

    def per_group(self, compute: Callable[[Runs], np.ndarray]) -> np.ndarray:
        """Returns one value for each group of both classes, `(groups,)`.

        Args:
          compute: Function of the runs of some of the groups that returns their values.
        """
        parts = [compute(runs) for runs in self._parts()]
        return np.concatenate(parts) if parts else np.empty(0)

    @functools.cached_property
    def _keys(self) -> np.ndarray:
        """Whole numbers that have the order of group, falling score and label, ascending."""
        positive, scores, numbers = self._ranked
        keys = self._renumbered[numbers].astype(np.uint64) << np.uint64(33)
        keys |= (~ordered(scores)).astype(np.uint64) << np.uint64(1)
        keys |= positive
        del self._ranked
        keys.sort()
        return keys

    def _parts(self) -> Iterator[Runs]:
        """Yields the groups' runs, those of as many groups at a time as fit into a part."""
        ends = np.cumsum(self.rows)
        first = 0
        while first < len(ends):
            start = ends[first] - self.rows[first]
            last = max(int(np.searchsorted(ends, start + _PART, side="right")), first + 1)
            yield _runs(self._keys[start : ends[last - 1]], self.rows[first:last])
            first = last


def ordered(scores: np.ndarray) -> np.ndarray:
    """Returns uint32 numbers that have the order of the scores, equal where these are equal."""
    single = scores.astype(np.float32)
    if scores.dtype != np.float32 and not np.array_equal(single, scores):
        return np.unique(scores, return_inverse=True)[1].astype(np.uint32)
    bits = (single + np.float32(0)).view(np.uint32)  # -0.0 becomes 0.0
    negative = bits >> np.uint32(31) == 1
    return np.where(negative, ~bits, bits | np.uint32(1 << 31))


def _runs(keys: np.ndarray, group_rows: np.ndarray) -> Runs:
    """Returns the runs of some groups, of all of whose rows the keys are given."""
    starts = np.flatnonzero(np.diff(keys >> np.uint64(1), prepend=keys[:1] + np.uint64(2)))
    labels_before = np.append(0, np.cumsum(keys & np.uint64(1), dtype=np.int64))
    bounds = np.append(starts, len(keys))
    group_ends = np.cumsum(group_rows)
    group_starts = group_ends - group_rows
    firsts = np.searchsorted(starts, group_starts)
    group = np.repeat(np.arange(len(firsts)), np.diff(np.append(firsts, len(starts))))
    return Runs(
        rows=np.diff(bounds),
        positives=np.diff(labels_before[bounds]),
        rows_above=starts - group_starts[group],
        positives_above=labels_before[starts] - labels_before[group_starts][group],
        firsts=firsts,
        group=group,
        group_rows=group_rows,
        group_positives=labels_before[group_ends] - labels_before[group_starts],
    )
