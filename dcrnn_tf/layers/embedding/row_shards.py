"""An embedding table whose rows are spread over several variables, each on its own device.

Row r is row `r // N` of shard `r % N`, so that the frequent rows of every field, which preparations
number first, are spread evenly.
"""

import contextlib
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf


class ShardInitializer(keras.initializers.Initializer):
    """The initializer of one shard's rows, with the values that the whole table would have.

    The whole is drawn in host memory for it, for each shard anew.

    Args:
      whole: Initializer of the whole table, with its own seed, so that it draws the same values
        every time.
      shard: Number of the shard.
      shards: Number of all shards.
      rows: Number of rows of the whole table.
    """

    def __init__(self, whole: keras.initializers.Initializer, shard: int, shards: int, rows: int):
        self.whole = whole
        self.shard = shard
        self.shards = shards
        self.rows = rows

    def __call__(self, shape, dtype=None) -> tf.Tensor:
        """Returns the shard's values, `(ceil((rows - shard) / shards), dim)`."""
        with tf.device("CPU:0"):
            return self.whole((self.rows, *shape[1:]), dtype=dtype)[self.shard :: self.shards]


def size(rows: int, shard: int, shards: int) -> int:
    """Returns the number of rows of one shard."""
    return -(-(rows - shard) // shards)


def lookup(shards: Sequence[tf.Variable], rows: tf.Tensor) -> tf.Tensor:
    """Returns rows of the table, `(*rows.shape, dim)`; each is read on the device of its shard."""
    return tf.compat.v1.nn.embedding_lookup(list(shards), rows, partition_strategy="mod")


def split(rows: tf.Tensor, shards: int) -> list[tf.Tensor]:
    """Returns rows of the table, `(count,)`, as rows of each shard that holds them."""
    return tf.dynamic_partition(rows // shards, rows % shards, shards)


def joined(shards: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the rows of the table that are spread over shards."""
    whole = np.empty((sum(map(len, shards)), *shards[0].shape[1:]), shards[0].dtype)
    for number, shard in enumerate(shards):
        whole[number :: len(shards)] = shard
    return whole


def on_device(devices: Sequence[str] | None, shard: int) -> contextlib.AbstractContextManager:
    """Returns the context in which a shard's variables are made; the devices take turns."""
    return tf.device(devices[shard % len(devices)]) if devices else contextlib.nullcontext()


def check_devices(devices: Sequence[str] | None) -> None:
    """Refuses devices that TensorFlow does not know.

    Raises:
      ValueError: There is one.
    """
    if devices is None:
        return
    known = [device.name for device in tf.config.list_logical_devices()]
    listed = isinstance(devices, list | tuple) and len(devices) > 0
    if not listed or not all(isinstance(d, str) and _is_one_of(d, known) for d in devices):
        raise ValueError(f"table_devices={devices!r} must be a list of some of {', '.join(known)}")


def _is_one_of(device: str, known: Sequence[str]) -> bool:
    wanted = tf.DeviceSpec.from_string(device)
    specs = [tf.DeviceSpec.from_string(name) for name in known]
    return any(spec.make_merged_spec(wanted) == spec for spec in specs)
