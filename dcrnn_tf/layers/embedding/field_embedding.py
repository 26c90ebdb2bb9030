"""Embedding of every field, from one table."""

import functools
import itertools
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from dcrnn_tf import kernels
from dcrnn_tf.dataset.schema import CATEGORICAL, MULTI_CATEGORICAL, NUMERIC, PADDING_ROW, Field
from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.embedding import row_shards
from dcrnn_tf.layers.embedding.list_values import ListValues
from dcrnn_tf.layers.shared_rows import SharedRows


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class FieldEmbedding(Layer):
    """Embeds every field of a batch into `(batch, fields, dim)`, in the order of `fields`.

    All categorical fields share one weight, `table`, each from an offset of its own. Its
    gradient is a `tf.IndexedSlices` and no step's cost depends on the size of the table.

    - A categorical field x gives row x of its part of the table.
    - A multi-categorical field gives the mean of its ids' rows, `sum_i w_i e_i / sum_i w_i` with
      the weights of a weighted field (zeros if they sum to 0) and w_i = 1 otherwise. An empty list
      gives row 0, the field's embedding of "missing".
    - A numeric field x gives `x w + b` with learned vectors w and b.

    Args:
      fields: the fields, as `dcrnn_tf.dataset.schema.Field` or as dicts of its attributes.
      embedding_dim: width of an embedding.
      initial_range: the embeddings start uniform in `[-initial_range, initial_range]`.
      static_shapes: pool lists in a form that XLA compiles, padding included.
      table_shards: variables that the table's rows are spread over; its values, and what becomes
        of them, do not depend on it.
      table_devices: where these are, in turns, such as `["CPU:0", "GPU:1"]`; None leaves it to
        TensorFlow.

    Raises:
      ValueError: a device does not exist, or several shards are to have static shapes.

    Call arguments:
      features: a dict with, for each field, ids int32 `(rows,)`, ids int32 `(rows, width)` padded
        at the end with 0 (and `FIELD_weight`, float32 `(rows, width)`, for a weighted field), or
        numbers float32 `(rows,)`. The fields of an entity table `user` have one row per distinct
        user if `features["user_row"]`, int32 `(batch,)`, tells each example's row among them;
        without that key, and for all other fields, `rows = batch`.
      fields: names of the fields to embed; None is all.

    Returns:
      `(batch, fields, dim)`.
    """

    def __init__(
        self,
        fields: Sequence[Field | Mapping],
        embedding_dim: int = 32,
        initial_range: float = 0.05,
        static_shapes: bool = False,
        table_shards: int = 1,
        table_devices: Sequence[str] | None = None,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)  # never a cast of the whole table
        self.fields = tuple(f if isinstance(f, Field) else Field(**f) for f in fields)
        self.embedding_dim = embedding_dim
        self.initial_range = initial_range
        self.static_shapes = static_shapes
        self.table_shards = table_shards
        self.table_devices = table_devices
        if table_shards > 1 and static_shapes:
            raise ValueError(f"table_shards={table_shards} has no form that XLA compiles")
        row_shards.check_devices(table_devices)
        self.total_rows = 0
        self.offsets = {}
        for field in self.fields:
            self.offsets[field.name] = self.total_rows
            self.total_rows += field.vocabulary_size
        self.table = None  # if it is in one piece
        self.tables = ()  # its pieces

    def build(self, input_shape=None) -> None:
        """Creates the table, and two vectors for each numeric field."""

        def add(name, rows):
            uniform = keras.initializers.RandomUniform(-self.initial_range, self.initial_range)
            return self.add_weight(
                name=name, shape=(rows, self.embedding_dim), initializer=uniform, autocast=False
            )

        if self.total_rows and self.table_shards > 1:
            self.tables = self._shards()
        elif self.total_rows:
            with row_shards.on_device(self.table_devices, 0):
                self.table = add("table", self.total_rows)
            self.tables = (self.table,)
        numeric = sum(field.kind == NUMERIC for field in self.fields)
        if numeric:
            self.numeric_slopes = add("numeric_slopes", numeric)
            self.numeric_intercepts = add("numeric_intercepts", numeric)

    def _shards(self) -> tuple[keras.Variable, ...]:
        whole = keras.initializers.RandomUniform(-self.initial_range, self.initial_range)
        shards = []
        for shard in range(self.table_shards):
            place = (shard, self.table_shards)
            with row_shards.on_device(self.table_devices, shard):
                weight = self.add_weight(
                    name=f"table_{shard}",
                    shape=(row_shards.size(self.total_rows, *place), self.embedding_dim),
                    initializer=row_shards.ShardInitializer(whole, *place, self.total_rows),
                    autocast=False,
                )
            shards.append(weight)
        return tuple(shards)

    def call(
        self,
        features: Mapping[str, tf.Tensor],
        fields: Sequence[str] | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Embeds a batch; compiled operations do it in training alone, so that models export."""
        chosen = self._chosen(fields)
        parts = []
        for entity in dict.fromkeys(field.entity for field in chosen):
            own = [field for field in chosen if field.entity == entity]
            embedded = self._embed(own, features, training)
            if entity is not None and f"{entity}_row" in features:
                # One reading of each distinct row, then copies of what it gave.
                embedded = tf.gather(embedded, features[f"{entity}_row"])
            parts.append((own, embedded))
        return tf.cast(_in_order(chosen, parts), self.compute_dtype)

    def list_values(self, name: str, features: Mapping[str, tf.Tensor]) -> ListValues:
        """The values of a multi-categorical field, in the place of their mean.

        An empty list has one value, row 0, as it has in the mean.

        Args:
          name: of the field.
          features: as `call` takes them.
        """
        (field,) = (field for field in self.fields if field.name == name)
        ids, kept, weight = self._places(field, features)
        # In the place of padding a list's first id is read, so that no row is touched in vain.
        ids = tf.where(kept, ids, ids[:, :1])
        distinct, position = tf.reshape(ids, [-1]), tf.range(tf.size(ids))
        if not self.static_shapes:
            distinct, position = tf.unique(distinct)
        parts = [tf.reshape(position, tf.shape(ids)), weight * tf.cast(kept, weight.dtype), kept]
        if field.entity is not None and f"{field.entity}_row" in features:
            parts = [tf.gather(part, features[f"{field.entity}_row"]) for part in parts]
        position, weight, kept = parts
        example = tf.broadcast_to(tf.range(tf.shape(kept)[0])[:, None], tf.shape(kept))
        columns = (position, example, weight)
        if self.static_shapes:
            columns = (tf.reshape(column, [-1]) for column in columns)
        else:
            columns = (tf.boolean_mask(column, kept) for column in columns)
        embedded = tf.cast(self._read(distinct), self.compute_dtype)
        return ListValues(embedded, *columns)

    def shared_rows(self, features: Mapping[str, tf.Tensor]) -> SharedRows:
        """What `call` gives, flattened to `(batch, fields * dim)`, an entity's rows not copied.

        Args:
          features: as `call` takes them, of fields of which some belong to one entity table.

        Raises:
          ValueError: there are several entity tables, or none, or no row numbers.
        """
        entities = {field.entity for field in self.fields if field.entity}
        if len(entities) != 1 or f"{min(entities)}_row" not in features:
            raise ValueError("shared rows are those of one entity table, given its row numbers")
        entity = min(entities)
        parts, columns = [], []
        for own in (False, True):
            places = [n for n, f in enumerate(self.fields) if (f.entity is None) == own]
            embedded = self._embed([self.fields[n] for n in places], features)
            width = len(places) * self.embedding_dim
            embedded = tf.cast(tf.reshape(embedded, (-1, width)), self.compute_dtype)
            parts.append(embedded)
            starts = np.array(places, np.int32)[:, None] * self.embedding_dim
            columns.append(tf.constant((starts + np.arange(self.embedding_dim)).ravel(), tf.int32))
        return SharedRows(parts[0], features[f"{entity}_row"], parts[1], *columns)

    def rows(self, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Rows of the table that a batch may read, `(count,)`, repeated or not."""
        rows = []
        for field in self.fields:
            if field.kind == NUMERIC:
                continue
            ids = tf.reshape(tf.cast(features[field.name], tf.int32), [-1])
            if field.kind == MULTI_CATEGORICAL:  # an empty list reads the row of "missing"
                ids = tf.concat([ids, [PADDING_ROW]], axis=0)
            rows.append(ids + self.offsets[field.name])
        return tf.concat(rows, axis=0)

    def rows_of_tables(self, features: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """For each of `tables` its rows among `rows`."""
        if len(self.tables) < 2:
            return [self.rows(features) for _ in self.tables]
        return row_shards.split(self.rows(features), self.table_shards)

    def _read(self, rows: tf.Tensor) -> tf.Tensor:
        """Rows of the table, `(*rows.shape, dim)`."""
        if self.table is not None:
            return tf.gather(self.table.value, rows)
        return row_shards.lookup([shard.value for shard in self.tables], rows)

    def _embed(
        self, fields: Sequence[Field], features: Mapping, training: bool = False
    ) -> tf.Tensor:
        """Fields with the same number of rows, `(rows, fields, dim)`."""
        kinds = {
            CATEGORICAL: self._single_valued,
            MULTI_CATEGORICAL: functools.partial(self._pooled, compiled=training),
            NUMERIC: self._numeric,
        }
        parts = []
        for kind, embed in kinds.items():
            if chosen := [field for field in fields if field.kind == kind]:
                parts.append((chosen, embed(chosen, features)))
        return _in_order(fields, parts)

    def _single_valued(self, fields: Sequence[Field], features: Mapping) -> tf.Tensor:
        ids = [tf.cast(features[f.name], tf.int32) + self.offsets[f.name] for f in fields]
        return self._read(tf.stack(ids, axis=1))

    def _places(self, field: Field, features: Mapping) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Rows of the table, whether they are kept, and weights, `(rows, width + 1)` each."""
        one_more = ((0, 0), (0, 1))  # a last place for the row of "missing", read by empty lists
        values = tf.cast(features[field.name], tf.int32)
        present = values != PADDING_ROW
        empty = ~tf.reduce_any(present, axis=1, keepdims=True)
        weight = tf.ones(tf.shape(values), self.variable_dtype)
        if field.weighted:
            weight = tf.cast(features[field.weight_name], self.variable_dtype)
        return (
            tf.pad(values, one_more) + self.offsets[field.name],
            tf.concat([present, empty], axis=1),
            tf.pad(weight, one_more, constant_values=1.0),
        )

    def _pooled(self, fields: Sequence[Field], features: Mapping, compiled: bool) -> tf.Tensor:
        compiled &= not self.static_shapes and not any(field.weighted for field in fields)
        if compiled and self.table is not None and kernels.usable(self.table.value):
            tf.gather(self.table.value, tf.zeros(0, tf.int32))  # tells gradient tapes of the table
            pooled = kernels.library().dcrnn_pooled_rows(
                self.table.value.handle,
                [tf.cast(features[field.name], tf.int32) for field in fields],
                offsets=[self.offsets[field.name] for field in fields],
            )
            return tf.ensure_shape(pooled, (None, len(fields), self.embedding_dim))
        places = [self._places(field, features) for field in fields]
        ids, kept, weights = map(list, zip(*places, strict=True))
        pool = self._pool_padded if self.static_shapes else self._pool_distinct
        weighted = any(field.weighted for field in fields)
        return pool(ids, kept, weights if weighted else None)

    def _pool_distinct(self, ids: list, kept: list, weights: list | None) -> tf.Tensor:
        """Means over the places kept of each list, `(rows, lists, dim)`.

        Ids repeat a lot: each distinct one is read once, and gets one summed gradient.
        """
        rows, lists = tf.shape(ids[0])[0], len(ids)
        # A segment is one list of one example; those of an example follow one another.
        column = tf.concat([tf.fill([tf.shape(part)[1]], i) for i, part in enumerate(ids)], axis=0)
        segment = tf.range(rows)[:, None] * lists + column
        kept = tf.concat(kept, axis=1)
        segment = tf.boolean_mask(segment, kept)
        distinct, position = tf.unique(tf.boolean_mask(tf.concat(ids, axis=1), kept))
        embedded = self._read(distinct)
        if weights is None:
            pooled = tf.sparse.segment_mean(embedded, position, segment)
        else:
            weight = tf.boolean_mask(tf.concat(weights, axis=1), kept)[:, None]
            sums = tf.math.segment_sum(tf.gather(embedded, position) * weight, segment)
            pooled = tf.math.divide_no_nan(sums, tf.math.segment_sum(weight, segment))
        return tf.reshape(pooled, (rows, lists, self.embedding_dim))

    def _pool_padded(self, ids: list, kept: list, weights: list | None) -> tf.Tensor:
        """The same with shapes that do not depend on values.

        In the place of padding a list's first id is read, so that no row is touched in vain.
        """
        pooled = []
        for number, (rows, present) in enumerate(zip(ids, kept, strict=True)):
            weight = tf.cast(present, self.variable_dtype)
            if weights is not None:
                weight *= weights[number]
            rows = tf.where(present, rows, rows[:, :1])
            embedded = self._read(rows)
            sums = tf.reduce_sum(embedded * weight[:, :, None], axis=1)
            total = tf.reduce_sum(weight, axis=1, keepdims=True)
            pooled.append(tf.math.divide_no_nan(sums, total))
        return tf.stack(pooled, axis=1)

    def _numeric(self, fields: Sequence[Field], features: Mapping) -> tf.Tensor:
        numeric = [field.name for field in self.fields if field.kind == NUMERIC]
        chosen = [numeric.index(field.name) for field in fields]
        numbers = [tf.cast(features[field.name], self.variable_dtype) for field in fields]
        slopes = tf.stack([self.numeric_slopes[i] for i in chosen])
        intercepts = tf.stack([self.numeric_intercepts[i] for i in chosen])
        return tf.stack(numbers, axis=1)[:, :, None] * slopes + intercepts

    def compute_output_spec(self, features, fields=None, training=False) -> keras.KerasTensor:
        """`(batch, fields, dim)`."""
        chosen = self._chosen(fields)
        batch = features.get(f"{chosen[0].entity}_row", features[chosen[0].name]).shape[0]
        shape = (batch, len(chosen), self.embedding_dim)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def _chosen(self, names: Sequence[str] | None) -> list[Field]:
        return [field for field in self.fields if names is None or field.name in names]


def _in_order(
    fields: Sequence[Field], parts: Sequence[tuple[Sequence[Field], tf.Tensor]]
) -> tf.Tensor:
    """Puts embeddings `(rows, some fields, dim)` together, in the order of `fields`."""
    owner = {field.name: number for number, (own, _) in enumerate(parts) for field in own}
    runs = [
        (number, len(list(run)))
        for number, run in itertools.groupby(owner[field.name] for field in fields)
    ]
    pieces = []
    for number, (_, embedded) in enumerate(parts):
        lengths = [length for owned, length in runs if owned == number]
        pieces.append(iter(tf.split(embedded, lengths, axis=1)))
    ordered = [next(pieces[number]) for number, _ in runs]
    return ordered[0] if len(ordered) == 1 else tf.concat(ordered, axis=1)
