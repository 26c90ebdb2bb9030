"""IMTL-G: a combination of gradients that has equal projections onto each of them."""

import tensorflow as tf

from dcrnn_tf.balancing.combination import Combination, cosines
from dcrnn_tf.balancing.registry import register

_RIDGE = 1e-9  # on the cosines, for gradients that point the same way or cancel


@register("imtl_g")
class IMTLG(Combination):
    """IMTL-G: what is followed goes equally far along each task's gradient (Liu et al., ICLR 2021).

    `sum_t w_t g_t . u_i` is the same for each i, `u_i = g_i / ||g_i||` (Eq. 3). With the matrix C
    of the cosines, `w_t ||g_t||` is proportional to `C^-1 1`, which is the paper's closed form; of
    two tasks the longer gradient is scaled to the shorter. The paper scales w to the sum 1, here it
    is T, so that equal gradients are followed as with the sum of the losses. Weights may be
    negative. Where their sum is, the paper's scaling would turn the direction around, so that all
    losses go up; here its sign stays that of descent.

    Of IMTL this is the balance of gradients; its balance of losses, IMTL-L, is `uncertainty` with
    another parameter.

    Args:
      tasks: Names of the tasks, in order.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.balancing.imtl_g import IMTLG
      >>> weights = tf.Variable([0.0, 0.0])
      >>> way = IMTLG(["click", "conversion"])
      >>> with tf.GradientTape(persistent=True) as tape:
      ...     losses = {"click": weights[0], "conversion": 3 * weights[1]}
      ...     total = way.total(losses, penalties=[])
      >>> way.gradients(tape, total, losses, [], [weights])[0].numpy()  # 1.5 (1, 0) + 0.5 (0, 3)
      array([1.5, 1.5], dtype=float32)
    """

    def combination(self, products: tf.Tensor) -> tf.Tensor:
        """Returns the weights, times T."""
        between, norms = cosines(products)
        tasks = len(self.tasks)
        between += _RIDGE * tf.eye(tasks, dtype=between.dtype)
        even = tf.linalg.solve(between, tf.ones((tasks, 1), between.dtype))[:, 0]
        weights = tf.math.divide_no_nan(even, norms)
        weights = tf.math.divide_no_nan(weights, tf.abs(tf.reduce_sum(weights)))
        return tf.cast(tasks * weights, products.dtype)
