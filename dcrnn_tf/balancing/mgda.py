"""MGDA: the shortest mean of the tasks' gradients, along which no loss goes up."""

import tensorflow as tf

from dcrnn_tf.balancing.combination import Combination, minimise_on_simplex, scaled
from dcrnn_tf.balancing.registry import register


@register("mgda")
class MGDA(Combination):
    """MGDA: the shortest convex combination of the tasks' gradients is followed.

    `min_w ||sum_t w_t g_t||^2` with `w >= 0` and `sum_t w_t = 1` (Désidéri 2012; Sener and Koltun,
    NeurIPS 2018, Eq. 3). Either it is 0, and no direction makes all losses lower, or it has a
    product with each g_t that is at least its own square. Here w is scaled to the sum T, so that
    equal gradients are followed as with the sum of the losses. Gradients are taken as they are: the
    authors' code can divide them by their norms or losses first, which the paper leaves open.

    Args:
      tasks: Names of the tasks, in order.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.balancing.mgda import MGDA
      >>> weights = tf.Variable([0.0, 0.0])
      >>> way = MGDA(["click", "conversion"])
      >>> with tf.GradientTape(persistent=True) as tape:
      ...     losses = {"click": weights[0], "conversion": 2 * weights[1]}
      ...     total = way.total(losses, penalties=[])
      >>> way.gradients(tape, total, losses, [], [weights])[0].numpy()  # 1.6 (1, 0) + 0.4 (0, 2)
      array([1.6, 0.8], dtype=float32)
    """

    def combination(self, products: tf.Tensor) -> tf.Tensor:
        """Returns the weights of the shortest combination, times T."""
        weights = shortest(scaled(products))
        return tf.cast(len(self.tasks) * weights, products.dtype)


def shortest(products: tf.Tensor) -> tf.Tensor:
    """Returns the weights of the shortest convex combination, `(T,)`, whose sum is 1.

    Args:
      products: Inner products, float64 `(T, T)`.
    """

    def times(weights: tf.Tensor) -> tf.Tensor:
        return tf.linalg.matvec(products, weights)

    def step(weights: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
        return tf.math.divide_no_nan(
            -tf.reduce_sum(direction * times(weights)),
            tf.reduce_sum(direction * times(direction)),
        )

    return minimise_on_simplex(times, step, products.shape[0])
