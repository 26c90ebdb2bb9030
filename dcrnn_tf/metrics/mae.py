"""The mean absolute error of predicted numbers, beside that of the best constant."""

import numpy as np

from dcrnn_tf.dataset.schema import REGRESSION
from dcrnn_tf.metrics.registry import Metric, register


def mae(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Mean of `|y - p|`.

    Example:
      >>> from dcrnn_tf.metrics.mae import mae
      >>> mae([0.0, 2.0], [1.0, 9.0])  # (1 + 7) / 2
      4.0
    """
    errors = np.asarray(labels, np.float64) - np.asarray(predictions, np.float64)
    return float(np.mean(np.abs(errors)))


def constant_mae(labels: np.ndarray) -> float:
    """MAE of the best constant, the median of the labels.

    Example:
      >>> from dcrnn_tf.metrics.mae import constant_mae
      >>> constant_mae([1.0, 2.0, 9.0])  # (1 + 0 + 7) / 3
      2.6666666666666665
    """
    labels = np.asarray(labels, np.float64)
    return float(np.mean(np.abs(labels - np.median(labels))))


register(
    Metric(
        "mae",
        label="MAE",
        form=".5g",
        better="low",
        compute=mae,
        needs=("labels", "predictions"),
        kind=REGRESSION,
        reference=Metric(
            "constant_mae",
            label="constant's MAE",
            form=".5g",
            better="low",
            compute=constant_mae,
            needs=("labels",),
            kind=REGRESSION,
        ),
        note="MAE stands beside that of the best constant prediction, the median",
    )
)
