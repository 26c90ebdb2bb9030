"""Losses of numbers, on the scale on which they are learned."""

import dataclasses
import math

import keras
import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset import targets
from dcrnn_tf.dataset.checked import checked
from dcrnn_tf.dataset.targets import Target
from dcrnn_tf.models.predictions import lognormal_parts


class RegressionLoss(keras.losses.Loss):
    """The base of losses of numbers.

    A label of NaN marks an example on which the task is not defined: it adds nothing to the sum,
    and still counts in the number of examples that the sum is divided by.

    Args:
      target: Scale of the labels, or its attributes.

    Call arguments: labels `(batch,)` as they are, and outputs on the learned scale, `(batch,)`.
    """

    substitute = 0.0  # takes the place of a label that is not defined

    def __init__(self, target: Target | dict, name: str = "regression", **kwargs):
        super().__init__(name=name, **kwargs)
        self.target = target if isinstance(target, Target) else checked(Target, target)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each example, `(batch,)`."""
        outputs = tf.convert_to_tensor(y_pred)
        labels = tf.reshape(tf.cast(y_true, outputs.dtype), tf.shape(outputs)[:1])
        defined = tf.equal(labels, labels)
        loss = self.of_defined(tf.where(defined, labels, self.substitute), outputs)
        return tf.where(defined, loss, tf.zeros_like(loss))

    def of_defined(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each example, all of which have labels."""
        return self.of_scaled(self.target.scaled(labels, tf.math), outputs)

    def of_scaled(self, scaled: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each example from scaled labels and outputs."""
        raise NotImplementedError

    def get_config(self) -> dict:
        """Arguments of the constructor."""
        return super().get_config() | {"target": dataclasses.asdict(self.target)}


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class Squared(RegressionLoss):
    """The squared error of scaled numbers, `(z - y)^2`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.dataset.targets import Target
      >>> from dcrnn_tf.training.losses import Squared
      >>> loss = Squared(Target("squared", mean=10.0, deviation=5.0))
      >>> float(loss(tf.constant([20.0, 10.0]), tf.constant([1.0, 1.0])))  # (1 + 1) / 2
      1.0
    """

    def of_scaled(self, scaled: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each example from scaled labels and outputs."""
        return tf.square(outputs - scaled)


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class Huber(RegressionLoss):
    """Huber's loss of scaled numbers: `(z - y)^2 / 2` up to an error of 1, then `|z - y| - 1/2`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.dataset.targets import Target
      >>> from dcrnn_tf.training.losses import Huber
      >>> loss = Huber(Target("huber", mean=10.0, deviation=5.0))
      >>> float(loss(tf.constant([20.0, 10.0]), tf.constant([-1.0, 1.0])))  # (2.5 + 0.5) / 2
      1.5
    """

    def of_scaled(self, scaled: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each example from scaled labels and outputs."""
        error = tf.abs(outputs - scaled)
        inside = tf.minimum(error, 1.0)
        return inside * (error - inside / 2)


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class Logistic(RegressionLoss):
    """The cross entropy of scaled numbers under the logistic function.

    The label `q = sigmoid(y)` lies between 0 and 1, and so does `sigmoid(z)`:
    `-(q log sigmoid(z) + (1 - q) log(1 - sigmoid(z)))`. It is least where z = y, and its gradient
    `sigmoid(z) - q` is below 1 however far a number lies from the others.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.dataset.targets import Target
      >>> from dcrnn_tf.training.losses import Logistic
      >>> loss = Logistic(Target("logistic", mean=10.0, deviation=5.0))
      >>> round(float(loss(tf.constant([10.0]), tf.constant([0.0]))), 4)  # log 2
      0.6931
    """

    def of_scaled(self, scaled: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each example from scaled labels and outputs."""
        return tf.nn.sigmoid_cross_entropy_with_logits(tf.sigmoid(scaled), outputs)


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class ZeroInflatedLognormal(RegressionLoss):
    """The loss of amounts from 0, many of which are 0 (Wang et al., arXiv 1912.07753).

    With an amount above 0 at the probability `p = sigmoid(logit)`, and its scaled logarithm t
    normal with mu and sigma, it is `-log(1 - p)` of an amount of 0, and of another one
    `-log p + log sigma + log(2 pi) / 2 + (t - mu)^2 / (2 sigma^2)`: up to a constant, the negative
    log likelihood of the amount.

    Call arguments: labels `(batch,)` as they are, and outputs `(batch, 3)`: what is added to the
    logit of the share of amounts above 0 in training, mu, and s with `sigma = softplus(s)`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.dataset.targets import Target
      >>> from dcrnn_tf.training.losses import ZeroInflatedLognormal
      >>> loss = ZeroInflatedLognormal(Target("zero_inflated_lognormal", "log"))
      >>> round(float(loss(tf.constant([0.0]), tf.constant([[0.0, 5.0, 5.0]]))), 4)  # log 2
      0.6931
    """

    def of_defined(self, labels: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each example, all of which have labels."""
        logit, mu, sigma = lognormal_parts(outputs, self.target)
        above_0 = labels > 0
        scaled = self.target.scaled(tf.where(above_0, labels, 1.0), tf.math)
        distance = (scaled - mu) / sigma
        of_amount = tf.math.log(sigma) + 0.5 * math.log(2 * math.pi) + 0.5 * tf.square(distance)
        occurs = tf.cast(above_0, logit.dtype)
        return tf.nn.sigmoid_cross_entropy_with_logits(occurs, logit) + tf.where(
            above_0, of_amount, tf.zeros_like(of_amount)
        )


LOSSES = {
    targets.SQUARED: Squared,
    targets.HUBER: Huber,
    targets.LOGISTIC: Logistic,
    targets.ZERO_INFLATED_LOGNORMAL: ZeroInflatedLognormal,
}


def initial_loss(target: Target) -> float:
    """Returns the mean training loss of a model whose outputs are all 0.

    The scaled numbers are taken to be normal, with the mean and deviation of the training rows.

    Args:
      target: Target of the task.

    Example:
      >>> from dcrnn_tf.dataset.targets import Target
      >>> from dcrnn_tf.training.losses.regression import initial_loss
      >>> round(initial_loss(Target("squared", mean=10.0, deviation=5.0)), 6)  # the variance
      1.0
    """
    mean, deviation = target.moments()
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    numbers = mean + deviation * nodes
    loss = LOSSES[target.loss](target)
    if target.is_amount:
        outputs = tf.zeros((len(nodes), 3), tf.float64)
        raw = np.exp(numbers * target.scale + target.shift)
        of_amounts = np.average(loss.of_defined(tf.constant(raw), outputs), weights=weights)
        of_0 = loss.of_defined(tf.zeros(1, tf.float64), outputs[:1]).numpy()
        return float(target.above_0 * of_amounts + (1 - target.above_0) * of_0[0])
    losses = loss.of_scaled(tf.constant(numbers), tf.zeros(len(nodes), tf.float64)).numpy()
    return float(np.average(losses, weights=weights))
