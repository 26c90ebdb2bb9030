"""Fixed weights of the tasks' losses."""

import math
from collections.abc import Mapping, Sequence

import tensorflow as tf

from dcrnn_tf.balancing.base import Balancing, BalancingError
from dcrnn_tf.balancing.registry import register


@register("fixed", across_replicas=True)
class Fixed(Balancing):
    """Fixed weights: `sum_t w_t L_t`.

    Args:
      tasks: Names of the tasks, in order.
      weights: Weight w of each task, a number from 0.

    Raises:
      BalancingError: The weights do not fit the tasks, or are all 0.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.balancing.fixed import Fixed
      >>> losses = {"click": tf.constant(3.0), "conversion": tf.constant(2.0)}
      >>> float(Fixed(["click", "conversion"], weights=[1, 0.5]).total(losses, penalties=[]))
      4.0
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
        """Returns the weighted sum of the losses, and the penalties."""
        return self._weighted(self.weights, losses, penalties)
