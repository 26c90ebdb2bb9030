"""Uncertainty weighting: a learned variance of each task weighs its loss."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from dcrnn_tf.balancing.base import Balancing, weight_names
from dcrnn_tf.balancing.registry import register


@register("uncertainty")
class Uncertainty(Balancing):
    """Uncertainty weighting: `sum_t exp(-s_t) L_t + s_t / 2` (Kendall et al., CVPR 2018, Eq. 10).

    It is the paper's form for classification, with `s_t = log sigma_t^2`: a cross entropy gets the
    factor `1 / sigma^2` (a squared error would get half of it), and `log sigma` keeps sigma from
    growing without end. The optimizer of the dense weights trains s; where nothing else acts on it,
    `exp(-s_t)` tends to `1 / (2 L_t)`.

    Args:
      tasks: Names of the tasks, in order.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.balancing.uncertainty import Uncertainty
      >>> way = Uncertainty(["click", "conversion"])
      >>> losses = {"click": tf.constant(3.0), "conversion": tf.constant(2.0)}
      >>> float(way.total(losses, penalties=[]))  # s starts at 0
      5.0
    """

    def __init__(self, tasks: Sequence[str]):
        super().__init__(tasks)
        self.statistic_names = weight_names(self.tasks)
        self.log_variances = keras.Variable(
            tf.zeros(len(self.tasks)), dtype="float32", name="log_variances"
        )

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """s, `(T,)`, which starts at 0."""
        return [self.log_variances]

    @property
    def variables(self) -> list[keras.Variable]:
        """s, `(T,)`."""
        return [self.log_variances]

    def total(self, losses: Mapping[str, tf.Tensor], penalties: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns the sum of the equation, and the penalties."""
        log_variances = tf.unstack(self.log_variances.value)
        weights = [tf.exp(-s) for s in log_variances]
        self._note_weights(weights)
        return self._weighted(weights, losses, [*(s / 2 for s in log_variances), *penalties])
