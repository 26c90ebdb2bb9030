"""The interval of an AUC after DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988)."""

import numpy as np
from numpy.typing import ArrayLike

from dcrnn_tf.metrics.intervals import LEVEL


def auc_interval(
    labels: ArrayLike, scores: ArrayLike, level: float = LEVEL
) -> tuple[float, float] | None:
    """Returns the ends of the interval `AUC -+ z sqrt(variance)`, within 0 and 1.

    With the placement of a positive, the share of negatives below it, and that of a negative, the
    share of positives above it (a tie counts one half), the variance of the AUC is that of the
    placements of the positives over their number, and that of the negatives over theirs. Rows are
    taken to be independent.

    Args:
      labels: Labels, zeros and ones, `(rows,)`.
      scores: Scores, any monotone transform of the probability, `(rows,)`.
      level: Share of such intervals that hold the AUC of endless rows.

    Returns:
      The ends; None where a class has fewer than two rows.

    Example:
      >>> from dcrnn_tf.metrics.intervals.delong import auc_interval
      >>> low, high = auc_interval([1, 0, 1, 0, 0], [0.9, 0.1, 0.4, 0.6, 0.2])
      >>> round(low, 3), round(high, 3)
      (0.445, 1.0)
    """
    from scipy.stats import norm  # late, since most programs only ask for the metric's label

    positive = np.asarray(labels) > 0
    scores = np.asarray(scores)
    sides = np.sort(scores[positive]), np.sort(scores[~positive])
    if min(map(len, sides)) < 2:
        return None
    of_positives, of_negatives = (_placements(*pair) for pair in (sides, sides[::-1]))
    # Of the negatives they are shares of positives below, whose spread is that of those above.
    variance = sum(np.var(p, ddof=1) / len(p) for p in (of_positives, of_negatives))
    auc = float(np.mean(of_positives))
    reach = float(norm.ppf(0.5 + level / 2)) * float(np.sqrt(variance))
    return max(auc - reach, 0.0), min(auc + reach, 1.0)


def auc_difference(
    labels: ArrayLike, scores: ArrayLike, others: ArrayLike, level: float = LEVEL
) -> tuple[float, tuple[float, float]] | None:
    """Returns the mean AUC of a model's runs minus that of another's, with DeLong's interval.

    Both models score the same rows, so that their placements are correlated: the variance is that
    of the differences of placements, row by row, each the mean over the model's runs. The interval
    says what other rows would give of these very runs.

    Args:
      labels: Labels, zeros and ones, `(rows,)`.
      scores: Scores by the runs of a model, `(runs, rows)`.
      others: Scores by the runs of the other model, `(runs, rows)`; their number may differ.
      level: Share of such intervals that hold the difference of endless rows.

    Returns:
      The difference, and the ends of its interval; None where a class has fewer than two rows.

    Example:
      >>> from dcrnn_tf.metrics.intervals.delong import auc_difference
      >>> labels = [1, 1, 0, 0, 0]
      >>> difference, ends = auc_difference(
      ...     labels, [[0.9, 0.4, 0.1, 0.6, 0.2]], [[0.9, 0.1, 0.6, 0.2, 0.3]]
      ... )
      >>> round(difference, 3)
      0.333
    """
    from scipy.stats import norm

    positive = np.asarray(labels) > 0
    if min(positive.sum(), (~positive).sum()) < 2:
        return None
    difference, variance = 0.0, 0.0
    for side in (positive, ~positive):
        ours, theirs = (
            np.mean([_placements(run[side], np.sort(run[~side])) for run in runs], axis=0)
            for runs in (np.asarray(scores), np.asarray(others))
        )
        by_row = ours - theirs
        variance += float(np.var(by_row, ddof=1)) / len(by_row)
        if side is positive:
            difference = float(np.mean(by_row))
    reach = float(norm.ppf(0.5 + level / 2)) * float(np.sqrt(variance))
    return difference, (difference - reach, difference + reach)


def _placements(these: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns the share of others, which are ascending, below each of these, `(these,)`."""
    below, not_above = (np.searchsorted(others, these, side=side) for side in ("left", "right"))
    shares: np.ndarray = (below + not_above) / (2.0 * len(others))
    return shares
