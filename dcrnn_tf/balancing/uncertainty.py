"""Uncertainty weighting."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from dcrnn_tf.balancing.base import Balancing, weight_names
from dcrnn_tf.balancing.registry import register


@register("uncertainty")
class Uncertainty(Balancing):
    """Weighs each task by a learnt uncertainty (Kendall et al., CVPR 2018, for classification).

        sum_t exp(-s_t) L_t + s_t / 2

    That is their Eq. 10 with `s_t = log sigma_t^2`: a cross entropy gets the factor `1 / sigma^2`
    (a squared error would get half of it), and `log sigma` keeps sigma from growing for ever. The
    optimizer of the dense weights trains s; where it is left alone, `exp(-s_t)` tends to
    `1 / (2 L_t)`.

    Args:
      tasks: names, in order.
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
        """The same."""
        return [self.log_variances]

    def total(self, losses: Mapping[str, tf.Tensor], penalties: Sequence[tf.Tensor]) -> tf.Tensor:
        """The equation above, and the penalties."""
        log_variances = tf.unstack(self.log_variances.value)
        weights = [tf.exp(-s) for s in log_variances]
        self._note_weights(weights)
        return self._weighted(weights, losses, [*(s / 2 for s in log_variances), *penalties])
