"""Rows of an embedding table in fewer bytes than float32 takes, for models that are served."""

from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from dcrnn_tf.layers.embedding import row_shards

FLOAT32, BFLOAT16, INT8 = "float32", "bfloat16", "int8"
_STEPS = 127  # from zero to the largest number of a row
_SCALE_BYTES = 4  # of a row, behind its numbers: how large a step is, float32
_BLOCK = 2**18  # rows


class CompactRows(tf.Module):
    """A table of which every number is rounded.

    `bfloat16` keeps 8 binary digits of each number, in half of the bytes. `int8` makes a number one
    of 255 steps between minus and plus the largest of its row, in a quarter of the bytes, and four
    more for each row, which hold the size of its step.

    Args:
      shards: Variables of the table; row r is row `r // N` of shard `r % N`.
      precision: `bfloat16` or `int8`.

    Attributes:
      stored: The rows as they are stored.

    Example:
      >>> import keras
      >>> from dcrnn_tf.layers.embedding.compact_rows import CompactRows
      >>> table = keras.Variable([[1.0, -0.5, 0.25], [0.0, 0.0, 0.0]])
      >>> CompactRows([table], "int8")([0, 1]).numpy().round(2)
      array([[ 1.  , -0.5 ,  0.25],
             [ 0.  ,  0.  ,  0.  ]], dtype=float32)
    """

    def __init__(self, shards: Iterable[keras.Variable], precision: str):
        super().__init__(name="compact_rows")
        store = {BFLOAT16: _as_bfloat16, INT8: _as_int8}[precision]
        tables = [shard.value.numpy() for shard in shards]
        table = row_shards.joined(tables) if len(tables) > 1 else tables[0]
        blocks = [store(table[i : i + _BLOCK]) for i in range(0, len(table), _BLOCK)]
        self.stored = tf.Variable(np.concatenate(blocks), trainable=False, name="stored")

    def __call__(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns rows of the table, float32 `(*rows.shape, dim)`."""
        found = tf.gather(self.stored, rows)
        if found.dtype != tf.int8:
            return tf.cast(found, tf.float32)
        steps = tf.cast(found[..., :-_SCALE_BYTES], tf.float32)
        return steps * tf.bitcast(found[..., -_SCALE_BYTES:], tf.float32)[..., None]


def _as_bfloat16(rows: np.ndarray) -> np.ndarray:
    return rows.astype(tf.bfloat16.as_numpy_dtype)


def _as_int8(rows: np.ndarray) -> np.ndarray:
    """Returns the steps of each number, and the bytes of the step's size behind them."""
    largest = np.abs(rows).max(axis=1, keepdims=True)
    step = np.maximum(largest / _STEPS, np.finfo(np.float32).tiny).astype(np.float32)
    steps = np.rint(rows / step).astype(np.int8)
    return np.concatenate([steps, step.view(np.int8)], axis=1)
