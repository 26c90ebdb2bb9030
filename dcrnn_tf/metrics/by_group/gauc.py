"""The AUC within groups, such as the rows of a user, mean over the groups; exact.

It says how well the rows of a user, say, are ranked among themselves, where the AUC over all rows
also counts what tells one user from another.
"""

import numpy as np

from dcrnn_tf.metrics.by_group.group_mean import GroupMean, by_positives, by_rows
from dcrnn_tf.metrics.by_group.ranking import Runs
from dcrnn_tf.metrics.registry import Metric, register


def auc_of_groups(runs: Runs) -> np.ndarray:
    """Returns the AUC of each group, `(groups,)`; a tie counts one half.

    Example:
      >>> from dcrnn_tf.metrics.by_group.gauc import auc_of_groups
      >>> from dcrnn_tf.metrics.by_group.ranking import GroupedRanking
      >>> ranking = GroupedRanking([1, 0, 1, 0, 0], [0.9, 0.1, 0.4, 0.3, 0.6], [0, 0, 1, 1, 1])
      >>> ranking.per_group(auc_of_groups).tolist()
      [1.0, 0.5]
    """
    negatives = runs.rows - runs.positives
    negatives_above = runs.rows_above - runs.positives_above
    group_negatives = runs.group_rows - runs.group_positives
    # Twice the negatives below, and once those that are tied.
    won = 2 * (group_negatives[runs.group] - negatives_above) - negatives
    return runs.sums(runs.positives * won) / (2.0 * runs.group_positives * group_negatives)


gauc = GroupMean(auc_of_groups, by_rows)
"""Mean over groups of their AUC, each by its number of rows; a function of a `GroupedRanking`."""

gauc_by_positives = GroupMean(auc_of_groups, by_positives)
"""The same, each group by its number of positives."""

register(
    Metric(
        "gauc",
        label="GAUC",
        form=".4f",
        better="high",
        compute=gauc,
        needs=("ranking",),
        note="GAUC is the AUC within groups, such as the rows of a user, mean over the groups of "
        "both classes by their rows, or by their positives",
    )
)
register(
    Metric(
        "gauc_by_positives",
        label="GAUC by positives",
        form=".4f",
        better="high",
        compute=gauc_by_positives,
        needs=("ranking",),
    )
)
