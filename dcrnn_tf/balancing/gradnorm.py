"""GradNorm: weights under which the tasks' gradients get the norms that balance them."""

import math
from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from dcrnn_tf.balancing.base import Balancing, BalancingError, Gradient, weight_names
from dcrnn_tf.balancing.registry import register
from dcrnn_tf.balancing.task_gradients import TaskGradients, added

_LEAST = 0.001  # least weight; the update could make it negative


@register("gradnorm")
class GradNorm(Balancing):
    """GradNorm: learned weights that bring the tasks to one pace (Chen et al., ICML 2018, Eq. 2).

    The losses are `sum_t w_t L_t`. With `G_t = ||w_t g_t||`, g_t the gradient of L_t by the shared
    weights, the weights w move against the gradient of

        sum_t |G_t - mean(G) r_t^alpha|,  r_t = l_t / mean(l),  l_t = L_t / L_t(0)

    in which only G_t depends on w_t: it is `sign(G_t - mean(G) r_t^alpha) ||g_t||`. Adam takes the
    step; then each w_t is at least 0.001, and their sum the number of tasks again.

    The paper takes the last layer that all tasks share, to save time. Where a model has such a
    layer depends on the model; here the shared weights are all variables that more than one task's
    loss reaches, among them the embedding table, and variables that hold all tasks' weights side by
    side, as DCRNN's kernels do. `L_t(0)` is not the loss of the first batch, which says little
    where positives are rare, but that of a model that knows nothing: the choice that the paper
    names where the first loss depends too much on chance.

    Args:
      tasks: Names of the tasks, in order.
      initial_losses: Loss `L_t(0)` of each task, in the same order.
      alpha: Exponent of the pace: how strongly tasks that lag behind are pulled.
      learning_rate: Learning rate of the weights.

    Raises:
      BalancingError: alpha is no finite number from 0.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.balancing.gradnorm import GradNorm
      >>> weight = tf.Variable(1.0)
      >>> way = GradNorm(["click", "conversion"], initial_losses=[1.0, 1.0], learning_rate=0.1)
      >>> with tf.GradientTape(persistent=True) as tape:
      ...     losses = {"click": 3 * weight, "conversion": 3 * weight - 2}
      ...     total = way.total(losses, penalties=[])
      >>> _ = way.gradients(tape, total, losses, [], [weight])
      >>> way.weights.numpy().round(2)  # the click's loss has gone down less
      array([1.1, 0.9], dtype=float32)
    """

    compiles = False  # the number of distinct rows of a table depends on the batch
    per_task = True

    def __init__(
        self,
        tasks: Sequence[str],
        initial_losses: Sequence[float],
        alpha: float = 1.5,
        learning_rate: float = 0.025,
    ):
        super().__init__(tasks)
        if not 0 <= alpha < math.inf:
            raise BalancingError(f"gradnorm_alpha={alpha} must be a finite number from 0")
        self.initial_losses = tuple(initial_losses)
        self.alpha = alpha
        norms = tuple(f"gradient_norm_{task}" for task in self.tasks)
        self.statistic_names = (*weight_names(self.tasks), *norms)
        self.weights = keras.Variable(tf.ones(len(self.tasks)), dtype="float32", name="weights")
        self._optimizer = keras.optimizers.Adam(learning_rate)
        self._optimizer.build([self.weights])

    @property
    def variables(self) -> list[keras.Variable]:
        """w, `(T,)`, which starts at 1, and the state of its optimizer."""
        return [self.weights, *self._optimizer.variables]

    def total(self, losses: Mapping[str, tf.Tensor], penalties: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns the weighted sum of the losses, and the penalties."""
        return self._weighted(tf.unstack(self.weights.value.read_value()), losses, penalties)

    def gradients(
        self,
        tape: tf.GradientTape,
        total: tf.Tensor,
        losses: Mapping[str, tf.Tensor],
        penalties: Sequence[tf.Tensor],
        variables: Sequence[keras.Variable],
    ) -> list[Gradient]:
        """Returns the gradients of the weighted sum; then the weights take their step."""
        ordered = [losses[task] for task in self.tasks]
        own = TaskGradients(tape, ordered, variables)
        norms = tf.sqrt(tf.linalg.diag_part(own.inner_products()))
        weights = self.weights.value.read_value()
        self._note_weights(tf.unstack(weights))
        names = self.statistic_names[len(self.tasks) :]
        self.statistics |= dict(zip(names, tf.unstack(norms), strict=True))
        gradients = own.combined(tf.unstack(weights), tf.unstack(weights))
        if penalties:
            gradients = added(gradients, tape.gradient(list(penalties), variables))
        self._step(weights, norms, tf.stack(ordered))
        return gradients

    def _step(self, weights: tf.Tensor, norms: tf.Tensor, losses: tf.Tensor) -> None:
        relative = tf.math.divide_no_nan(losses, tf.constant(self.initial_losses, losses.dtype))
        pace = tf.math.divide_no_nan(relative, tf.reduce_mean(relative))
        weighted = weights * norms
        wanted = tf.reduce_mean(weighted) * tf.pow(pace, self.alpha)
        self._optimizer.apply([tf.sign(weighted - wanted) * norms], [self.weights])
        moved = tf.maximum(self.weights.value, _LEAST)
        self.weights.assign(moved * (len(self.tasks) / tf.reduce_sum(moved)))
