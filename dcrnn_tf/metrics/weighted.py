"""Metrics in which examples count by their weights, where a dataset has a column of these."""

import numpy as np

from dcrnn_tf.metrics.registry import Metric, register


def weighted_auc(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float | None:
    """Area under the ROC curve over pairs that count by the product of their weights; exact.

    Returns:
      The AUC, or None where one class has no weight.

    Example:
      >>> from dcrnn_tf.metrics.weighted import weighted_auc
      >>> weighted_auc([1, 0, 0], [0.5, 0.1, 0.9], [1.0, 3.0, 1.0])  # 3 of 3 + 1 pairs
      0.75
    """
    labels, scores = np.asarray(labels) > 0, np.asarray(scores)
    weights = np.asarray(weights, np.float64)
    order = np.argsort(scores[~labels], kind="stable")
    negatives = scores[~labels][order]
    below = np.concatenate([[0.0], np.cumsum(weights[~labels][order])])
    positives, of_positives = scores[labels], weights[labels]
    pairs = float(below[-1] * np.sum(of_positives))
    if not pairs:
        return None
    sides = (np.searchsorted(negatives, positives, side=side) for side in ("left", "right"))
    return sum(float(of_positives @ below[side]) for side in sides) / (2.0 * pairs)


def weighted_logloss(labels: np.ndarray, logits: np.ndarray, weights: np.ndarray) -> float | None:
    """Logloss whose mean is one by weights; None where there is no weight.

    Example:
      >>> from dcrnn_tf.metrics.weighted import weighted_logloss
      >>> round(weighted_logloss([1, 0], [0.0, 9.0], [1.0, 0.0]), 4)  # log 2
      0.6931
    """
    labels, logits = np.asarray(labels, np.float64), np.asarray(logits, np.float64)
    return _mean(np.logaddexp(0.0, logits) - labels * logits, weights)


def weighted_constant_logloss(labels: np.ndarray, weights: np.ndarray) -> float | None:
    """Weighted logloss of the best constant, the share of positives by weights.

    Example:
      >>> from dcrnn_tf.metrics.weighted import weighted_constant_logloss
      >>> round(weighted_constant_logloss([1, 0], [1.0, 3.0]), 4)  # of the share 0.25
      0.5623
    """
    rate = _mean(np.asarray(labels, np.float64), weights)
    if rate is None:
        return None
    return float(sum(share * -np.log(share) for share in (rate, 1.0 - rate) if share > 0))


def weighted_calibration(
    labels: np.ndarray, logits: np.ndarray, weights: np.ndarray
) -> float | None:
    """Predicted over observed positives by weights; None where no positive has weight.

    Example:
      >>> from dcrnn_tf.metrics.weighted import weighted_calibration
      >>> weighted_calibration([1, 0], [0.0, 0.0], [1.0, 3.0])  # 4 0.5 / 1
      2.0
    """
    from scipy.special import expit  # late, since most programs only ask for the metric's label

    weights = np.asarray(weights, np.float64)
    observed = float(weights @ np.asarray(labels, np.float64))
    predicted = float(weights @ expit(np.asarray(logits, np.float64)))
    return predicted / observed if observed else None


def _mean(values: np.ndarray, weights: np.ndarray) -> float | None:
    weights = np.asarray(weights, np.float64)
    total = float(np.sum(weights))
    return float(weights @ values) / total if total else None


_NEEDS = ("labels", "logits", "weights")

register(
    Metric(
        "weighted_auc",
        label="weighted AUC",
        form=".4f",
        better="high",
        compute=weighted_auc,
        needs=_NEEDS,
        note="weighted metrics count each example by its weight",
    )
)
register(
    Metric(
        "weighted_logloss",
        label="weighted logloss",
        form=".5f",
        difference_form=".6f",
        better="low",
        compute=weighted_logloss,
        needs=_NEEDS,
        reference=Metric(
            "weighted_constant_logloss",
            label="constant's weighted logloss",
            form=".5f",
            better="low",
            compute=weighted_constant_logloss,
            needs=("labels", "weights"),
        ),
    )
)
register(
    Metric(
        "weighted_calibration",
        label="weighted calibration",
        form=".3f",
        better=1.0,
        compute=weighted_calibration,
        needs=_NEEDS,
    )
)
