"""Inputs of a layer of which many rows have some columns in common, as candidates have a user."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class SharedRows(NamedTuple):
    """A matrix `(batch, d)` in two parts: columns with a few distinct rows, and all the others.

    Its product with a kernel takes the shared columns' part once for each distinct row.

    Attributes:
      shared: Distinct rows of the shared columns, `(distinct, s)`.
      row: Index of each row of the matrix among the distinct ones, int32 `(batch,)`.
      own: The other columns, `(batch, d - s)`.
      shared_columns: Columns of the matrix that `shared` holds, int32 `(s,)`.
      own_columns: Columns of the matrix that `own` holds, int32 `(d - s,)`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> user = tf.constant([[1.0]])  # of three candidates
      >>> items = tf.constant([[2.0], [3.0], [4.0]])
      >>> matrix = layers.SharedRows(user, tf.constant([0, 0, 0]), items, [0], [1])
      >>> matrix.product(tf.constant([[10.0], [1.0]])).numpy()
      array([[12.], [13.], [14.]], dtype=float32)
    """

    shared: tf.Tensor
    row: tf.Tensor
    own: tf.Tensor
    shared_columns: tf.Tensor
    own_columns: tf.Tensor

    def product(self, kernel: tf.Tensor, multiply: Callable = tf.matmul) -> tf.Tensor:
        """Returns the matrix times a kernel, `(batch, width)`.

        Args:
          kernel: Matrix, `(d, width)`.
          multiply: How two matrices are multiplied.
        """
        shared = multiply(self.shared, _rows(kernel, self.shared_columns))
        own = multiply(self.own, _rows(kernel, self.own_columns))
        # One distinct row is added to all rows as it is; to copy it for each takes a pass more.
        alone = tf.shape(shared)[0] == 1
        return own + tf.cond(alone, lambda: shared, lambda: tf.gather(shared, self.row))


def _rows(kernel: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns rows of a kernel; those that follow one another are not copied."""
    known = tf.get_static_value(rows)
    if known is not None and len(known) and np.array_equal(known, known[0] + np.arange(len(known))):
        return kernel[known[0] : known[0] + len(known)]
    return tf.gather(kernel, rows)
