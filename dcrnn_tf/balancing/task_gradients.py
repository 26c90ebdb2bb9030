"""The gradients of each task's loss, their inner products and combinations."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.balancing.base import Gradient


class TaskGradients:
    """The gradients of several losses, one backward pass each.

    A variable is shared if more than one loss reaches it, an embedding table among them. Of a
    table only the rows of the batch are ever held: the slices of all tasks are summed onto the
    same distinct rows, so that inner products are those of the dense gradients.

    Args:
      tape: Persistent tape that has recorded the losses.
      losses: Losses, scalars.
      variables: Variables by which the gradients are taken.
    """

    def __init__(
        self,
        tape: tf.GradientTape,
        losses: Sequence[tf.Tensor],
        variables: Sequence[keras.Variable],
    ):
        self._count = len(losses)
        by_task = [tape.gradient(loss, variables) for loss in losses]
        self._columns = [_Column(column) for column in zip(*by_task, strict=True)]

    def inner_products(self) -> tf.Tensor:
        """Returns `g_i . g_j` over all shared variables, `(T, T)`; zeros if nothing is shared."""
        shared = [column for column in self._columns if column.shared]
        if not shared:
            return tf.zeros((self._count, self._count))
        flat = tf.concat([column.flat() for column in shared], axis=1)
        return tf.matmul(flat, flat, transpose_b=True)

    def combined(
        self, weights: Sequence[tf.Tensor], own_weights: Sequence[float | tf.Tensor]
    ) -> list[Gradient]:
        """Returns one gradient for each variable.

        Args:
          weights: Weights w in `sum_t w_t g_t`, for a shared variable.
          own_weights: Weights for a variable that one loss alone reaches.
        """
        return [
            column.combined(weights if column.shared else own_weights) for column in self._columns
        ]


class _Column:
    """The gradients of one variable by all losses; None where a loss does not reach it."""

    def __init__(self, gradients: Sequence[Gradient]):
        self._rows = self._shape = None
        present = [gradient for gradient in gradients if gradient is not None]
        self.shared = len(present) > 1
        if present and all(isinstance(gradient, tf.IndexedSlices) for gradient in present):
            self._shape = present[0].dense_shape
            self._rows, values = _on_same_rows(present)
        else:
            values = [tf.convert_to_tensor(gradient) for gradient in present]
        next_value = iter(values)
        self._values = [None if g is None else next(next_value) for g in gradients]

    def flat(self) -> tf.Tensor:
        """Returns all of them, `(T, size)`."""
        like = next(value for value in self._values if value is not None)
        dense = [tf.zeros_like(like) if value is None else value for value in self._values]
        return tf.stack([tf.reshape(value, [-1]) for value in dense])

    def combined(self, weights: Sequence[float | tf.Tensor]) -> Gradient:
        """Returns their weighted sum, added in order."""
        terms = [w * v for w, v in zip(weights, self._values, strict=True) if v is not None]
        if not terms:
            return None
        if self._rows is None:
            return sum(terms[1:], terms[0])
        return tf.IndexedSlices(sum(terms[1:], terms[0]), self._rows, self._shape)


def _on_same_rows(gradients: Sequence[tf.IndexedSlices]) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Returns distinct rows, and the slices of each gradient summed onto them, `(rows, dim)`."""
    rows, positions = tf.unique(tf.concat([gradient.indices for gradient in gradients], axis=0))
    positions = tf.split(positions, [tf.size(gradient.indices) for gradient in gradients])
    return rows, [
        tf.math.unsorted_segment_sum(gradient.values, position, tf.size(rows))
        for gradient, position in zip(gradients, positions, strict=True)
    ]


def added(one: Sequence[Gradient], other: Sequence[Gradient]) -> list[Gradient]:
    """Returns the sums of gradients of the same variables; slices stay slices."""
    return [_plus(a, b) for a, b in zip(one, other, strict=True)]


def _plus(one: Gradient, other: Gradient) -> Gradient:
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, tf.IndexedSlices) and isinstance(other, tf.IndexedSlices):
        return tf.IndexedSlices(
            tf.concat([one.values, other.values], axis=0),
            tf.concat([one.indices, other.indices], axis=0),
            one.dense_shape,
        )
    return tf.convert_to_tensor(one) + tf.convert_to_tensor(other)
