"""Random weights of the losses, drawn anew at each step."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from dcrnn_tf.balancing.base import Balancing, weight_names
from dcrnn_tf.balancing.registry import register


@register("random_weights")
class RandomWeights(Balancing):
    """Random loss weighting: `sum_t w_t L_t` with weights drawn at each step (RLW).

    `w = T softmax(z)`, z standard normal (Lin et al., TMLR 2022). The paper's weights have the sum
    1, here it is T, so that their mean is the sum of the losses. It is the reference for every way
    that chooses weights with care.

    Args:
      tasks: Names of the tasks, in order.
      seed: Seed of the weights.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.balancing.random_weights import RandomWeights
      >>> way = RandomWeights(["click", "conversion"], seed=1)
      >>> losses = {"click": tf.constant(3.0), "conversion": tf.constant(3.0)}
      >>> float(way.total(losses, penalties=[]))  # the weights' sum is 2
      6.0
    """

    def __init__(self, tasks: Sequence[str], seed: int = 1):
        super().__init__(tasks)
        self.seed = seed
        self.statistic_names = weight_names(self.tasks)
        self._step = keras.Variable(0, dtype="int64", trainable=False, name="step")

    @property
    def variables(self) -> list[keras.Variable]:
        """The number of steps done, on which the weights depend."""
        return [self._step]

    def total(self, losses: Mapping[str, tf.Tensor], penalties: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns the weighted sum of the losses, and the penalties."""
        seed = tf.stack([tf.constant(self.seed, tf.int64), self._step.value.assign_add(1)])
        drawn = tf.random.stateless_normal((len(self.tasks),), seed)
        weights = tf.unstack(len(self.tasks) * tf.nn.softmax(drawn))
        self._note_weights(weights)
        return self._weighted(weights, losses, penalties)
