"""Embedding of every field, from one table."""

import dataclasses
from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from dcrnn_tf.schema import CATEGORICAL, MULTI_CATEGORICAL, NUMERIC, Field


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class FieldEmbedding(keras.layers.Layer):
    """Embeds every field of a batch into `(batch, fields, dim)`, in the order of `fields`.

    All categorical fields share one weight, `table`, each from an offset of its own, so that a
    batch is one gather forwards and one `tf.IndexedSlices` backwards, whose cost does not depend
    on the size of the table.

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
        columns = self._single_valued(features)
        columns |= self._multi_valued(features)
        columns |= self._numeric(features)
        embedded = []
        for field in self.fields:
            column = columns[field.name]
            if (
                field.entity is not None
                and (row := features.get(f"{field.entity}_row")) is not None
            ):
                column = tf.gather(column, row)
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

    def _multi_valued(self, features) -> dict[str, tf.Tensor]:
        fields = self._of_kind(MULTI_CATEGORICAL)
        if not fields:
            return {}
        ids, segments, weights, sizes, start = [], [], [], [], 0
        for field in fields:
            padded = tf.cast(features[field.name], tf.int32)
            present = padded > 0
            empty = ~tf.reduce_any(present, axis=1, keepdims=True)
            first = tf.range(tf.shape(padded)[1]) == 0
            kept = tf.where(present | (empty & first))
            ids.append(tf.gather_nd(padded, kept) + self.offsets[field.name])
            segments.append(tf.cast(kept[:, 0], tf.int32) + start)
            if field.weighted:
                weight = tf.cast(features[field.weight_name], self.variable_dtype)
                weights.append(tf.gather_nd(tf.where(empty, tf.ones_like(weight), weight), kept))
            else:
                weights.append(tf.ones(tf.shape(kept)[:1], self.variable_dtype))
            sizes.append(tf.shape(padded)[0])
            start += sizes[-1]
        distinct, position = tf.unique(tf.concat(ids, axis=0))
        rows = tf.gather(self.table.value, distinct)
        segment = tf.concat(segments, axis=0)
        if any(field.weighted for field in fields):
            weight = tf.concat(weights, axis=0)
            total = tf.math.unsorted_segment_sum(weight, segment, start)
            scaled = (
                tf.gather(rows, position)
                * tf.math.divide_no_nan(weight, tf.gather(total, segment))[:, None]
            )
            pooled = tf.math.unsorted_segment_sum(scaled, segment, start)
        else:
            pooled = tf.sparse.segment_mean(rows, position, segment, num_segments=start)
        parts = tf.split(pooled, sizes, num=len(fields))
        return {field.name: part for field, part in zip(fields, parts, strict=True)}

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
