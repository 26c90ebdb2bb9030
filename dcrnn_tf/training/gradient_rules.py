"""What is done to the gradients of a batch before the optimizers follow them."""

import dataclasses
from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.balancing.base import Gradient
from dcrnn_tf.distribution.replicas import gather_over_replicas, replicas, sum_over_replicas
from dcrnn_tf.optimizers.clipping import clip_by_norm, clip_by_value
from dcrnn_tf.optimizers.merging import row_sums


@dataclasses.dataclass(frozen=True)
class GradientRules:
    """L2 penalties, then clipping, of the gradients of a whole batch.

    The slices of a row that several examples or replicas have read are summed first, so that each
    row of the batch is penalised once, and clipped as the row of a dense gradient.

    Attributes:
      embedding_l2: The penalty is `embedding_l2 / 2` times the squares of each embedding row that
        the batch reads, and its gradient `embedding_l2` times the row.
      dense_l2: The same for the kernels of layers.
      clip_value: Largest absolute value of a number of a gradient; None does not clip.
      clip_norm: Largest norm of all gradients together; None does not clip.
      static_shapes: Whether rows are summed in a form that XLA compiles.

    Example:
      >>> import keras
      >>> import tensorflow as tf
      >>> from dcrnn_tf.training.gradient_rules import GradientRules
      >>> table = keras.Variable([[1.0], [2.0]])
      >>> slices = tf.IndexedSlices([[3.0], [4.0]], tf.constant([1, 1]), tf.constant([2, 1]))
      >>> rules = GradientRules(embedding_l2=0.5, clip_value=7.5)
      >>> (gradient,) = rules.apply([slices], [table], [])
      >>> gradient.values.numpy()  # 3 + 4 + 0.5 2, clipped
      array([[7.5]], dtype=float32)
    """

    embedding_l2: float = 0.0
    dense_l2: float = 0.0
    clip_value: float | None = None
    clip_norm: float | None = None
    static_shapes: bool = False

    def apply(
        self,
        gradients: Sequence[Gradient],
        tables: Sequence[keras.Variable],
        others: Sequence[keras.Variable],
    ) -> list[Gradient]:
        """Returns the gradients to follow.

        Args:
          gradients: Gradients of the tables, then of the other variables; on a replica its
            contributions to them.
          tables: Embedding tables.
          others: Other variables.
        """
        clips = self.clip_value is not None or self.clip_norm is not None
        if not (clips or self.embedding_l2 or self.dense_l2):
            return list(gradients)
        changed = [self._whole(gradient) for gradient in gradients]
        for position, variable in enumerate([*tables, *others]):
            if (factor := self._l2(variable, position < len(tables))) > 0:
                changed[position] = self._penalised(changed[position], variable, factor)
        if self.clip_value is not None:
            changed = [
                g if g is None else clip_by_value(g, self.clip_value, self.static_shapes)
                for g in changed
            ]
        if self.clip_norm is not None:
            clipped = iter(
                clip_by_norm(
                    [g for g in changed if g is not None], self.clip_norm, self.static_shapes
                )
            )
            changed = [g if g is None else next(clipped) for g in changed]
        return [_divided(gradient, replicas()) for gradient in changed]

    def _l2(self, variable: keras.Variable, table: bool) -> float:
        if table:
            return self.embedding_l2
        return self.dense_l2 if is_kernel(variable) else 0.0

    def _whole(self, gradient: Gradient) -> Gradient:
        """Returns the gradient of the batch, with every row once."""
        if gradient is None or not isinstance(gradient, tf.IndexedSlices):
            return None if gradient is None else sum_over_replicas(gradient)
        gathered = tf.IndexedSlices(
            gather_over_replicas(gradient.values),
            gather_over_replicas(gradient.indices),
            gradient.dense_shape,
        )
        values, rows, _ = row_sums(gathered, self.static_shapes)
        return tf.IndexedSlices(values, rows, gradient.dense_shape)

    def _penalised(self, gradient: Gradient, variable: keras.Variable, factor: float) -> Gradient:
        if gradient is None:
            return None
        weight = tf.convert_to_tensor(variable.value)
        if not isinstance(gradient, tf.IndexedSlices):
            return gradient + factor * weight
        penalty = factor * tf.gather(weight, gradient.indices)
        if self.static_shapes:  # what is left over repeats the first row
            again = gradient.indices == gradient.indices[0]
            first = tf.range(tf.size(gradient.indices)) == 0
            penalty = tf.where((again & ~first)[:, None], 0.0, penalty)
        return tf.IndexedSlices(gradient.values + penalty, gradient.indices, gradient.dense_shape)


def is_kernel(variable: keras.Variable) -> bool:
    """Whether a variable is what a layer multiplies its inputs by, no bias, scale or gate."""
    return "kernel" in variable.name


def _divided(gradient: Gradient, count: int) -> Gradient:
    """Returns a replica's contribution to a gradient that all of them hold."""
    if gradient is None or count == 1:
        return gradient
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(gradient.values / count, gradient.indices, gradient.dense_shape)
    return gradient / count
