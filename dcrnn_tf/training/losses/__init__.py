"""The losses of tasks: one module for each kind of loss, and one for all tasks of a dataset."""

from dcrnn_tf.training.losses.cross_entropy import WeightedCrossEntropy, positive_weights
from dcrnn_tf.training.losses.of_tasks import initial_losses, multi_task_losses
from dcrnn_tf.training.losses.regression import Huber, Logistic, Squared, ZeroInflatedLognormal
from dcrnn_tf.training.losses.softmax import SoftmaxCrossEntropy

__all__ = [
    "Huber",
    "Logistic",
    "SoftmaxCrossEntropy",
    "Squared",
    "WeightedCrossEntropy",
    "ZeroInflatedLognormal",
    "initial_losses",
    "multi_task_losses",
    "positive_weights",
]
