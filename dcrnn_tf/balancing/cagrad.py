"""CAGrad: the direction near the mean gradient that helps the task worst off most."""

import math
from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.balancing.base import BalancingError
from dcrnn_tf.balancing.combination import Combination, minimise_on_simplex, scaled
from dcrnn_tf.balancing.registry import register

_SMALLEST = 1e-12  # square of a length below which a combination counts as 0


@register("cagrad")
class CAGrad(Combination):
    """CAGrad: near the mean gradient, the task that gains least gains most.

    `max_d min_t g_t . d` with `||d - g_0|| <= c ||g_0||`, g_0 the mean of the g_t (Liu et al.,
    NeurIPS 2021, Algorithm 1). Its dual is, over the simplex,

        min_w  g_w . g_0 + c ||g_0|| ||g_w||,  g_w = sum_t w_t g_t,
        d = g_0 + c ||g_0|| / ||g_w|| g_w

    With c of 0 it is the mean, with a large c it tends to MGDA. T d is followed, so that c of 0 is
    the sum of the losses. The authors' code divides d by `1 + c` or `1 + c^2`, which the paper does
    not: neither is done here.

    Args:
      tasks: Names of the tasks, in order.
      c: Radius of the ball around the mean gradient, as a share of its length.

    Raises:
      BalancingError: c is no number from 0 to below 1.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.balancing.cagrad import CAGrad
      >>> weights = tf.Variable([0.0, 0.0])
      >>> way = CAGrad(["click", "conversion"], c=0.5)
      >>> with tf.GradientTape(persistent=True) as tape:
      ...     losses = {"click": weights[0], "conversion": weights[1]}
      ...     total = way.total(losses, penalties=[])
      >>> way.gradients(tape, total, losses, [], [weights])[0].numpy()  # equally good for both
      array([1.5, 1.5], dtype=float32)
    """

    def __init__(self, tasks: Sequence[str], c: float = 0.4):
        super().__init__(tasks)
        if not (isinstance(c, int | float) and 0 <= c < 1 and math.isfinite(c)):
            raise BalancingError(f"cagrad: c={c} must be a number from 0 to below 1")
        self.c = c

    def combination(self, products: tf.Tensor) -> tf.Tensor:
        """Returns the weights of T d."""
        exact = scaled(products)
        tasks = len(self.tasks)
        with_mean = tf.reduce_mean(exact, axis=1)  # g_t . g_0
        radius = self.c * tf.sqrt(tf.maximum(tf.reduce_mean(with_mean), 0))

        def length(weights: tf.Tensor) -> tf.Tensor:
            square = tf.tensordot(weights, tf.linalg.matvec(exact, weights), 1)
            return tf.sqrt(tf.maximum(square, _SMALLEST))

        def gradient(weights: tf.Tensor) -> tf.Tensor:
            return with_mean + radius * tf.linalg.matvec(exact, weights) / length(weights)

        def step(weights: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
            return _best_step(exact, with_mean, radius, weights, direction)

        weights = minimise_on_simplex(gradient, step, tasks)
        combined = 1 / tasks + radius / length(weights) * weights
        return tf.cast(tasks * combined, products.dtype)


def _best_step(
    products: tf.Tensor,
    slopes: tf.Tensor,
    radius: tf.Tensor,
    weights: tf.Tensor,
    direction: tf.Tensor,
) -> tf.Tensor:
    """Returns where `slopes . (w + s d) + radius ||g_(w + s d)||` is least, for s.

    The square of the norm is `q_0 + 2 q_1 s + q_2 s^2`. With `u = q_1 + q_2 s` and
    `D = q_0 q_2 - q_1^2` the derivative is 0 where `u / sqrt(u^2 + D)` is
    `-slopes . d / (radius sqrt(q_2))`; beyond 1 there is no such place.
    """
    times = tf.linalg.matvec(products, direction)
    square, cross = tf.tensordot(direction, times, 1), tf.tensordot(weights, times, 1)
    start = tf.tensordot(weights, tf.linalg.matvec(products, weights), 1)
    slope = tf.tensordot(slopes, direction, 1)
    left = tf.maximum(start * square - tf.square(cross), 0)
    wanted = tf.math.divide_no_nan(-slope, radius * tf.sqrt(tf.maximum(square, 0)))
    inside = wanted * tf.sqrt(left / tf.maximum(1 - tf.square(wanted), _SMALLEST))
    place = tf.math.divide_no_nan(inside - cross, square)
    least, most = tf.constant(0, tf.float64), tf.constant(1, tf.float64)
    # Without a second term, or beyond its slope, the function falls all the way or not at all.
    monotone = (tf.abs(wanted) >= 1) | (radius * square <= 0)
    return tf.where(monotone, tf.where(slope < 0, most, least), place)
