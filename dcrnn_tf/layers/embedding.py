"""Embedding of every field, from one table."""

import dataclasses
from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from dcrnn_tf.schema import CATEGORICAL, MULTI_CATEGORICAL, NUMERIC, PADDING_ROW, Field


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class FieldEmbedding(keras.layers.Layer):
    """Embeds every field of a batch into `(batch, fields, dim)`, in the order of `fields`.

    All categorical fields share one weight, `table`, each from an offset of its own. Its
    gradient is a `tf.IndexedSlices` and no step's cost depends on the size of the table.

    - A categorical field x gives row x of its part of the table.
    - A multi-categorical field gives the mean of its ids' rows, `sum_i w_i e_i / sum_i w_i` with
      the weights of a weighted field (zeros if they sum to 0) and w_i = 1 otherwise. An empty list
      gives row 0, the field's embedding of "missing".
    - A numeric field x gives `x w + b` with learned vectors w and b.

    Args:
      fields: the fields, as `dcrnn_tf.schema.Field` or as dicts of its attributes.
      embedding_dim: width of an embedding.
      initial_range: the embeddings start uniform in `[-initial_range, initial_range]`.

    Call arguments:
      features: a dict with, for each field, ids int32 `(rows,)`, ids int32 `(rows, width)` padded
        at the end with 0 (and `FIELD_weight`, float32 `(rows, width)`, for a weighted field), or
        numbers float32 `(rows,)`. The fields of an entity table `user` have one row per distinct
        user if `features["user_row"]`, int32 `(batch,)`, tells each example's row among them;
        without that key, and for all other fields, `rows = batch`.

    Returns:
      `(batch, fields, dim)`.
    """

    def __init__(
        self,
        fields: Sequence[Field | Mapping],
        embedding_dim: int = 32,
        initial_range: float = 0.05,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)  # never a cast of the whole table
        self.fields = tuple(f if isinstance(f, Field) else Field(**f) for f in fields)
        self.embedding_dim = embedding_dim
        self.initial_range = initial_range
        self.total_rows = 0
        self.offsets = {}
        for field in self.fields:
            self.offsets[field.name] = self.total_rows
            self.total_rows += field.vocabulary_size
        self.table = None

    def build(self, input_shape=None) -> None:
        """Creates the table, and two vectors for each numeric field."""

        def add(name, rows):
            uniform = keras.initializers.RandomUniform(-self.initial_range, self.initial_range)
            return self.add_weight(
                name=name, shape=(rows, self.embedding_dim), initializer=uniform, autocast=False
            )

        if self.total_rows:
            self.table = add("table", self.total_rows)
        numeric = sum(field.kind == NUMERIC for field in self.fields)
        if numeric:
            self.numeric_slopes = add("numeric_slopes", numeric)
            self.numeric_intercepts = add("numeric_intercepts", numeric)

    def call(self, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Embeds a batch."""
        columns = self._single_valued(features) | self._pooled(features) | self._numeric(features)
        embedded = []
        for field in self.fields:
            column = columns[field.name]
            if field.entity is not None and f"{field.entity}_row" in features:
                column = tf.gather(column, features[f"{field.entity}_row"])
            embedded.append(column)
        return tf.cast(tf.stack(embedded, axis=1), self.compute_dtype)

    def _of_kind(self, kind: str) -> list[Field]:
        return [field for field in self.fields if field.kind == kind]

    def _single_valued(self, features) -> dict[str, tf.Tensor]:
        fields = self._of_kind(CATEGORICAL)
        if not fields:
            return {}
        ids = [tf.cast(features[f.name], tf.int32) + self.offsets[f.name] for f in fields]
        gathered = tf.gather(self.table.value, tf.concat(ids, axis=0))
        parts = tf.split(gathered, [tf.size(column) for column in ids], num=len(fields))
        return {field.name: part for field, part in zip(fields, parts, strict=True)}

    def _pooled(self, features) -> dict[str, tf.Tensor]:
        columns = {}
        for field in self._of_kind(MULTI_CATEGORICAL):
            ids = tf.cast(features[field.name], tf.int32)
            present = ids != PADDING_ROW
            # An empty list keeps one padding: the row of "missing". So no example is left out.
            missing = ~tf.reduce_any(present, axis=1, keepdims=True)
            kept = tf.where(present | (missing & (tf.range(tf.shape(ids)[1]) == 0)))
            rows = tf.gather(self.table.value, tf.gather_nd(ids, kept) + self.offsets[field.name])
            example = kept[:, 0]
            if field.weighted:
                weights = tf.cast(features[field.weight_name], self.variable_dtype)
                weights = tf.where(missing, tf.ones_like(weights), weights)
                weights = tf.gather_nd(weights, kept)[:, None]
                sums = tf.math.segment_sum(rows * weights, example)
                totals = tf.math.segment_sum(weights, example)
                columns[field.name] = tf.math.divide_no_nan(sums, totals)
            else:
                columns[field.name] = tf.math.segment_mean(rows, example)
        return columns

    def _numeric(self, features) -> dict[str, tf.Tensor]:
        columns = {}
        for i, field in enumerate(self._of_kind(NUMERIC)):
            number = tf.cast(features[field.name], self.variable_dtype)[:, None]
            columns[field.name] = number * self.numeric_slopes[i] + self.numeric_intercepts[i]
        return columns

    def compute_output_shape(self, input_shape) -> tuple:
        """`(batch, fields, dim)`."""
        return (None, len(self.fields), self.embedding_dim)

    def get_config(self) -> dict:
        """Arguments of the constructor."""
        return super().get_config() | {
            "fields": [dataclasses.asdict(field) for field in self.fields],
            "embedding_dim": self.embedding_dim,
            "initial_range": self.initial_range,
        }
