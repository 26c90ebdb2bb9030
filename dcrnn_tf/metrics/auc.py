"""The area under the ROC curve, exact."""

import numpy as np

from dcrnn_tf.metrics.registry import Metric, register

CHANCE = 0.5
"""AUC of a model that ranks nothing."""


def auc(labels: np.ndarray, scores: np.ndarray) -> float | None:
    """Area under the ROC curve: the share of (positive, negative) pairs ranked rightly.

    A tie counts one half. Exact, unlike an AUC from score thresholds, which can read 0.5 where the
    truth is 0.69 when all probabilities are small.

    Args:
      labels: `(rows,)` zeros and ones.
      scores: `(rows,)`, any monotone transform of the probability.

    Returns:
      The AUC, or None where only one class is present.

    Example:
      >>> from dcrnn_tf.metrics.auc import auc
      >>> auc([1, 0, 1, 0], [0.9, 0.1, 0.3, 0.3])  # three of four pairs, and a tie
      0.875
    """
    labels = np.asarray(labels) > 0
    scores = np.asarray(scores)
    positives, negatives = scores[labels], np.sort(scores[~labels])
    if not len(positives) or not len(negatives):
        return None
    below = np.searchsorted(negatives, positives, side="left").sum(dtype=np.int64)
    not_above = np.searchsorted(negatives, positives, side="right").sum(dtype=np.int64)
    return float(below + not_above) / (2.0 * len(positives) * len(negatives))


register(Metric("auc", label="AUC", form=".4f", better="high", compute=auc))
