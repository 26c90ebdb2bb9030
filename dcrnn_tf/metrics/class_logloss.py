"""The log loss of the probabilities of classes, beside that of the best constant."""

import numpy as np

from dcrnn_tf.dataset.schema import MULTICLASS
from dcrnn_tf.metrics.registry import Metric, register


def class_logloss(labels: np.ndarray, class_logits: np.ndarray) -> float:
    """Mean of `-log softmax(z)_y`.

    Example:
      >>> from dcrnn_tf.metrics.class_logloss import class_logloss
      >>> round(class_logloss([3], [[0.0, 0.0, 0.0, 0.0]]), 4)  # log 4
      1.3863
    """
    labels, logits = np.asarray(labels, np.int64), np.asarray(class_logits, np.float64)
    own = np.take_along_axis(logits, labels[:, np.newaxis], axis=1)[:, 0]
    return float(np.mean(np.logaddexp.reduce(logits, axis=1) - own))


def constant_class_logloss(labels: np.ndarray) -> float:
    """Log loss of the best constant: always predicting the shares of the classes.

    Example:
      >>> from dcrnn_tf.metrics.class_logloss import constant_class_logloss
      >>> round(constant_class_logloss([0, 1, 1, 1]), 4)  # -(0.25 log 0.25 + 0.75 log 0.75)
      0.5623
    """
    counts = np.bincount(np.asarray(labels, np.int64))
    shares = counts[counts > 0] / len(labels)
    return float(-np.sum(shares * np.log(shares)))


register(
    Metric(
        "class_logloss",
        label="log loss of classes",
        form=".5f",
        difference_form=".6f",
        better="low",
        compute=class_logloss,
        needs=("labels", "class_logits"),
        kind=MULTICLASS,
        reference=Metric(
            "constant_class_logloss",
            label="constant's log loss of classes",
            form=".5f",
            better="low",
            compute=constant_class_logloss,
            needs=("labels",),
            kind=MULTICLASS,
        ),
        note="log loss of classes stands beside that of always predicting their shares",
    )
)
