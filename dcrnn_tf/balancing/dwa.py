"""Dynamic weight average: a task whose loss goes down slowly gets a larger weight."""

import math
from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from dcrnn_tf.balancing.base import Balancing, BalancingError, Gradient, weight_names
from dcrnn_tf.balancing.registry import register


@register("dwa")
class DWA(Balancing):
    """Dynamic weight average: a task weighs more the more slowly its loss went down (DWA).

        w_t(e) = T exp(r_t(e) / temperature) / sum_i exp(r_i(e) / temperature),
        r_t(e) = L_t(e - 1) / L_t(e - 2)

    with T tasks and `L_t(e)` the mean loss of epoch e (Liu et al., CVPR 2019, Eq. 7). In the first
    two epochs all weights are 1.

    Args:
      tasks: Names of the tasks, in order.
      steps_per_epoch: Number of steps that make an epoch.
      temperature: Temperature of the softmax; the larger, the more alike the weights.

    Raises:
      BalancingError: The temperature is no finite number above 0.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.balancing.dwa import DWA
      >>> way = DWA(["click", "conversion"], steps_per_epoch=1)
      >>> losses = {"click": tf.constant(3.0), "conversion": tf.constant(2.0)}
      >>> float(way.total(losses, penalties=[]))  # all weights are 1 at first
      5.0
    """

    def __init__(self, tasks: Sequence[str], steps_per_epoch: int, temperature: float = 2.0):
        super().__init__(tasks)
        if not 0 < temperature < math.inf:
            raise BalancingError(f"dwa_temperature={temperature} must be a finite number above 0")
        self.steps_per_epoch = steps_per_epoch
        self.temperature = temperature
        self.statistic_names = weight_names(self.tasks)

        def losses(name: str) -> keras.Variable:
            zeros = tf.zeros(len(self.tasks), tf.float64)
            return keras.Variable(zeros, dtype="float64", trainable=False, name=name)

        self._sums, self._last, self._before = map(losses, ("sums", "last_epoch", "epoch_before"))
        self._step = keras.Variable(0, dtype="int64", trainable=False, name="step")

    @property
    def variables(self) -> list[keras.Variable]:
        """Sums of this epoch's losses, means of the two epochs before, and the number of steps."""
        return [self._sums, self._last, self._before, self._step]

    def total(self, losses: Mapping[str, tf.Tensor], penalties: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns the weighted sum of the losses, and the penalties."""
        ratios = tf.math.divide_no_nan(self._last.value, self._before.value)
        weights = len(self.tasks) * tf.nn.softmax(ratios / self.temperature)
        early = self._step.value < 2 * self.steps_per_epoch
        weights = tf.where(early, tf.ones_like(weights), weights)
        weights = tf.unstack(tf.cast(weights, tf.float32))
        self._note_weights(weights)
        return self._weighted(weights, losses, penalties)

    def gradients(
        self,
        tape: tf.GradientTape,
        total: tf.Tensor,
        losses: Mapping[str, tf.Tensor],
        penalties: Sequence[tf.Tensor],
        variables: Sequence[keras.Variable],
    ) -> list[Gradient]:
        """Returns the gradients of the weighted sum, and takes note of the losses."""
        step = self._step.value.assign_add(1)
        sums = self._sums.value + tf.cast(tf.stack([losses[t] for t in self.tasks]), tf.float64)
        whole = tf.equal(step % self.steps_per_epoch, 0)
        last, before = self._last.value.read_value(), self._before.value.read_value()
        self._before.assign(tf.where(whole, last, before))
        self._last.assign(tf.where(whole, sums / self.steps_per_epoch, last))
        self._sums.assign(tf.where(whole, tf.zeros_like(sums), sums))
        return super().gradients(tape, total, losses, penalties, variables)
