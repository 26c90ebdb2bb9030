"""Keras' optimizers, right for the gradients of embedding tables, in which ids repeat."""

import keras
import tensorflow as tf

from dcrnn_tf.optimizers.registry import register


def merge_repeated_rows(
    gradient: tf.IndexedSlices, static_shapes: bool = False
) -> tf.IndexedSlices:
    """The same gradient with every row at most once: the slices of a repeated row are summed.

    Args:
      gradient: slices `(count, dim)` and their rows `(count,)`.
      static_shapes: give `count` slices whatever repeats, so that XLA can compile it: the slice of
        the smallest row stands in all places that are left over. What is computed row by row and
        written over then comes out the same; what is added would not.
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


class _MergingRows:
    """Sums the gradients of repeated ids, which Keras' optimizers treat as if they were one."""

    def update_step(self, gradient, variable, learning_rate) -> None:
        if isinstance(gradient, tf.IndexedSlices):
            gradient = merge_repeated_rows(gradient)
        super().update_step(gradient, variable, learning_rate)


@register("adam")
class Adam(_MergingRows, keras.optimizers.Adam):
    """`keras.optimizers.Adam`, right for embedding gradients: every step updates every row."""


@register("adagrad")
class Adagrad(_MergingRows, keras.optimizers.Adagrad):
    """`keras.optimizers.Adagrad`, right for embedding gradients."""


@register("sgd")
class SGD(_MergingRows, keras.optimizers.SGD):
    """`keras.optimizers.SGD`, right for embedding gradients."""
