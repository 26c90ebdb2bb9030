"""The values of a list field one by one, for layers that do more with them than take their mean."""

from typing import NamedTuple

import tensorflow as tf


class ListValues(NamedTuple):
    """The values of all lists of a batch, those of one example after those of the one before it.

    Attributes:
      embeddings: Embedding of each id that occurs, once, `(distinct, dim)`.
      position: Row of each value in `embeddings`, int32 `(values,)`.
      example: Example whose list holds each value, ascending, int32 `(values,)`.
      weight: Weight of each value, `(values,)`: 1 unless the field is weighted; 0 for padding that
        static shapes need.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> values = layers.ListValues(  # the lists [a, b] and [a]
      ...     embeddings=tf.constant([[1.0, 0.0], [0.0, 1.0]]),
      ...     position=tf.constant([0, 1, 0]),
      ...     example=tf.constant([0, 0, 1]),
      ...     weight=tf.ones(3),
      ... )
      >>> tf.math.segment_sum(tf.gather(values.embeddings, values.position), values.example).numpy()
      array([[1., 1.], [1., 0.]], dtype=float32)
    """

    embeddings: tf.Tensor
    position: tf.Tensor
    example: tf.Tensor
    weight: tf.Tensor
