"""The AUC of each class against the rest, mean over classes, exact."""

import numpy as np

from dcrnn_tf.dataset.schema import MULTICLASS
from dcrnn_tf.metrics.auc import auc
from dcrnn_tf.metrics.registry import Metric, register


def macro_auc(labels: np.ndarray, class_logits: np.ndarray) -> float | None:
    """Mean over classes of the AUC of the class against all others, by its probability.

    Classes that no row has are left out.

    Returns:
      The mean; None where all rows are of one class.

    Example:
      >>> from dcrnn_tf.metrics.macro_auc import macro_auc
      >>> macro_auc([0, 1, 1], [[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
      1.0
    """
    labels, logits = np.asarray(labels), np.asarray(class_logits, np.float64)
    # Of probabilities near 0 and 1 the log odds tell more apart than float64 does.
    others = [
        np.logaddexp.reduce(np.delete(logits, k, axis=1), axis=1) for k in range(logits.shape[1])
    ]
    values = [auc(labels == k, logits[:, k] - rest) for k, rest in enumerate(others)]
    found = [value for value in values if value is not None]
    return float(np.mean(found)) if found else None


register(
    Metric(
        "macro_auc",
        label="macro AUC",
        form=".4f",
        better="high",
        compute=macro_auc,
        needs=("labels", "class_logits"),
        kind=MULTICLASS,
        note="macro AUC is the mean over classes of the AUC of each against the rest",
    )
)
