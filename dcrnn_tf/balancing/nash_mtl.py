"""Nash-MTL: the combination of gradients on which the tasks would agree as bargainers."""

import tensorflow as tf

from dcrnn_tf.balancing.combination import Combination, cosines
from dcrnn_tf.balancing.registry import register

_RIDGE = 1e-7  # on the cosines, for gradients that cancel
_ITERATIONS = 50


@register("nash_mtl")
class NashMTL(Combination):
    """Nash-MTL: the tasks bargain for the direction of the step (Navon et al., ICML 2022).

    The Nash bargaining solution maximises `sum_t log(g_t . d)` over directions d of a given length.
    It is `d = sum_t a_t g_t` with `G^T G a = 1 / a`, entry by entry, `a > 0` (Claim 3.1). So d does
    not depend on how losses are scaled, and has the length `sqrt(T)` at every step.

    That equation is where the gradient of the convex function `a . G^T G a / 2 - sum_t log a_t` is
    0; Newton's method finds it to the last digits in a few iterations, where the paper solves a
    sequence of convex programs approximately. The weights are computed at every step, not every few
    of them, and d is not shortened further.

    Args:
      tasks: Names of the tasks, in order.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.balancing.nash_mtl import NashMTL
      >>> weights = tf.Variable([0.0, 0.0])
      >>> way = NashMTL(["click", "conversion"])
      >>> with tf.GradientTape(persistent=True) as tape:
      ...     losses = {"click": weights[0], "conversion": 5 * weights[1]}
      ...     total = way.total(losses, penalties=[])
      >>> way.gradients(tape, total, losses, [], [weights])[0].numpy().round(3)
      array([1., 1.], dtype=float32)
    """

    def combination(self, products: tf.Tensor) -> tf.Tensor:
        """Returns a."""
        between, norms = cosines(products)
        # Of gradients of length 1; those of the others follow, since d does not depend on lengths.
        agreed = bargain(between + _RIDGE * tf.eye(len(self.tasks), dtype=between.dtype))
        return tf.cast(tf.math.divide_no_nan(agreed, norms), products.dtype)


def bargain(products: tf.Tensor) -> tf.Tensor:
    """Returns the solution of `M a = 1 / a` above 0, `(T,)`.

    The function minimised is self-concordant: Newton steps shortened by `1 / (1 + l)`, l the Newton
    decrement, stay above 0 and converge from anywhere.

    Args:
      products: Matrix M, positive definite, float64 `(T, T)`.
    """

    def residual(agreed: tf.Tensor) -> tf.Tensor:
        return tf.linalg.matvec(products, agreed) - 1 / agreed

    def unfinished(agreed: tf.Tensor) -> tf.Tensor:
        return tf.reduce_max(tf.abs(residual(agreed) * agreed)) > 1e-9

    def newton(agreed: tf.Tensor) -> tuple[tf.Tensor]:
        slope = residual(agreed)
        # In the variables `a_new / a` the system is well scaled.
        curvature = products * agreed * agreed[:, None] + tf.eye(
            agreed.shape[0], dtype=agreed.dtype
        )
        step = tf.linalg.solve(curvature, (slope * agreed)[:, None])[:, 0]
        decrement = tf.sqrt(tf.maximum(tf.reduce_sum(step * slope * agreed), 0))
        shortened = tf.where(decrement < 0.25, tf.ones_like(decrement), 1 / (1 + decrement))
        return (agreed * (1 - shortened * step),)

    start = 1 / tf.sqrt(tf.linalg.diag_part(products))
    (agreed,) = tf.while_loop(unfinished, newton, (start,), maximum_iterations=_ITERATIONS)
    return agreed
