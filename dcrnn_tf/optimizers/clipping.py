"""Clipping of gradients in which rows of embedding tables may repeat."""

from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.optimizers.merging import row_sums


def clip_by_value(
    gradient: tf.Tensor | tf.IndexedSlices, limit: float, static_shapes: bool = False
) -> tf.Tensor | tf.IndexedSlices:
    """Returns a gradient with each number within `[-limit, limit]`, repeated rows summed before.

    Args:
      gradient: A dense gradient, or slices `(count, dim)` of a table's.
      limit: Largest absolute value.
      static_shapes: Whether repeated rows are merged in a form that XLA compiles.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.optimizers.clipping import clip_by_value
      >>> slices = tf.IndexedSlices([[3.0], [-2.0]], tf.constant([1, 1]))
      >>> clip_by_value(slices, 0.5).values.numpy()
      array([[0.5]], dtype=float32)
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return tf.clip_by_value(gradient, -limit, limit)
    values, rows, _ = row_sums(gradient, static_shapes)  # 0 in what is left over
    return tf.IndexedSlices(tf.clip_by_value(values, -limit, limit), rows, gradient.dense_shape)


def clip_by_norm(
    gradients: Sequence[tf.Tensor | tf.IndexedSlices], limit: float, static_shapes: bool = False
) -> list[tf.Tensor | tf.IndexedSlices]:
    """Returns gradients scaled so that the norm of all of them together is at most the limit.

    The norm is that of the dense gradients, in which the slices of a repeated row are summed.

    Args:
      gradients: Dense gradients, or slices `(count, dim)` of a table's.
      limit: Largest norm.
      static_shapes: Whether repeated rows are merged in a form that XLA compiles.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.optimizers.clipping import clip_by_norm
      >>> slices = tf.IndexedSlices([[1.0], [3.0]], tf.constant([1, 1]))
      >>> first, second = clip_by_norm([slices, tf.constant([3.0])], 1.0)  # a norm of 5
      >>> first.values.numpy().ravel().round(2), second.numpy().round(2)
      (array([0.2, 0.6], dtype=float32), array([0.6], dtype=float32))
    """
    dense = [
        row_sums(one, static_shapes)[0] if isinstance(one, tf.IndexedSlices) else one
        for one in gradients
    ]
    norm = tf.linalg.global_norm(dense)
    share = limit / tf.maximum(norm, limit)
    return [_scaled(gradient, share) for gradient in gradients]


def _scaled(
    gradient: tf.Tensor | tf.IndexedSlices, share: tf.Tensor
) -> tf.Tensor | tf.IndexedSlices:
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient * tf.cast(share, gradient.dtype)
    values = gradient.values * tf.cast(share, gradient.values.dtype)
    return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
