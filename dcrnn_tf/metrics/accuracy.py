"""The accuracy of predicted classes, beside that of the best constant."""

import numpy as np

from dcrnn_tf.dataset.schema import MULTICLASS
from dcrnn_tf.metrics.registry import Metric, register


def accuracy(labels: np.ndarray, class_logits: np.ndarray) -> float:
    """Share of rows whose class has the highest logit; of a tie the first class counts.

    Example:
      >>> from dcrnn_tf.metrics.accuracy import accuracy
      >>> accuracy([0, 2], [[1.0, 0.0, 0.0], [0.5, 1.0, 0.0]])
      0.5
    """
    return float(np.mean(np.argmax(class_logits, axis=1) == np.asarray(labels)))


def constant_accuracy(labels: np.ndarray) -> float:
    """Accuracy of the best constant, the most frequent class.

    Example:
      >>> from dcrnn_tf.metrics.accuracy import constant_accuracy
      >>> constant_accuracy([0, 2, 2, 1])
      0.5
    """
    return float(np.bincount(np.asarray(labels, np.int64)).max() / len(labels))


register(
    Metric(
        "accuracy",
        label="accuracy",
        form=".4f",
        better="high",
        compute=accuracy,
        needs=("labels", "class_logits"),
        kind=MULTICLASS,
        reference=Metric(
            "constant_accuracy",
            label="constant's accuracy",
            form=".4f",
            better="high",
            compute=constant_accuracy,
            needs=("labels",),
            kind=MULTICLASS,
        ),
        note="accuracy stands beside that of the most frequent class",
    )
)
