"""Keras' optimizers, right for the gradients of embedding tables, in which ids repeat."""

import keras
import tensorflow as tf


def merge_repeated_rows(gradient: tf.IndexedSlices) -> tf.IndexedSlices:
    """The same gradient with every row at most once: the slices of a repeated row are summed."""
    rows, position = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, position, tf.size(rows))
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


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class Adam(_MergingRows, keras.optimizers.Adam):
    """`keras.optimizers.Adam`, right for embedding gradients: every step updates every row."""


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class Adagrad(_MergingRows, keras.optimizers.Adagrad):
    """`keras.optimizers.Adagrad`, right for embedding gradients."""


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class SGD(_MergingRows, keras.optimizers.SGD):
    """`keras.optimizers.SGD`, right for embedding gradients."""
