"""The distance of predicted probabilities from observed shares, and the curve that shows it."""

from typing import Any

import numpy as np

from dcrnn_tf.metrics.registry import Metric, register

BINS = 20
_PART = 1 << 22  # rows whose probabilities are in memory at once


def reliability(labels: np.ndarray, logits: np.ndarray, bins: int = BINS) -> dict[str, list]:
    """Compares predicted with observed positives in bins of equally many rows.

    Rows in the order of their logits are cut at every n-th part of them. Equal logits are never
    parted: they lie in the bin of the last of them, and bins that stay empty are left out.

    Args:
      labels: Labels, zeros and ones, `(rows,)`.
      logits: Logits, `(rows,)`.
      bins: Largest number of bins.

    Returns:
      `rows`, `positives` and `predicted`, the mean probability, of each bin, by rising logits.

    Example:
      >>> from dcrnn_tf.metrics.calibration_error import reliability
      >>> reliability([0, 1, 1, 1], [-1.0, -1.0, 0.0, 0.0], bins=2)["positives"]
      [1, 2]
    """
    from scipy.special import expit  # late, since most programs only ask for the metric's label

    positive, logits = np.asarray(labels) > 0, np.asarray(logits)
    cuts = np.unique(np.arange(1, bins) * len(logits) // bins)
    edges = np.unique(np.partition(logits, cuts)[cuts]) if len(cuts) else logits[:0]
    rows, positives, predicted = np.zeros((3, len(edges) + 1))
    for start in range(0, len(logits), _PART):
        part = slice(start, start + _PART)
        inside = np.searchsorted(edges, logits[part], side="right")
        rows += np.bincount(inside, minlength=len(rows))
        positives += np.bincount(inside[positive[part]], minlength=len(rows))
        probabilities = expit(logits[part].astype(np.float64))
        predicted += np.bincount(inside, probabilities, minlength=len(rows))
    there = rows > 0
    return {
        "rows": rows[there].astype(int).tolist(),
        "positives": positives[there].astype(int).tolist(),
        "predicted": (predicted[there] / rows[there]).tolist(),
    }


def calibration_error(labels: np.ndarray, logits: np.ndarray) -> float:
    """Expected calibration error: mean distance of predicted from observed shares, over rows.

    The shares are those of `BINS` bins of equally many rows, as `reliability` makes them: bins of
    equal width would hold nearly all rows in one, where positives are rare.

    Example:
      >>> from dcrnn_tf.metrics.calibration_error import calibration_error
      >>> calibration_error([1, 0, 0, 0], [0.0, 0.0, 0.0, 0.0])  # one bin: 0.5 for 0.25
      0.25
    """
    bins: dict[str, Any] = {k: np.asarray(v) for k, v in reliability(labels, logits).items()}
    distances = np.abs(bins["rows"] * bins["predicted"] - bins["positives"])
    return float(np.sum(distances) / np.sum(bins["rows"]))


register(
    Metric(
        "calibration_error",
        label="calibration error",
        form=".5f",
        better="low",
        compute=calibration_error,
        note="calibration error is the mean distance of predicted from observed shares, over "
        f"{BINS} bins of equally many rows",
    )
)
