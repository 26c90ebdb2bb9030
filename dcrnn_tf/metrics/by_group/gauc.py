"""The AUC within groups, such as the rows of a user, mean over the groups; exact."""

import numpy as np

from dcrnn_tf.metrics.by_group.ranking import GroupedRanking, Runs
from dcrnn_tf.metrics.registry import Metric, register


def auc_of_groups(runs: Runs) -> np.ndarray:
    """Returns the AUC of each group, `(groups,)`; a tie counts one half."""
    negatives = runs.rows - runs.positives
    negatives_above = runs.rows_above - runs.positives_above
    group_negatives = runs.group_rows - runs.group_positives
    # Twice the negatives below, and once those that are tied.
    won = 2 * (group_negatives[runs.group] - negatives_above) - negatives
    return runs.sums(runs.positives * won) / (2.0 * runs.group_positives * group_negatives)


def gauc(ranking: GroupedRanking) -> float | None:
    """Mean over groups of their AUC, each by its number of rows.

    It says how well the rows of a user, say, are ranked among themselves, where the AUC over all
    rows also counts what tells one user from another. Groups of one class are left out.

    Returns:
      The mean; None where no group has both classes.

    Example:
      >>> from dcrnn_tf.metrics.by_group.gauc import gauc
      >>> from dcrnn_tf.metrics.by_group.ranking import GroupedRanking
      >>> labels, scores = [1, 0, 1, 0, 0], [0.9, 0.1, 0.4, 0.3, 0.6]
      >>> gauc(GroupedRanking(labels, scores, [0, 0, 1, 1, 1]))  # (2 * 1.0 + 3 * 0.5) / 5
      0.7
    """
    return _mean(ranking, ranking.rows)


def gauc_by_positives(ranking: GroupedRanking) -> float | None:
    """The same, each group by its number of positives.

    Example:
      >>> from dcrnn_tf.metrics.by_group.gauc import gauc_by_positives
      >>> from dcrnn_tf.metrics.by_group.ranking import GroupedRanking
      >>> labels, scores = [1, 0, 1, 0, 0], [0.9, 0.1, 0.4, 0.3, 0.6]
      >>> gauc_by_positives(GroupedRanking(labels, scores, [0, 0, 1, 1, 1]))  # (1.0 + 0.5) / 2
      0.75
    """
    return _mean(ranking, ranking.positives)


def _mean(ranking: GroupedRanking, weights: np.ndarray) -> float | None:
    if not len(weights):
        return None
    return float(np.average(ranking.per_group(auc_of_groups), weights=weights))


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
