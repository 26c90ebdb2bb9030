"""The rank correlation of labels and predicted numbers."""

import math

import numpy as np

from dcrnn_tf.dataset.schema import REGRESSION
from dcrnn_tf.metrics.registry import Metric, register


def spearman(labels: np.ndarray, predictions: np.ndarray) -> float | None:
    """Spearman's rank correlation; numbers that are equal share their mean rank.

    Returns:
      The correlation; None where all labels or all predictions are equal.

    Example:
      >>> from dcrnn_tf.metrics.spearman import spearman
      >>> round(spearman([1.0, 2.0, 3.0], [5.0, 9.0, 7.0]), 6)  # 1 - 6 (0 + 1 + 1) / (3 8)
      0.5
    """
    from scipy import stats  # late, since most programs only ask for the metric's label

    labels, predictions = (np.asarray(column, np.float64) for column in (labels, predictions))
    if np.ptp(labels) == 0 or np.ptp(predictions) == 0:
        return None
    correlation = float(stats.spearmanr(labels, predictions).statistic)
    return None if math.isnan(correlation) else correlation


register(
    Metric(
        "spearman",
        label="rank correlation",
        form=".4f",
        better="high",
        compute=spearman,
        needs=("labels", "predictions"),
        kind=REGRESSION,
        note="rank correlation is that of Spearman",
    )
)
