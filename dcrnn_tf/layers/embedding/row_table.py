"""The embedding rows of fields of ids, one field after another, in one variable or in several."""

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.encodings import PADDING_ROW
from dcrnn_tf.dataset.schema import LARGEST_ROW, MULTI_CATEGORICAL, Field
from dcrnn_tf.layers.embedding import row_shards
from dcrnn_tf.layers.embedding.compact_rows import CompactRows


class RowTable:
    """The table of all fields of ids that have the same width.

    The layer that it belongs to creates its variables, so that they are weights of that layer.

    Attributes:
      offsets: First row of each field, by name; fields that share their ids have the same.
      total_rows: Number of rows.
      trained: Whether the rows of some fields are trained.

    Args:
      fields: Fields of the table; those without ids have no rows.
      dim: Width of a row.
      shards: Number of variables over which the rows are spread.
      devices: Devices that take turns in holding these variables; None leaves it to TensorFlow.
      frozen: Owners of the rows that are not trained.

    Raises:
      ValueError: The fields have more rows than int32 numbers.
    """

    def __init__(
        self,
        fields: Sequence[Field],
        dim: int,
        shards: int,
        devices: Sequence[str] | None,
        frozen: set[str],
    ):
        self.total_rows = 0
        firsts: dict[str, int] = {}
        for field in fields:
            if field.owner not in firsts:
                firsts[field.owner] = self.total_rows
                self.total_rows += field.vocabulary_size
        if self.total_rows > LARGEST_ROW:
            raise ValueError(
                f"the fields have {self.total_rows:,} embedding rows together, expected "
                f"{LARGEST_ROW:,} at most; use fewer fields, or a dataset with a larger min_count"
            )
        self.offsets = {field.name: firsts[field.owner] for field in fields}
        self.trained = not {field.owner for field in fields if field.has_ids} <= frozen
        self._fields = tuple(field for field in fields if field.has_ids)
        self._dim = dim
        self._number_of_shards = shards
        self._devices = devices
        self._shards: tuple[keras.Variable, ...] = ()
        self._compact: CompactRows | None = None

    def build(
        self,
        add_weight: Callable[..., keras.Variable],
        uniform: Callable[[], keras.initializers.Initializer],
    ) -> tuple[keras.Variable, ...]:
        """Creates the variables and returns them; without rows there are none.

        Args:
          add_weight: The layer's function of that name.
          uniform: Function that makes an initializer of rows.
        """
        if not self.total_rows:
            return ()
        whole, count = uniform(), self._number_of_shards
        shards = []
        for shard in range(count):
            one_of = (shard, count)
            part = row_shards.ShardInitializer(whole, *one_of, self.total_rows)
            with row_shards.on_device(self._devices, shard):
                weight = add_weight(
                    name="table" if count == 1 else f"table_{shard}",
                    shape=(row_shards.size(self.total_rows, *one_of), self._dim),
                    initializer=whole if count == 1 else part,
                    trainable=self.trained,
                )
            shards.append(weight)
        self._shards = tuple(shards)
        return self._shards

    def compact(self, precision: str) -> CompactRows:
        """Has rows read from a table of fewer bytes from now on, and returns that.

        Args:
          precision: Type in which rows are stored, as `CompactRows` takes it.
        """
        self._compact = CompactRows(self._shards, precision)
        return self._compact

    def read(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns rows of the table, `(*rows.shape, dim)`."""
        if self._compact is not None:
            return self._compact(rows)
        if len(self._shards) == 1:
            return tf.gather(self._shards[0].value, rows)
        return row_shards.lookup([shard.value for shard in self._shards], rows)

    def rows(self, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the rows that a batch may read, `(count,)`, repeated or not."""
        rows = []
        for field in self._fields:
            ids = tf.reshape(tf.cast(features[field.name], tf.int32), [-1])
            if field.kind == MULTI_CATEGORICAL:  # an empty list reads the row of "missing"
                ids = tf.concat([ids, [PADDING_ROW]], axis=0)
            rows.append(ids + self.offsets[field.name])
        return tf.concat(rows, axis=0)

    def assign(
        self, field: str, rows: np.ndarray, columns: Sequence[int], values: np.ndarray
    ) -> None:
        """Gives rows of a field other values.

        Args:
          field: Name of the field.
          rows: Distinct rows of the field, `(count,)`.
          columns: First column of each part of the table that gets the values.
          values: Values, `(count, width)`.
        """
        rows = rows + self.offsets[field]
        for shard, table in enumerate(self._shards):
            chosen = rows % len(self._shards) == shard
            at = tf.constant(rows[chosen] // len(self._shards), tf.int32)
            content = tf.gather(table.value, at).numpy()
            for column in columns:
                content[:, column : column + values.shape[1]] = values[chosen]
            table.value.scatter_update(tf.IndexedSlices(content, at))
