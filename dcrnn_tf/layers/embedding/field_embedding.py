"""Embeddings of all fields, from one table."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.schema import CATEGORICAL, MULTI_CATEGORICAL, NUMERIC, VECTOR, Field
from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.embedding import affine, owners, pooling, row_shards, widths
from dcrnn_tf.layers.embedding.compact_rows import CompactRows
from dcrnn_tf.layers.embedding.in_order import in_order
from dcrnn_tf.layers.embedding.list_values import ListValues, one_by_one
from dcrnn_tf.layers.embedding.row_table import RowTable
from dcrnn_tf.layers.shared_rows import SharedRows


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class FieldEmbedding(Layer):
    """The embeddings of all fields of a batch, in the order of `fields`.

    All categorical fields share one weight, `table`, each from its own offset, and fields that
    share their ids from the same one. Its gradient is a `tf.IndexedSlices`, and the cost of no step
    depends on the size of the table.

    - A categorical field x gives row x of its part of the table.
    - A multi-categorical field gives the mean of its ids' rows, `sum_i w_i e_i / sum_i w_i`, with
      the weights of a weighted field (zeros if they sum to 0) and w_i = 1 otherwise. An empty list
      gives row 0, the field's embedding of "missing".
    - A numeric field x gives `x w + b` with learned vectors w and b.
    - A vector field x gives `x W + b` with a learned matrix W and vector b.

    The rows of a field of ids with a `width` of its own lie in another table, one for each width.
    Its embedding is `e P`: e is its row, or the mean of its rows, and P a learned matrix of the
    field.

    Args:
      fields: Fields, as `dcrnn_tf.dataset.schema.Field` or as dicts of its attributes.
      embedding_dim: Width of an embedding, dim.
      initial_range: The embeddings start uniform in `[-initial_range, initial_range]`.
      static_shapes: Whether lists are pooled in a form that XLA compiles, padding included.
      table_shards: Number of variables over which the table's rows are spread; its values, and what
        training makes of them, do not depend on it.
      table_devices: Devices that take turns in holding these variables, such as
        `["CPU:0", "GPU:1"]`; None leaves it to TensorFlow.
      frozen_fields: Names of fields of ids whose rows get no gradient, nor do those of the fields
        that share their ids.
      parts: Number of equal parts of an embedding, each independent of the others. A
        field with a width of its own has one row of that width for each id and part.

    Raises:
      ValueError: A device or a frozen field does not exist, several shards are to have static
        shapes, or the fields have more rows than int32 numbers.

    Call arguments:
      features: Features by name. A categorical field has ids, int32 `(rows,)`, a multi-categorical
        one ids, int32 `(rows, width)`, padded at the end with 0 (and `FIELD_weight`, float32
        `(rows, width)`, if it is weighted), a numeric one numbers, float32 `(rows,)`, a vector one
        float32 `(rows, length)`. The fields of
        an entity table `user` have one row per distinct user if `features["user_row"]`, int32
        `(batch,)`, holds each example's row among them; without that key, and for all other fields,
        `rows = batch`.
      fields: Names of the fields to embed; None takes all.
      training: Whether the call belongs to a training step.

    Returns:
      The embeddings, `(batch, fields, dim)`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> from dcrnn_tf.dataset.schema import Field
      >>> fields = [
      ...     Field("item", vocabulary_size=100),
      ...     Field("history", "multi_categorical", vocabulary_size=50),
      ...     Field("price", "numeric"),
      ... ]
      >>> features = {
      ...     "item": tf.constant([7, 9]),
      ...     "history": tf.constant([[3, 4, 5], [6, 0, 0]]),
      ...     "price": tf.constant([0.5, 2.0]),
      ... }
      >>> layers.FieldEmbedding(fields, embedding_dim=8)(features).shape
      TensorShape([2, 3, 8])
    """

    def __init__(
        self,
        fields: Sequence[Field | Mapping],
        embedding_dim: int = 32,
        initial_range: float = 0.05,
        static_shapes: bool = False,
        table_shards: int = 1,
        table_devices: Sequence[str] | None = None,
        frozen_fields: Sequence[str] = (),
        parts: int = 1,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)  # the whole table is never cast
        self.fields = tuple(f if isinstance(f, Field) else Field(**f) for f in fields)
        self.embedding_dim = embedding_dim
        self.initial_range = initial_range
        self.static_shapes = static_shapes
        self.table_shards = table_shards
        self.table_devices = table_devices
        self.parts = parts
        if table_shards > 1 and static_shapes:
            raise ValueError(f"table_shards={table_shards} has no form that XLA compiles")
        row_shards.check_devices(table_devices)
        self._frozen = owners.of_frozen(self.fields, frozen_fields)
        self.of_width = tuple(
            FieldEmbedding(
                [dataclasses.replace(field, width=None) for field in own],
                parts * width,
                initial_range,
                static_shapes,
                table_shards,
                table_devices,
                [field.name for field in own if field.owner in self._frozen],
                name=f"width_{width}",
                dtype=self.dtype_policy,
            )
            for width, own in widths.fields_by_width(self.fields, embedding_dim // parts).items()
        )
        apart = {field.name for layer in self.of_width for field in layer.fields}
        own = [field for field in self.fields if field.name not in apart]
        self._row_table = RowTable(own, embedding_dim, table_shards, table_devices, self._frozen)
        self.table = None  # the table, if one variable holds it
        self.shards: tuple[keras.Variable, ...] = ()  # the variables that hold it

    @property
    def offsets(self) -> dict[str, int]:
        """The first row of each field in the table; those with a width of their own are absent."""
        return self._row_table.offsets

    @property
    def total_rows(self) -> int:
        """The number of the table's rows."""
        return self._row_table.total_rows

    @property
    def tables(self) -> tuple[keras.Variable, ...]:
        """The variables that hold the tables, without those of frozen fields alone."""
        own = self.shards if self._row_table.trained else ()
        return own + tuple(table for layer in self.of_width for table in layer.tables)

    def layers_by_table(self) -> dict[str, "FieldEmbedding"]:
        """Returns the layers that hold tables, by name; "" is this one."""
        return {"": self} | {layer.name: layer for layer in self.of_width}

    @property
    def table_size(self) -> int:
        """The number of weights of all tables."""
        own = self.total_rows * self.embedding_dim
        return own + sum(layer.table_size for layer in self.of_width)

    def size_of(self, field: Field) -> int:
        """Returns the number of weights of a field's rows."""
        return field.vocabulary_size * self._holder(field.name).embedding_dim

    def build(self, input_shape=None) -> None:
        """Creates the tables, and the weights of fields that have other ones."""
        uniform = functools.partial(
            keras.initializers.RandomUniform, -self.initial_range, self.initial_range
        )
        add = functools.partial(self.add_weight, autocast=False)
        self.shards = self._row_table.build(add, uniform)
        if len(self.shards) == 1:
            (self.table,) = self.shards

        def add_vectors(name: str, count: int) -> keras.Variable:
            shape = (count, self.embedding_dim)
            return add(name=name, shape=shape, initializer=uniform())

        if numeric := sum(field.kind == NUMERIC for field in self.fields):
            self.numeric_slopes = add_vectors("numeric_slopes", numeric)
            self.numeric_intercepts = add_vectors("numeric_intercepts", numeric)
        vectors = [field for field in self.fields if field.kind == VECTOR]
        self.vector_kernels = tuple(
            add(
                name=f"vector_kernel_{number}",
                shape=(field.length, self.embedding_dim),
                initializer="glorot_uniform",
            )
            for number, field in enumerate(vectors)
        )
        if vectors:
            self.vector_biases = add_vectors("vector_biases", len(vectors))
        for layer in self.of_width:
            layer.build()
        self.width_kernels = tuple(
            add(
                name=f"{layer.name}_kernels",
                shape=widths.shape(
                    layer.fields, self.parts, layer.embedding_dim, self.embedding_dim
                ),
                initializer=widths.initializer(layer.embedding_dim // self.parts),
            )
            for layer in self.of_width
        )

    def _projected(
        self, layer: "FieldEmbedding", fields: Sequence[Field], embedded: tf.Tensor
    ) -> tf.Tensor:
        """Returns embeddings of `layer` in the common width, `(rows, fields, dim)`."""
        kernels = self.width_kernels[self.of_width.index(layer)]
        return widths.project(embedded, kernels, owners.of(layer.fields), fields)

    def call(
        self,
        features: Mapping[str, tf.Tensor],
        fields: Sequence[str] | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Returns the embeddings; only training uses compiled operations, so that models export."""
        chosen = self._chosen(fields)
        parts = []
        for entity in dict.fromkeys(field.entity for field in chosen):
            own = [field for field in chosen if field.entity == entity]
            embedded = self._embed(own, features, training)
            if entity is not None and f"{entity}_row" in features:
                # Each distinct row is read once and then copied.
                embedded = tf.gather(embedded, features[f"{entity}_row"])
            parts.append((own, embedded))
        return tf.cast(in_order(chosen, parts), self.compute_dtype)

    def list_values(self, name: str, features: Mapping[str, tf.Tensor]) -> ListValues:
        """Returns the values of a multi-categorical field one by one, instead of their mean.

        An empty list has one value, row 0, as it has in the mean.

        Args:
          name: Name of the field.
          features: Features, as `call` takes them.
        """
        layer = self._holder(name)
        if layer is not self:
            values = layer.list_values(name, features)
            field = next(field for field in layer.fields if field.name == name)
            embedded = self._projected(layer, [field], tf.cast(values[0], self.variable_dtype))
            return ListValues(tf.cast(embedded[:, 0], self.compute_dtype), *values[1:])
        (field,) = (field for field in self.fields if field.name == name)
        rows_of_examples = None
        if field.entity is not None:
            rows_of_examples = features.get(f"{field.entity}_row")
        lists = self._list_rows(field, features)
        distinct, columns = one_by_one(lists, rows_of_examples, self.static_shapes)
        embedded = tf.cast(self._row_table.read(distinct), self.compute_dtype)
        if field.owner in self._frozen:
            embedded = tf.stop_gradient(embedded)
        return ListValues(embedded, *columns)

    def shared_rows(self, features: Mapping[str, tf.Tensor]) -> SharedRows:
        """Returns what `call` does as `(batch, fields * dim)`, without copying an entity's rows.

        Args:
          features: Features, as `call` takes them; some of the fields belong to one entity table.

        Raises:
          ValueError: There are several entity tables, or none, or no row numbers.
        """
        entities = {field.entity for field in self.fields if field.entity}
        if len(entities) != 1 or f"{min(entities)}_row" not in features:
            raise ValueError("shared rows are those of one entity table, with its row numbers")
        entity = min(entities)
        parts, columns = [], []
        for own in (False, True):
            numbers = [n for n, f in enumerate(self.fields) if (f.entity is None) == own]
            embedded = self._embed([self.fields[n] for n in numbers], features)
            width = len(numbers) * self.embedding_dim
            embedded = tf.cast(tf.reshape(embedded, (-1, width)), self.compute_dtype)
            parts.append(embedded)
            starts = np.array(numbers, np.int32)[:, None] * self.embedding_dim
            columns.append(tf.constant((starts + np.arange(self.embedding_dim)).ravel(), tf.int32))
        return SharedRows(parts[0], features[f"{entity}_row"], parts[1], *columns)

    def rows(self, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the rows of the table that a batch may read, `(count,)`, repeated or not.

        The table is that of the fields without a width of their own.
        """
        return self._row_table.rows(features)

    def rows_of_tables(self, features: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """Returns, for each of `tables`, its rows among `rows`."""
        of_width = [rows for layer in self.of_width for rows in layer.rows_of_tables(features)]
        if not self.shards or not self._row_table.trained:
            return of_width
        return row_shards.split(self.rows(features), len(self.shards)) + of_width

    def assign_rows(
        self, field: str, rows: np.ndarray, columns: Sequence[int], values: np.ndarray
    ) -> None:
        """Gives rows of a field other values.

        Args:
          field: Name of the field.
          rows: Distinct rows of the field, `(count,)`.
          columns: First column of each part of the table that gets the values.
          values: Values, `(count, width)`.
        """
        self._holder(field)._row_table.assign(field, rows, columns, values)

    def compact(self, precision: str) -> dict[CompactRows, tuple[keras.Variable, ...]]:
        """Has all rows read from tables of fewer bytes from now on, for a model that is served.

        Args:
          precision: Type in which rows are stored, as `CompactRows` takes it.

        Returns:
          The tables, each with the variables whose place it takes.
        """
        layers = [layer for layer in self.layers_by_table().values() if layer.shards]
        return {layer._row_table.compact(precision): layer.shards for layer in layers}

    def _holder(self, field: str) -> "FieldEmbedding":
        """The layer whose table has the rows of a field."""
        of_width = (layer for layer in self.of_width for f in layer.fields if f.name == field)
        return next(of_width, self)

    def _embed(
        self, fields: Sequence[Field], features: Mapping, training: bool = False
    ) -> tf.Tensor:
        """Returns the embeddings of fields with the same number of rows, `(rows, fields, dim)`."""
        kinds: Mapping[str, Callable] = {
            CATEGORICAL: self._single_valued,
            MULTI_CATEGORICAL: functools.partial(self._pooled, compiled=training),
            NUMERIC: self._numeric,
            VECTOR: self._vectors,
        }
        parts = []
        for layer in self.of_width:
            names = {field.name for field in layer.fields}
            if own := [field for field in fields if field.name in names]:
                embedded = layer._embed(own, features, training)
                parts.append((own, self._projected(layer, own, embedded)))
        apart = {field.name for own, _ in parts for field in own}
        for kind, embed in kinds.items():
            of_kind = [field for field in fields if field.kind == kind and field.name not in apart]
            if trained := [field for field in of_kind if field.owner not in self._frozen]:
                parts.append((trained, embed(trained, features)))
            if frozen := [field for field in of_kind if field.owner in self._frozen]:
                parts.append((frozen, tf.stop_gradient(embed(frozen, features))))
        return in_order(fields, parts)

    def _single_valued(self, fields: Sequence[Field], features: Mapping) -> tf.Tensor:
        ids = [tf.cast(features[f.name], tf.int32) + self.offsets[f.name] for f in fields]
        return self._row_table.read(tf.stack(ids, axis=1))

    def _list_rows(self, field: Field, features: Mapping) -> pooling.ListRows:
        offset = self.offsets[field.name]
        return pooling.list_rows(field, features, offset, self.variable_dtype)

    def _pooled(self, fields: Sequence[Field], features: Mapping, compiled: bool) -> tf.Tensor:
        weighted = any(field.weighted for field in fields)
        if compiled and not self.static_shapes and not weighted and pooling.compiled(self.table):
            ids = [tf.cast(features[field.name], tf.int32) for field in fields]
            offsets = [self.offsets[field.name] for field in fields]
            return pooling.means_by_compiled_operation(self.table, ids, offsets)
        lists = [self._list_rows(field, features) for field in fields]
        pool = pooling.means_of_padded if self.static_shapes else pooling.means_of_distinct
        return pool(lists, weighted, self._row_table.read)

    def _numeric(self, fields: Sequence[Field], features: Mapping) -> tf.Tensor:
        numeric = [field.name for field in self.fields if field.kind == NUMERIC]
        return affine.numbers(
            [tf.cast(features[field.name], self.variable_dtype) for field in fields],
            [numeric.index(field.name) for field in fields],
            self.numeric_slopes,
            self.numeric_intercepts,
        )

    def _vectors(self, fields: Sequence[Field], features: Mapping) -> tf.Tensor:
        names = [field.name for field in self.fields if field.kind == VECTOR]
        return affine.vectors(
            [tf.cast(features[field.name], self.variable_dtype) for field in fields],
            [names.index(field.name) for field in fields],
            self.vector_kernels,
            self.vector_biases,
        )

    def compute_output_spec(self, features, fields=None, training=False) -> keras.KerasTensor:
        """Returns the shape `(batch, fields, dim)` and the compute type."""
        chosen = self._chosen(fields)
        batch = features.get(f"{chosen[0].entity}_row", features[chosen[0].name]).shape[0]
        shape = (batch, len(chosen), self.embedding_dim)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def _chosen(self, names: Sequence[str] | None) -> list[Field]:
        return [field for field in self.fields if names is None or field.name in names]
