"""A metric that is a mean over groups, each by a weight of its own."""

import dataclasses
from collections.abc import Callable

import numpy as np

from dcrnn_tf.metrics.by_group.ranking import GroupedRanking, Runs


def by_rows(ranking: GroupedRanking) -> np.ndarray:
    """Returns the groups' numbers of rows, as weights."""
    return ranking.rows


def by_positives(ranking: GroupedRanking) -> np.ndarray:
    """Returns the groups' numbers of positives, as weights."""
    return ranking.positives


def alike(ranking: GroupedRanking) -> np.ndarray:
    """Returns the same weight for each group."""
    return np.ones(len(ranking.rows))


@dataclasses.dataclass(frozen=True)
class GroupMean:
    """Computes a mean over the groups of both classes; None where there is no such group.

    Attributes:
      of_groups: Function of the runs of some groups that returns their values, `(groups,)`.
      weights: Function of the ranking that returns the groups' weights, `(groups,)`.

    Example:
      >>> from dcrnn_tf.metrics.by_group.gauc import auc_of_groups
      >>> from dcrnn_tf.metrics.by_group.group_mean import GroupMean, alike
      >>> from dcrnn_tf.metrics.by_group.ranking import GroupedRanking
      >>> ranking = GroupedRanking([1, 0, 1, 0, 0], [0.9, 0.1, 0.4, 0.3, 0.6], [0, 0, 1, 1, 1])
      >>> GroupMean(auc_of_groups, alike)(ranking)  # (1.0 + 0.5) / 2
      0.75
    """

    of_groups: Callable[[Runs], np.ndarray]
    weights: Callable[[GroupedRanking], np.ndarray] = alike

    def __call__(self, ranking: GroupedRanking) -> float | None:
        """Returns the mean."""
        weights = self.weights(ranking)
        if not len(weights):
            return None
        return float(np.average(ranking.per_group(self.of_groups), weights=weights))
