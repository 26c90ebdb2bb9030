"""The calibration of probabilities as a whole."""

import numpy as np

from dcrnn_tf.metrics.registry import Metric, register


def calibration(labels: np.ndarray, logits: np.ndarray) -> float | None:
    """Predicted over observed positives: 1 is right, 2 promises twice too many.

    Returns:
      The quotient, or None where there is no positive.

    Example:
      >>> from dcrnn_tf.metrics.calibration import calibration
      >>> calibration([1, 0, 0, 0], [0.0, 0.0, 0.0, 0.0])  # 4 0.5 / 1
      2.0
    """
    from scipy.special import expit  # late, since most programs only ask for the metric's label

    observed = float(np.sum(np.asarray(labels, np.float64)))
    predicted = float(np.sum(expit(np.asarray(logits, np.float64))))
    return predicted / observed if observed else None


register(
    Metric(
        "calibration",
        label="calibration",
        form=".3f",
        better=1.0,
        compute=calibration,
        note="calibration is predicted over observed positives, 1 is right",
    )
)
