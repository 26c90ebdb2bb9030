"""Decodes, checks, pads and shuffles the columns of a block of rows, within `tf.data` pipelines."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.schema import MULTI_CATEGORICAL, Field

# Functions of a pipeline are traced as they are: none has control flow to convert, and trying would
# leave files behind when the process is killed.
as_written = tf.autograph.experimental.do_not_convert

_UNSIGNED = {tf.int8: tf.uint8, tf.int16: tf.uint16}


def keys_of(field: Field) -> list[str]:
    """Returns the keys of a field in a batch: its own, and that of its weights."""
    return [field.name, field.weight_name] if field.weighted else [field.name]


def parse_block(record: tf.Tensor, dtypes: dict[str, str]) -> dict[str, tf.Tensor]:
    """Returns the columns of a record."""
    described = {name: tf.io.FixedLenFeature((), tf.string) for name in dtypes}
    parsed = tf.io.parse_single_example(record, described)
    columns = {}
    for name, dtype in dtypes.items():
        base, shape = np.dtype(dtype).base, np.dtype(dtype).shape
        columns[name] = tf.io.decode_raw(parsed[name], base.name)
        if shape:
            columns[name] = tf.reshape(columns[name], (-1, *shape))
    return columns


def within(columns: dict[str, tf.Tensor], limits: dict[str, int]) -> tf.Operation:
    """Fails if a column holds a number not from 0, int8 and int16 from -1, to below its limit."""
    largest = tf.stack([_largest(columns[name]) for name in limits])
    sound = tf.reduce_all(largest < list(limits.values()))
    return tf.debugging.Assert(sound, ["numbers out of range", list(limits), largest])


def _largest(column: tf.Tensor) -> tf.Tensor:
    """Returns the largest number, int64; one below the least allowed is larger than any limit."""
    if column.dtype == tf.int32:
        column = tf.bitcast(column, tf.uint32)  # without sign
    if column.dtype in _UNSIGNED:
        unsigned = tf.bitcast(column + 1, _UNSIGNED[column.dtype])
        return tf.cast(tf.reduce_max(unsigned), tf.int64) - 1
    return tf.cast(tf.reduce_max(column), tf.int64)


def pop_lists(field: Field, columns: dict) -> dict[str, tf.Tensor | tf.RaggedTensor]:
    """Takes a field's columns out of `columns`, lists as ragged tensors."""
    if field.kind != MULTI_CATEGORICAL:
        (column,) = field.columns
        return {field.name: tf.convert_to_tensor(columns.pop(column))}
    values, lengths, *weights = (columns.pop(column) for column in field.columns)
    lengths = tf.cast(lengths, tf.int64)
    return {
        key: tf.RaggedTensor.from_row_lengths(part, lengths, validate=False)
        for key, part in zip(keys_of(field), [values, *weights], strict=True)
    }


def pad(lists: dict, field: Field) -> dict[str, tf.Tensor]:
    """Makes lists as wide as the longest that the field allows."""
    if field.kind != MULTI_CATEGORICAL:
        return lists
    return {key: column.to_tensor(shape=(None, field.max_values)) for key, column in lists.items()}


def permute(window: dict[str, tf.Tensor], seed: Sequence) -> dict[str, tf.Tensor]:
    """Returns columns with their rows in an order that depends on the seed alone."""
    rows = tf.shape(next(iter(window.values())))[0]
    seed = tf.stack([tf.cast(part, tf.int64) for part in seed])
    order = tf.random.experimental.stateless_shuffle(tf.range(rows), seed=seed)
    return {name: tf.gather(column, order) for name, column in window.items()}
