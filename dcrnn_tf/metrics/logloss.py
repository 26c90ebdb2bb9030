"""The logloss of probabilities, beside that of the best constant."""

import numpy as np

from dcrnn_tf.metrics.registry import Metric, register


def logloss(labels: np.ndarray, logits: np.ndarray) -> float:
    """Mean of `-(y log p + (1 - y) log(1 - p))`, computed from logits without overflow."""
    labels, logits = np.asarray(labels, np.float64), np.asarray(logits, np.float64)
    return float(np.mean(np.logaddexp(0.0, logits) - labels * logits))


def constant_logloss(labels: np.ndarray) -> float:
    """Logloss of the best constant: always predicting the share of positives."""
    rate = float(np.mean(np.asarray(labels, np.float64)))
    return -sum(share * np.log(share) for share in (rate, 1.0 - rate) if share > 0)


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
