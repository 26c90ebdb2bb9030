"""The logloss of probabilities over that of the best constant."""

import numpy as np

from dcrnn_tf.metrics.logloss import constant_logloss, logloss
from dcrnn_tf.metrics.registry import Metric, register


def normalised_entropy(labels: np.ndarray, logits: np.ndarray) -> float | None:
    """Logloss over the entropy of the share of positives, which is the best constant's logloss.

    It is 1 for that constant, and below 1 for predictions that say more. Unlike the logloss it does
    not fall by itself where positives are rare, so that tasks and days can be compared.

    Returns:
      The quotient; None where one class is missing.

    Example:
      >>> from dcrnn_tf.metrics.normalised_entropy import normalised_entropy
      >>> normalised_entropy([1, 0], [0.0, 0.0])
      1.0
    """
    entropy = constant_logloss(labels)
    return logloss(labels, logits) / entropy if entropy else None


register(
    Metric(
        "normalised_entropy",
        label="normalised entropy",
        form=".4f",
        better="low",
        compute=normalised_entropy,
        note="normalised entropy is the logloss over that of the best constant",
    )
)
