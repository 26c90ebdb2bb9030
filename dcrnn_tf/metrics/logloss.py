"""The logloss of probabilities, beside that of the best constant."""

import numpy as np

from dcrnn_tf.metrics.registry import Metric, register


def logloss(labels: np.ndarray, logits: np.ndarray) -> float:
    """Mean of `-(y log p + (1 - y) log(1 - p))`, computed from logits without overflow.

    Example:
      >>> from dcrnn_tf.metrics.logloss import logloss
      >>> round(logloss([1, 0], [0.0, 0.0]), 4)  # log 2
      0.6931
    """
    labels, logits = np.asarray(labels, np.float64), np.asarray(logits, np.float64)
    return float(np.mean(np.logaddexp(0.0, logits) - labels * logits))


def constant_logloss(labels: np.ndarray) -> float:
    """Logloss of the best constant: always predicting the share of positives.

    Example:
      >>> from dcrnn_tf.metrics.logloss import constant_logloss
      >>> round(float(constant_logloss([1, 0, 0, 0])), 4)  # -(0.25 log 0.25 + 0.75 log 0.75)
      0.5623
    """
    rate = float(np.mean(np.asarray(labels, np.float64)))
    return float(sum(share * -np.log(share) for share in (rate, 1.0 - rate) if share > 0))


register(
    Metric(
        "logloss",
        label="logloss",
        form=".5f",
        difference_form=".6f",
        better="low",
        compute=logloss,
        reference=Metric(
            "constant_logloss",
            label="constant's logloss",
            form=".5f",
            better="low",
            compute=constant_logloss,
            needs=("labels",),
        ),
        note="logloss stands beside that of the best constant prediction",
    )
)
