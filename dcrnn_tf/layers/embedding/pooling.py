"""The mean embedding of each list of a batch."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from dcrnn_tf.dataset.encodings import PADDING_ROW
from dcrnn_tf.dataset.schema import Field
from dcrnn_tf.kernels import operations

Read = Callable[[tf.Tensor], tf.Tensor]
"""Function that reads rows of the table: `(...)` to `(..., dim)`."""


class ListRows(NamedTuple):
    """What the lists of one field read of the embedding table, `(rows, width + 1)` each.

    The last column is that of "missing", which empty lists read.

    Attributes:
      rows: Rows of the table.
      counted: Whether each of them counts, or stands for padding.
      weight: Weight of each of them.
    """

    rows: tf.Tensor
    counted: tf.Tensor
    weight: tf.Tensor


def list_rows(field: Field, features: Mapping, offset: int, dtype: str) -> ListRows:
    """Returns what the lists of a field read.

    Args:
      field: A multi-categorical field.
      features: Features, as `FieldEmbedding` takes them.
      offset: First row of the field in the table.
      dtype: Type of the weights.
    """
    one_more = ((0, 0), (0, 1))
    values = tf.cast(features[field.name], tf.int32)
    present = values != PADDING_ROW
    empty = ~tf.reduce_any(present, axis=1, keepdims=True)
    weight = tf.ones(tf.shape(values), dtype)
    if field.weighted:
        weight = tf.cast(features[field.weight_name], dtype)
    return ListRows(
        tf.pad(values, one_more) + offset,
        tf.concat([present, empty], axis=1),
        tf.pad(weight, one_more, constant_values=1.0),
    )


def means_of_distinct(lists: Sequence[ListRows], weighted: bool, read: Read) -> tf.Tensor:
    """Returns the mean embedding of each list, `(rows, lists, dim)`.

    Ids repeat a lot: each distinct one is read once, and gets one summed gradient.

    Args:
      lists: Lists of the fields, with the same number of rows.
      weighted: Whether their weights are not all 1.
      read: Function that reads rows of the table.
    """
    ids, counted, weights = zip(*lists, strict=True)
    rows = tf.shape(ids[0])[0]
    # A segment is one list of one example; those of an example follow one another.
    column = tf.concat([tf.fill([tf.shape(part)[1]], i) for i, part in enumerate(ids)], axis=0)
    segment = tf.range(rows)[:, None] * len(ids) + column
    counted = tf.concat(counted, axis=1)
    segment = tf.boolean_mask(segment, counted)
    distinct, position = tf.unique(tf.boolean_mask(tf.concat(ids, axis=1), counted))
    embedded = read(distinct)
    if weighted:
        weight = tf.boolean_mask(tf.concat(weights, axis=1), counted)[:, None]
        sums = tf.math.segment_sum(tf.gather(embedded, position) * weight, segment)
        pooled = tf.math.divide_no_nan(sums, tf.math.segment_sum(weight, segment))
    else:
        pooled = tf.sparse.segment_mean(embedded, position, segment)
    return tf.reshape(pooled, (rows, len(ids), embedded.shape[-1]))


def means_of_padded(lists: Sequence[ListRows], weighted: bool, read: Read) -> tf.Tensor:
    """Returns the same as `means_of_distinct`, with shapes that do not depend on values.

    Where a list has padding its first id is read, so that no other row is touched.
    """
    pooled = []
    for rows, counted, weight in lists:
        share = tf.cast(counted, weight.dtype)
        if weighted:
            share *= weight
        embedded = read(tf.where(counted, rows, rows[:, :1]))
        sums = tf.reduce_sum(embedded * share[:, :, None], axis=1)
        total = tf.reduce_sum(share, axis=1, keepdims=True)
        pooled.append(tf.math.divide_no_nan(sums, total))
    return tf.stack(pooled, axis=1)


def compiled(table: keras.Variable | None) -> bool:
    """Returns whether the compiled operation reads lists of a table, which one variable holds."""
    return table is not None and operations.usable(table.value)


def means_by_compiled_operation(
    table: keras.Variable, ids: Sequence[tf.Tensor], offsets: Sequence[int]
) -> tf.Tensor:
    """Returns the same as `means_of_distinct` of lists without weights.

    Args:
      table: The table.
      ids: Ids of each field's lists, int32 `(rows, width)`, padded with 0.
      offsets: First row of each field.
    """
    tf.gather(table.value, tf.zeros(0, tf.int32))  # tapes then watch the table
    pooled = operations.library().dcrnn_pooled_rows(table.value.handle, list(ids), offsets=offsets)
    return tf.ensure_shape(pooled, (None, len(ids), table.shape[1]))
