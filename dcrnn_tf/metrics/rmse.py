"""The root mean squared error of predicted numbers, beside that of the best constant."""

import numpy as np

from dcrnn_tf.dataset.schema import REGRESSION
from dcrnn_tf.metrics.registry import Metric, register


def rmse(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Root of the mean of `(y - p)^2`.

    Example:
      >>> from dcrnn_tf.metrics.rmse import rmse
      >>> rmse([0.0, 2.0], [1.0, 9.0])  # (1 + 49) / 2 = 5^2
      5.0
    """
    errors = np.asarray(labels, np.float64) - np.asarray(predictions, np.float64)
    return float(np.sqrt(np.mean(np.square(errors))))


def constant_rmse(labels: np.ndarray) -> float:
    """RMSE of the best constant, the mean of the labels: their standard deviation.

    Example:
      >>> from dcrnn_tf.metrics.rmse import constant_rmse
      >>> constant_rmse([1.0, 5.0])
      2.0
    """
    return float(np.std(np.asarray(labels, np.float64)))


register(
    Metric(
        "rmse",
        label="RMSE",
        form=".5g",
        better="low",
        compute=rmse,
        needs=("labels", "predictions"),
        kind=REGRESSION,
        reference=Metric(
            "constant_rmse",
            label="constant's RMSE",
            form=".5g",
            better="low",
            compute=constant_rmse,
            needs=("labels",),
            kind=REGRESSION,
        ),
        note="RMSE stands beside that of the best constant prediction, the mean",
    )
)
