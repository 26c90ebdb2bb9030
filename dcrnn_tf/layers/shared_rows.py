"""Inputs of a layer some of whose columns many rows have in common, as candidates have a user."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class SharedRows(NamedTuple):
    """A matrix `(batch, d)` in two parts: columns with a few distinct rows, and all the others.

    Its product with a kernel takes the shared columns' part once for each distinct row.

    Attributes:
      shared: `(distinct, s)`.
      row: int32 `(batch,)`, each row's place among the distinct ones.
      own: `(batch, d - s)`.
      shared_columns: int32 `(s,)`, where the columns of `shared` lie in the matrix.
      own_columns: int32 `(d - s,)`, the same of `own`.
    """

    shared: tf.Tensor
    row: tf.Tensor
    own: tf.Tensor
    shared_columns: tf.Tensor
    own_columns: tf.Tensor

    def product(self, kernel: tf.Tensor, multiply: Callable = tf.matmul) -> tf.Tensor:
        """The matrix times a kernel `(d, width)`, `(batch, width)`."""
        shared = multiply(self.shared, _rows(kernel, self.shared_columns))
        own = multiply(self.own, _rows(kernel, self.own_columns))
        return tf.gather(shared, self.row) + own


def _rows(kernel: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Rows of a kernel; those that follow one another are not copied."""
    known = tf.get_static_value(places)
    if known is not None and len(known) and np.array_equal(known, known[0] + np.arange(len(known))):
        return kernel[known[0] : known[0] + len(known)]
    return tf.gather(kernel, places)
