"""FAMO: weights that let all losses go down at one rate, without a gradient for each task."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from dcrnn_tf.balancing.base import Balancing, BalancingError, weight_names
from dcrnn_tf.balancing.registry import register

_LEAST = 1e-8  # losses below it count as it: their logarithms are taken


@register("famo")
class FAMO(Balancing):
    """FAMO: fast adaptive multitask optimization (Liu et al., NeurIPS 2023, Algorithm 1).

    A step follows the gradient of `sum_t w_t L_t` with

        w_t = T c z_t / L_t,  z = softmax(xi),  c = 1 / sum_t z_t / L_t

    which makes the logarithms of all losses go down alike where xi is at its best. After the step
    the losses of the same batch are computed once more, L', and xi takes a step of Adam against
    `J (log L - log L') + decay xi`, J the derivative of softmax: a task whose loss went down less
    than the others' gets more. The paper's c has no T; with it the weights have the sum T, as those
    of `sum`. The second forward pass is one in training mode, as the first. Every variable follows
    the weighted sum, the tasks' own ones too.

    Losses must be positive, as cross entropies are: others count as 1e-8.

    Args:
      tasks: Names of the tasks, in order.
      learning_rate: Learning rate of xi.
      decay: Weight decay of xi, the paper's gamma.

    Raises:
      BalancingError: The learning rate or the decay is negative.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.balancing.famo import FAMO
      >>> way = FAMO(["click", "conversion"])
      >>> losses = {"click": tf.constant(3.0), "conversion": tf.constant(1.0)}
      >>> float(way.total(losses, penalties=[]))  # 0.5 * 3 + 1.5 * 1
      3.0
      >>> way.look_back({"click": tf.constant(3.0), "conversion": tf.constant(0.5)})
      >>> way.preferences.numpy().round(3)  # the click's loss has not gone down
      array([ 0.025, -0.025], dtype=float32)
    """

    looks_back = True

    def __init__(self, tasks: Sequence[str], learning_rate: float = 0.025, decay: float = 0.001):
        super().__init__(tasks)
        for name, value in (("learning_rate", learning_rate), ("decay", decay)):
            if not value >= 0:
                raise BalancingError(f"famo: {name}={value} must be a number from 0")
        self.statistic_names = weight_names(self.tasks)
        zeros = tf.zeros(len(self.tasks))
        self.preferences = keras.Variable(zeros, dtype="float32", name="preferences")
        self._logarithms = keras.Variable(zeros, dtype="float32", trainable=False, name="before")
        self._optimizer = keras.optimizers.Adam(learning_rate)
        self._optimizer.build([self.preferences])
        self.decay = decay

    @property
    def variables(self) -> list[keras.Variable]:
        """xi, `(T,)`, which starts at 0, the last losses' logarithms, the optimizer's state."""
        return [self.preferences, self._logarithms, *self._optimizer.variables]

    def total(self, losses: Mapping[str, tf.Tensor], penalties: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns the weighted sum of the losses, and the penalties."""
        values = tf.stop_gradient(_stacked(losses, self.tasks))
        self._logarithms.assign(tf.math.log(values))
        shares = tf.nn.softmax(self.preferences.value.read_value()) / values
        weights = tf.unstack(len(self.tasks) * shares / tf.reduce_sum(shares))
        self._note_weights(weights)
        return self._weighted(weights, losses, penalties)

    def look_back(self, losses: Mapping[str, tf.Tensor]) -> None:
        """Takes the losses of the same batch after the step, and moves xi."""
        drop = self._logarithms.value - tf.math.log(_stacked(losses, self.tasks))
        preferences = self.preferences.value.read_value()
        shares = tf.nn.softmax(preferences)
        gradient = shares * (drop - tf.reduce_sum(shares * drop)) + self.decay * preferences
        self._optimizer.apply([gradient], [self.preferences])


def _stacked(losses: Mapping[str, tf.Tensor], tasks: Sequence[str]) -> tf.Tensor:
    return tf.maximum(tf.cast(tf.stack([losses[task] for task in tasks]), tf.float32), _LEAST)
