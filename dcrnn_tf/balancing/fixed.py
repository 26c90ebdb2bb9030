"""Fixed weights."""

import math
from collections.abc import Mapping, Sequence

import tensorflow as tf

from dcrnn_tf.balancing.base import Balancing, BalancingError
from dcrnn_tf.balancing.registry import register


@register("fixed", across_replicas=True)
class Fixed(Balancing):
    """`sum_t w_t L_t` with weights that are given.

    Args:
      tasks: names, in order.
      weights: w, a number from 0 for each of them.

    Raises:
      BalancingError: the weights do not fit.
    """

    def __init__(self, tasks: Sequence[str], weights: Sequence[float] = ()):
        super().__init__(tasks)
        self.weights = [float(weight) for weight in weights]
        sound = all(0 <= weight < math.inf for weight in self.weights) and any(self.weights)
        if len(self.weights) != len(self.tasks) or not sound:
            raise BalancingError(
                f"task_weights={self.weights} must be one finite number from 0 for each of the "
                f"{len(self.tasks)} tasks {', '.join(self.tasks)}, and not all of them 0"
            )

    def total(self, losses: Mapping[str, tf.Tensor], penalties: Sequence[tf.Tensor]) -> tf.Tensor:
        """The weighted sum, and the penalties."""
        return self._weighted(self.weights, losses, penalties)
