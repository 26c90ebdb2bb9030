"""The values of a list field one by one, for layers that do more with them than take their mean."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from dcrnn_tf.layers.embedding.pooling import ListRows


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


def one_by_one(
    lists: ListRows, rows_of_examples: tf.Tensor | None, static_shapes: bool
) -> tuple[tf.Tensor, Sequence[tf.Tensor]]:
    """Returns the rows of the table that lists read, and what else `ListValues` holds of them.

    Args:
      lists: Rows of the lists; an empty list has one value, that of "missing".
      rows_of_examples: List of each example, int32 `(batch,)`; None says that each has its own.
      static_shapes: Whether shapes do not depend on values; rows are then repeated, and padding
        stays, with weight 0.
    """
    ids, counted, weight = lists
    # Where a list has padding its first id is read, so that no other row is touched.
    ids = tf.where(counted, ids, ids[:, :1])
    distinct, position = tf.reshape(ids, [-1]), tf.range(tf.size(ids))
    if not static_shapes:
        distinct, position = tf.unique(distinct)
    weight *= tf.cast(counted, weight.dtype)
    parts = [tf.reshape(position, tf.shape(ids)), weight, counted]
    if rows_of_examples is not None:
        parts = [tf.gather(part, rows_of_examples) for part in parts]
    position, weight, counted = parts
    example = tf.broadcast_to(tf.range(tf.shape(counted)[0])[:, None], tf.shape(counted))
    columns = (position, example, weight)
    if static_shapes:
        return distinct, [tf.reshape(column, [-1]) for column in columns]
    return distinct, [tf.boolean_mask(column, counted) for column in columns]
