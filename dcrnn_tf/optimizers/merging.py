"""Keras' optimizers with the gradients of repeated embedding rows summed before the update."""

import keras
import tensorflow as tf

from dcrnn_tf.optimizers.registry import register


def merge_repeated_rows(
    gradient: tf.IndexedSlices, static_shapes: bool = False
) -> tf.IndexedSlices:
    """Returns the same gradient with every row once: the slices of a repeated row are summed.

    Args:
      gradient: Slices `(count, dim)` and their rows `(count,)`.
      static_shapes: Whether there are `count` slices whatever repeats, so that XLA can compile it:
        the slice of the smallest row fills what is left over. What is computed row by row and
        written over then comes out the same; what is added would not.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import optimizers
      >>> rows = tf.constant([4, 1, 4])
      >>> merged = optimizers.merge_repeated_rows(tf.IndexedSlices([[1.0], [2.0], [3.0]], rows))
      >>> merged.indices.numpy(), merged.values.numpy()
      (array([4, 1], dtype=int32), array([[4.], [2.]], dtype=float32))
    """
    if not static_shapes:
        rows, position = tf.unique(gradient.indices)
        values = tf.math.unsorted_segment_sum(gradient.values, position, tf.size(rows))
        return tf.IndexedSlices(values, rows, gradient.dense_shape)
    count = tf.size(gradient.indices)
    order = tf.argsort(gradient.indices, stable=True)
    ordered = tf.gather(gradient.indices, order)
    new = tf.concat([[False], ordered[1:] != ordered[:-1]], axis=0)
    position = tf.cumsum(tf.cast(new, tf.int32))  # ascending
    values = tf.math.unsorted_segment_sum(tf.gather(gradient.values, order), position, count)
    first = tf.math.unsorted_segment_min(tf.range(count), position, count)  # huge if left over
    left_over = tf.range(count) > position[-1]
    rows = tf.gather(ordered, tf.where(left_over, 0, first))
    values = tf.where(left_over[:, None], values[:1], values)
    return tf.IndexedSlices(values, rows, gradient.dense_shape)


def write_rows(variable: tf.Variable, rows: tf.Tensor, values: tf.Tensor) -> None:
    """Replaces rows of a variable; a scatter that adds is several times slower on the CPU."""
    variable.scatter_update(tf.IndexedSlices(values, rows))


class _MergingRows(keras.optimizers.Optimizer):
    """A mixin that sums the gradients of repeated rows, which Keras' optimizers do not sum."""

    def update_step(self, gradient, variable, learning_rate) -> None:
        if isinstance(gradient, tf.IndexedSlices):
            gradient = merge_repeated_rows(gradient)
        super().update_step(gradient, variable, learning_rate)


@register("adam", state=2)
class Adam(_MergingRows, keras.optimizers.Adam):
    """`keras.optimizers.Adam`, right for embedding gradients: every step updates every row.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import optimizers
      >>> table = tf.Variable(tf.zeros((3, 1)))
      >>> slices = tf.IndexedSlices(tf.ones((2, 1)), tf.constant([1, 1]), tf.constant([3, 1]))
      >>> optimizers.Adam(0.1).apply([slices], [table])
      >>> table.numpy().ravel().round(3)
      array([ 0. , -0.1,  0. ], dtype=float32)
    """


@register("adagrad", state=1)
class Adagrad(_MergingRows, keras.optimizers.Adagrad):
    """`keras.optimizers.Adagrad`, right for embedding gradients.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import optimizers
      >>> table = tf.Variable(tf.zeros((3, 1)))
      >>> slices = tf.IndexedSlices(tf.ones((2, 1)), tf.constant([1, 1]), tf.constant([3, 1]))
      >>> optimizers.Adagrad(0.1).apply([slices], [table])
      >>> table.numpy().ravel().round(3)  # -0.1 2 / sqrt(0.1 + 2^2)
      array([ 0.   , -0.099,  0.   ], dtype=float32)
    """


@register("sgd")
class SGD(_MergingRows, keras.optimizers.SGD):
    """`keras.optimizers.SGD`, right for embedding gradients.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import optimizers
      >>> table = tf.Variable(tf.zeros((3, 1)))
      >>> slices = tf.IndexedSlices(tf.ones((2, 1)), tf.constant([1, 1]), tf.constant([3, 1]))
      >>> optimizers.SGD(0.1).apply([slices], [table])
      >>> table.numpy().ravel()
      array([ 0. , -0.2,  0. ], dtype=float32)
    """
