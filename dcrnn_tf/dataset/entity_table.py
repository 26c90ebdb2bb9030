"""An entity table of a prepared dataset, in memory."""

import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.blocks import as_written, keys_of, parse_block, pop_lists
from dcrnn_tf.dataset.fixed_threads import with_fixed_threads
from dcrnn_tf.dataset.schema import Entity, Field


class EntityTable:
    """An entity table in memory: lists end to end with row splits, as on disk."""

    def __init__(self, folder: pathlib.Path, entity: Entity, fields: Sequence[Field]):
        self._fields = fields
        parts: dict[str, list[np.ndarray]] = {name: [] for f in fields for name in f.columns}
        dtypes = {name: dtype for f in fields for name, dtype in f.columns.items()}
        files = [str(folder / shard.file) for shard in entity.shards]
        blocks = tf.data.TFRecordDataset(files).map(
            as_written(lambda record: parse_block(record, dtypes))
        )
        for block in with_fixed_threads(blocks).as_numpy_iterator():
            for name, values in block.items():
                parts[name].append(values)
        columns = {}
        for name in list(parts):
            columns[name] = np.concatenate(parts.pop(name))
        for field in fields:
            ids = columns[next(iter(field.columns))]
            if field.has_ids and not np.all((ids >= 0) & (ids < field.vocabulary_size)):
                raise tf.errors.InvalidArgumentError(
                    None, None, f"{field.name} holds a number outside its vocabulary"
                )
        self._columns: dict[str, tf.Tensor | tf.RaggedTensor] = {}
        with tf.device("CPU:0"):
            for field in fields:
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
