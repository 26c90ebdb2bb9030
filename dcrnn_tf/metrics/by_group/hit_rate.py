"""The share of groups with a positive among their first rows."""

import numpy as np

from dcrnn_tf.metrics.by_group.group_mean import GroupMean
from dcrnn_tf.metrics.by_group.ranking import Runs
from dcrnn_tf.metrics.registry import Metric, register

DEPTH = 10


def hits_of_groups(runs: Runs, depth: int = DEPTH) -> np.ndarray:
    """Returns whether a positive is among the first rows of each group, `(groups,)`: 0 or 1.

    Where rows with equal scores lie on both sides of the depth, it is the share of their orders in
    which one is.

    Args:
      runs: Runs of some groups.
      depth: Number of rows that count.

    Example:
      >>> from dcrnn_tf.metrics.by_group.hit_rate import hits_of_groups
      >>> from dcrnn_tf.metrics.by_group.ranking import GroupedRanking
      >>> ranking = GroupedRanking([0, 1, 0, 1, 0], [0.9, 0.8, 0.7, 0.2, 0.2], [0, 0, 0, 1, 1])
      >>> ranking.per_group(lambda runs: hits_of_groups(runs, depth=1)).tolist()
      [0.0, 0.5]
    """
    first = runs.first_with_positives()
    rows, positives = runs.rows[first], runs.positives[first]
    drawn = np.clip(depth - runs.rows_above[first], 0, rows)
    missed = np.ones(len(first))  # share of the orders in which no positive is among those drawn
    for number in range(min(depth, int(drawn.max(initial=0)))):
        draws = number < drawn
        left = np.maximum(rows - positives - number, 0)
        missed[draws] *= left[draws] / (rows[draws] - number)
    return 1.0 - missed


register(
    Metric(
        f"hit_rate_at_{DEPTH}",
        label=f"hit rate@{DEPTH}",
        form=".4f",
        better="high",
        compute=GroupMean(hits_of_groups),
        needs=("ranking",),
    )
)
