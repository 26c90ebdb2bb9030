"""Curves and histograms of predictions, for pictures."""

import numpy as np


def roc_curve(labels: np.ndarray, scores: np.ndarray, points: int = 201) -> dict[str, list[float]]:
    """The ROC curve at evenly spaced false positive rates.

    Example:
      >>> from dcrnn_tf.metrics.curves import roc_curve
      >>> roc_curve([1, 0, 1, 0], [0.9, 0.5, 0.3, 0.1], points=3)
      {'false_positive_rate': [0.0, 0.5, 1.0], 'true_positive_rate': [0.5, 1.0, 1.0]}
    """
    labels = np.asarray(labels) > 0
    scores = np.asarray(scores)
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    true = np.concatenate([[0], np.cumsum(labels[order])[last_of_tie]]) / max(labels.sum(), 1)
    false = np.concatenate([[0], np.cumsum(~labels[order])[last_of_tie]]) / max((~labels).sum(), 1)
    grid = np.linspace(0.0, 1.0, points)
    return {
        "false_positive_rate": grid.tolist(),
        "true_positive_rate": np.interp(grid, false, true).tolist(),
    }


def score_histogram(labels: np.ndarray, logits: np.ndarray, bins: int = 40) -> dict[str, list]:
    """Counts of positives and negatives over the logit, between its 0.1 and 99.9 % quantiles.

    Example:
      >>> from dcrnn_tf.metrics.curves import score_histogram
      >>> score_histogram([1, 0, 1], [0.0, 0.0, 1.0], bins=2)["positives"]
      [1, 1]
    """
    labels = np.asarray(labels) > 0
    logits = np.asarray(logits, np.float64)
    low, high = np.quantile(logits, [0.001, 0.999])
    edges = np.linspace(low, high if high > low else low + 1.0, bins + 1)
    inside = np.clip(logits, edges[0], edges[-1])
    return {
        "edges": edges.tolist(),
        "positives": np.histogram(inside[labels], edges)[0].tolist(),
        "negatives": np.histogram(inside[~labels], edges)[0].tolist(),
    }
