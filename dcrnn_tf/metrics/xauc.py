"""The share of pairs that predicted numbers put in the right order, exact."""

import math

import numpy as np

from dcrnn_tf.dataset.schema import REGRESSION
from dcrnn_tf.metrics.registry import Metric, register


def xauc(labels: np.ndarray, predictions: np.ndarray) -> float | None:
    """Share of the pairs of rows with different labels whose predictions are in the same order.

    A pair with equal predictions counts one half; pairs with equal labels are left out. Of labels 0
    and 1 it is the AUC. It follows in n log n steps from Kendall's tau-b: with c pairs in the right
    order, d in the wrong one, and n, n_y, n_p pairs, those with equal labels and with equal
    predictions, `tau = (c - d) / sqrt((n - n_y)(n - n_p))`.

    Returns:
      The share; None where all labels are equal.

    Example:
      >>> from dcrnn_tf.metrics.xauc import xauc
      >>> round(xauc([1.0, 2.0, 3.0, 3.0], [5.0, 9.0, 7.0, 5.0]), 4)  # (2 + 0.5) / 5 pairs
      0.5
    """
    from scipy import stats  # late, since most programs only ask for the metric's label

    labels, predictions = (np.asarray(column, np.float64) for column in (labels, predictions))
    pairs = math.comb(len(labels), 2)
    untied_labels, untied = (pairs - _tied(column) for column in (labels, predictions))
    if not untied_labels:
        return None
    if not untied:
        return 0.5
    tau = float(stats.kendalltau(labels, predictions, method="asymptotic").statistic)
    return 0.5 + 0.5 * tau * math.sqrt(untied / untied_labels)


def _tied(column: np.ndarray) -> int:
    """Returns the number of pairs of equal numbers."""
    counts = np.unique(column, return_counts=True)[1].astype(np.int64)
    return int(np.sum(counts * (counts - 1) // 2))


register(
    Metric(
        "xauc",
        label="XAUC",
        form=".4f",
        better="high",
        compute=xauc,
        needs=("labels", "predictions"),
        kind=REGRESSION,
        note="XAUC is the share of pairs with different labels that are predicted in their order",
    )
)
