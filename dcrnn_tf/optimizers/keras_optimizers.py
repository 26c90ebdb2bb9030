"""Keras' own optimizers for embedding tables, right for gradients in which rows repeat."""

import keras

from dcrnn_tf.optimizers.registry import register
from dcrnn_tf.optimizers.table_optimizer import TableOptimizer


@register("adam", state=2)
class Adam(TableOptimizer, keras.optimizers.Adam):
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
class Adagrad(TableOptimizer, keras.optimizers.Adagrad):
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
class SGD(TableOptimizer, keras.optimizers.SGD):
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
