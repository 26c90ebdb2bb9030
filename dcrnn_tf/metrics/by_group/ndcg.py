"""The normalised discounted cumulative gain of the first rows of each group, mean over groups."""

import numpy as np

from dcrnn_tf.metrics.by_group.group_mean import GroupMean
from dcrnn_tf.metrics.by_group.ranking import Runs
from dcrnn_tf.metrics.registry import Metric, register

DEPTH = 10


def ndcg_of_groups(runs: Runs, depth: int = DEPTH) -> np.ndarray:
    """Returns the NDCG of each group, `(groups,)`.

    A positive at rank r up to the depth gains `1 / log2(1 + r)`; the sum of the gains is divided by
    the largest that the group allows. Of rows with equal scores it is the mean over their orders.

    Args:
      runs: Runs of some groups.
      depth: Number of ranks that count.

    Example:
      >>> from dcrnn_tf.metrics.by_group.ndcg import ndcg_of_groups
      >>> from dcrnn_tf.metrics.by_group.ranking import GroupedRanking
      >>> ranking = GroupedRanking([0, 0, 1], [0.9, 0.8, 0.7], [0, 0, 0])
      >>> ranking.per_group(ndcg_of_groups).tolist()  # 1 / log2(4), at rank 3
      [0.5]
    """
    gains = np.append(0.0, np.cumsum(1 / np.log2(np.arange(2, depth + 2))))
    above, end = (np.minimum(n, depth) for n in (runs.rows_above, runs.rows_above + runs.rows))
    gained = runs.sums(runs.positives * (gains[end] - gains[above]) / runs.rows)
    return gained / gains[np.minimum(runs.group_positives, depth)]


register(
    Metric(
        f"ndcg_at_{DEPTH}",
        label=f"NDCG@{DEPTH}",
        form=".4f",
        better="high",
        compute=GroupMean(ndcg_of_groups),
        needs=("ranking",),
        note=f"NDCG@{DEPTH}, MRR and hit rate are means over groups of both classes, each alike",
    )
)
