"""An entity table of a prepared dataset, in memory."""

import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.blocks import as_written, keys_of, parse_block, pop_lists
from dcrnn_tf.dataset.fixed_threads import with_fixed_threads
from dcrnn_tf.dataset.schema import Entity, Field

_SPARE = 8  # a growing column has an eighth more room than rows


class EntityTable:
    """An entity table in memory: lists end to end with row splits, as on disk."""

    def __init__(self, folder: pathlib.Path, entity: Entity, fields: Sequence[Field]):
        self._fields = fields
        dtypes = {name: dtype for field in fields for name, dtype in field.columns.items()}
        growing = {name: _Growing(dtype) for name, dtype in dtypes.items()}
        files = [str(folder / shard.file) for shard in entity.shards]
        blocks = tf.data.TFRecordDataset(files).map(
            as_written(lambda record: parse_block(record, dtypes))
        )
        for block in with_fixed_threads(blocks).as_numpy_iterator():
            for name, values in block.items():
                growing[name].append(values)
        self._columns: dict[str, tf.Tensor | tf.RaggedTensor] = {}
        for field in fields:  # one at a time: its tensors are a copy
            columns = {name: growing.pop(name).values() for name in field.columns}
            ids = columns[next(iter(field.columns))]
            if (
                field.has_ids
                and not 0 <= ids.min(initial=0) <= ids.max(initial=0) < field.vocabulary_size
            ):
                raise tf.errors.InvalidArgumentError(
                    None, None, f"{field.name} holds a number outside its vocabulary"
                )
            with tf.device("CPU:0"):
                self._columns |= pop_lists(field, columns)

    @property
    def memory_bytes(self) -> int:
        """Memory that the table takes."""
        return sum(
            part.dtype.size * int(tf.size(part))
            for column in self._columns.values()
            for part in tf.nest.flatten(column, expand_composites=True)
        )

    def lookup(self, rows: tf.Tensor, static_shapes: bool = False) -> dict[str, tf.Tensor]:
        """Features of the given rows, `(rows,)`; lists `(rows, width)`, as wide as the longest."""
        features = {name: tf.gather(column, rows) for name, column in self._columns.items()}
        for field in self._fields:
            width = field.max_values if static_shapes else None
            for name in keys_of(field):
                if isinstance(features[name], tf.RaggedTensor):
                    features[name] = features[name].to_tensor(shape=(None, width))
        return features


class _Growing:
    """A column that grows in place: parts and their whole would be in memory together."""

    def __init__(self, dtype: str):
        kind = np.dtype(dtype)
        self._values = np.empty((0, *kind.shape), kind.base)
        self._rows = 0

    def append(self, part: np.ndarray) -> None:
        start, self._rows = self._rows, self._rows + len(part)
        if self._rows > len(self._values):
            self._resize(self._rows + self._rows // _SPARE)
        self._values[start : self._rows] = part

    def values(self) -> np.ndarray:
        self._resize(self._rows)
        return self._values

    def _resize(self, rows: int) -> None:
        self._values.resize((rows, *self._values.shape[1:]), refcheck=False)
