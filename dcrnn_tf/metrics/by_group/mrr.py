"""The reciprocal rank of the first positive of each group, mean over groups."""

import numpy as np

from dcrnn_tf.metrics.by_group.group_mean import GroupMean
from dcrnn_tf.metrics.by_group.ranking import Runs
from dcrnn_tf.metrics.registry import Metric, register


def reciprocal_ranks(runs: Runs) -> np.ndarray:
    """Returns the reciprocal rank of the first positive of each group, `(groups,)`.

    Of rows with equal scores it is the mean over their orders: of t rows with p positives, below a
    rows, the first positive is the j-th with probability `C(t - j, p - 1) / C(t, p)`, and then has
    rank a + j.

    Example:
      >>> from dcrnn_tf.metrics.by_group.mrr import reciprocal_ranks
      >>> from dcrnn_tf.metrics.by_group.ranking import GroupedRanking
      >>> ranking = GroupedRanking([0, 1, 1, 0], [0.9, 0.8, 0.2, 0.2], [0, 0, 1, 1])
      >>> ranking.per_group(reciprocal_ranks).tolist()  # 1 / 2; (1 / 1 + 1 / 2) / 2
      [0.5, 0.75]
    """
    first = runs.first_with_positives()
    rows, positives, above = (x[first] for x in (runs.rows, runs.positives, runs.rows_above))
    # One entry for each j of each group, the groups one after the other.
    places = rows - positives + 1
    group = np.repeat(np.arange(len(first)), places)
    starts = np.cumsum(places) - places
    j = np.arange(len(group)) - starts[group]  # negatives among the tied rows before it
    left = (rows[group] - j).astype(np.float64)
    # Logarithms of the shares of orders that begin with j negatives, as sums within each group.
    steps = np.log1p(-positives[group] / np.maximum(left, positives[group] + 1))
    sums = np.append(0.0, np.cumsum(steps))[:-1]
    begins = np.exp(sums - sums[starts][group])
    return np.add.reduceat(begins * positives[group] / left / (above[group] + j + 1), starts)


register(
    Metric(
        "mrr",
        label="MRR",
        form=".4f",
        better="high",
        compute=GroupMean(reciprocal_ranks),
        needs=("ranking",),
    )
)
