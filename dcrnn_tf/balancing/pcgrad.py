"""PCGrad: gradients of tasks that conflict are projected."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.balancing.base import weight_names
from dcrnn_tf.balancing.combination import Combination
from dcrnn_tf.balancing.registry import register


@register("pcgrad")
class PCGrad(Combination):
    """PCGrad: each task's gradient is projected off those with which it conflicts.

    For each task i and every other j, in an order drawn for i at each step (Yu et al., NeurIPS
    2020, Algorithm 1):

        g_i <- g_i - (g_i . g_j) / ||g_j||^2 g_j   if g_i . g_j < 0

    with the g_j as they were; the sum of all g_i is followed. Whatever is projected stays a
    combination of the original gradients, `sum_k a_k g_k`; so the inner products are all that is
    computed (see `Combination`), and the `a_k` are the tasks' weights, 1 where nothing conflicts.

    Args:
      tasks: Names of the tasks, in order.
      seed: Seed of the orders.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.balancing.pcgrad import PCGrad
      >>> weights = tf.Variable([0.0, 0.0])
      >>> way = PCGrad(["click", "conversion"])
      >>> with tf.GradientTape(persistent=True) as tape:
      ...     losses = {"click": weights[0], "conversion": weights[1] - weights[0]}
      ...     total = way.total(losses, penalties=[])
      >>> way.gradients(tape, total, losses, [], [weights])[0].numpy()  # (0.5, 0.5) + (0, 1)
      array([0.5, 1.5], dtype=float32)
    """

    def __init__(self, tasks: Sequence[str], seed: int = 1):
        super().__init__(tasks)
        self.seed = seed
        self.statistic_names = ("conflicts", *weight_names(self.tasks))
        self._step = keras.Variable(0, dtype="int64", trainable=False, name="step")

    @property
    def variables(self) -> list[keras.Variable]:
        """The number of steps done, on which the orders depend."""
        return [self._step]

    def combination(self, products: tf.Tensor) -> tf.Tensor:
        """Returns the weights a of the projected gradients' sum."""
        tasks = len(self.tasks)
        conflicts = tf.math.count_nonzero(products < 0, dtype=tf.float32)
        self.statistics["conflicts"] = conflicts / max(1, tasks * (tasks - 1))
        return tf.reduce_sum(projected(products, self._orders()), axis=0)

    def _orders(self) -> tf.Tensor:
        """Returns an order of all tasks for each task, `(T, T)`."""
        seed = tf.stack([tf.constant(self.seed, tf.int64), self._step.value.assign_add(1)])
        shape = (len(self.tasks), len(self.tasks))
        return tf.argsort(tf.random.stateless_uniform(shape, seed), axis=1, stable=True)


def projected(products: tf.Tensor, orders: tf.Tensor) -> tf.Tensor:
    """Returns the coefficients `c_ik` of the projected gradients `sum_k c_ik g_k`, `(T, T)`.

    Args:
      products: Inner products `g_i . g_j`, `(T, T)`.
      orders: Row i holds the tasks that gradient i is compared with, in order; i itself, which is
        passed over, may be among them.
    """
    tasks = products.shape[0]
    coefficients = tf.eye(tasks, dtype=products.dtype)
    squares = tf.linalg.diag_part(products)
    for other in tf.unstack(orders, num=orders.shape[1], axis=1):
        inner = tf.reduce_sum(coefficients * tf.gather(products, other), axis=1)
        conflict = (inner < 0) & (other != tf.range(tasks))
        share = tf.where(conflict, tf.math.divide_no_nan(inner, tf.gather(squares, other)), 0)
        coefficients -= share[:, None] * tf.one_hot(other, tasks, dtype=products.dtype)
    return coefficients
