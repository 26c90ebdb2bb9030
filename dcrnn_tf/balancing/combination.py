"""The base of ways that follow a combination of the tasks' gradients, and solvers of theirs."""

from collections.abc import Callable, Mapping, Sequence

import keras
import tensorflow as tf

from dcrnn_tf.balancing.base import Balancing, Gradient, weight_names
from dcrnn_tf.balancing.task_gradients import TaskGradients, added


class Combination(Balancing):
    """A combination `sum_t w_t g_t` of the tasks' gradients, w from their inner products.

    Inner products go over all variables that more than one task's loss reaches, among them the
    embedding table, and variables that hold all tasks' weights side by side, as DCRNN's kernels do.
    A variable that one task has to itself gets that task's gradient as it is. A way is a subclass
    with `combination`.

    Args:
      tasks: Names of the tasks, in order.
    """

    compiles = False  # the number of distinct rows of a table depends on the batch
    per_task = True

    def __init__(self, tasks: Sequence[str]):
        super().__init__(tasks)
        self.statistic_names = weight_names(self.tasks)

    def combination(self, products: tf.Tensor) -> tf.Tensor:
        """Returns the weights w, `(T,)`, in the type of the products.

        Args:
          products: Inner products `g_i . g_j`, `(T, T)`.
        """
        raise NotImplementedError

    def gradients(
        self,
        tape: tf.GradientTape,
        total: tf.Tensor,
        losses: Mapping[str, tf.Tensor],
        penalties: Sequence[tf.Tensor],
        variables: Sequence[keras.Variable],
    ) -> list[Gradient]:
        """Returns the combination of the tasks' gradients, and the gradients of the penalties."""
        own = TaskGradients(tape, [losses[task] for task in self.tasks], variables)
        weights = tf.unstack(self.combination(own.inner_products()), num=len(self.tasks))
        self._note_weights(weights)
        gradients = own.combined(weights, [1.0] * len(self.tasks))
        if penalties:
            gradients = added(gradients, tape.gradient(list(penalties), variables))
        return gradients


def scaled(products: tf.Tensor) -> tf.Tensor:
    """Returns inner products in double precision, scaled so that the mean of the squares is 1.

    Args:
      products: Inner products `g_i . g_j`, `(T, T)`.
    """
    products = tf.cast(products, tf.float64)
    mean = tf.linalg.trace(products) / products.shape[0]
    return tf.math.divide_no_nan(products, mean)


def cosines(products: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the cosines between gradients, `(T, T)`, and their norms, in double precision.

    A gradient of nothing counts as one at right angles to all others.

    Args:
      products: Inner products `g_i . g_j`, `(T, T)`.
    """
    products = tf.cast(products, tf.float64)
    norms = tf.sqrt(tf.linalg.diag_part(products))
    between = tf.math.divide_no_nan(products, norms * norms[:, None])
    return tf.linalg.set_diag(between, tf.ones_like(norms)), norms


def minimise_on_simplex(
    gradient: Callable[[tf.Tensor], tf.Tensor],
    step: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    tasks: int,
    tolerance: float = 1e-9,
    most: int = 200,
) -> tf.Tensor:
    """Returns the point of the simplex, `w >= 0` and `sum w = 1`, that minimises a convex function.

    Each iteration moves weight from the coordinate with the largest derivative (of those above 0)
    to the one with the least, as far as pays; two coordinates take one iteration.

    Args:
      gradient: Function of w, `(T,)`, that returns the gradient there.
      step: Function of w and of a direction that returns how far to go in it, at best.
      tasks: Number of coordinates, T.
      tolerance: Difference of the two derivatives, or length of a move, at which w is good enough.
      most: Largest number of iterations.
    """

    def extremes(weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        slopes = gradient(weights)
        least = tf.argmin(slopes)
        largest = tf.argmax(tf.where(weights > 0, slopes, tf.reduce_min(slopes)))
        return least, largest, slopes[largest] - slopes[least]

    def unfinished(moved: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        return (extremes(weights)[2] > tolerance) & (moved > tolerance)

    def move(_: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        least, largest, _ = extremes(weights)
        one, other = (tf.one_hot(i, tasks, dtype=weights.dtype) for i in (least, largest))
        available = weights[largest]
        moved = tf.clip_by_value(step(weights, one - other), 0, available)
        kept = tf.where(moved < available, available - moved, 0)  # 0 is then exact
        return moved, (weights + moved * one) * (1 - other) + kept * other

    start = tf.fill([tasks], tf.constant(1 / tasks, tf.float64))
    first = tf.constant(1, tf.float64)
    _, weights = tf.while_loop(unfinished, move, (first, start), maximum_iterations=most)
    return weights
