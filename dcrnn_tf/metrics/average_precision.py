"""The area under the precision-recall curve, exact."""

import numpy as np

from dcrnn_tf.metrics.registry import Metric, register


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float | None:
    """Area under the precision-recall curve: the mean precision at the scores of the positives.

    The precision at a score is the share of positives among the rows whose score is at least as
    high, so that a tie is ranked as a whole: `sum_n (R_n - R_{n-1}) P_n` over the distinct scores.

    Args:
      labels: `(rows,)` zeros and ones.
      scores: `(rows,)`, any monotone transform of the probability.

    Returns:
      The average precision, or None where there is no positive.

    Example:
      >>> from dcrnn_tf.metrics.average_precision import average_precision
      >>> average_precision([1, 0, 1, 0], [0.9, 0.5, 0.3, 0.1])  # (1 / 1 + 2 / 3) / 2
      0.8333333333333333
    """
    labels = np.asarray(labels) > 0
    scores = np.asarray(scores)
    positives, negatives = np.sort(scores[labels]), np.sort(scores[~labels])
    if not len(positives):
        return None
    true = len(positives) - np.searchsorted(positives, positives, side="left")
    false = len(negatives) - np.searchsorted(negatives, positives, side="left")
    return float(np.mean(true / (true + false)))


def share_of_positives(labels: np.ndarray) -> float | None:
    """Average precision of any constant, whose scores are one tie; None without a positive.

    Example:
      >>> from dcrnn_tf.metrics.average_precision import share_of_positives
      >>> share_of_positives([1, 0, 0, 0])
      0.25
    """
    return float(np.mean(np.asarray(labels) > 0)) or None


register(
    Metric(
        "average_precision",
        label="average precision",
        form=".5f",
        better="high",
        compute=average_precision,
        reference=Metric(
            "constant_average_precision",
            label="constant's average precision",
            form=".5f",
            better="high",
            compute=share_of_positives,
            needs=("labels",),
        ),
        note="average precision is the area under the precision-recall curve, for a constant "
        "prediction the share of positives",
    )
)
