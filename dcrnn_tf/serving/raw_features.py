"""Turns raw features into a model's features within a graph, by TensorFlow operations alone.

The encodings of the schema's fields and the vocabularies become part of a graph, so that a saved
model takes raw values.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.schema import DatasetError, Schema
from dcrnn_tf.serving.field_inputs import ENCODERS, FieldInputs, Shared
from dcrnn_tf.serving.graph_size import check_size


class RawFeatures(tf.Module):
    """Encodes raw features as the preparation of a dataset did.

    A raw value is an id (int64 or text, as in the raw files), or a number (float64). An id that the
    vocabulary does not know has row 1. A value may be missing: one that the field's encoding names
    so, and any number that is not finite. In a list missing ids are passed over, and it is cut to
    the length to which preparation cut it.

    Args:
      schema: of the dataset.
      vocabularies: `{field: raw ids}` of all fields that have one, in the order of their rows.

    Raises:
      DatasetError: the schema does not say how a field was encoded, or a vocabulary holds an id
        that stands for a missing one, or they are too large for a graph.
    """

    def __init__(self, schema: Schema, vocabularies: Mapping[str, np.ndarray]):
        super().__init__(name="raw_features")
        for field in schema.fields:
            if field.encoding is None:
                raise DatasetError(
                    f"the schema of dataset {schema.name} does not say how field {field.name} was "
                    "encoded; prepare the dataset again"
                )
        check_size(schema, vocabularies)
        shared: Shared = {}
        self._encoders = tuple(
            ENCODERS[type(field.encoding)](
                field, field.encoding, vocabularies.get(field.name), shared
            )
            for field in schema.fields
            if field.encoding
        )

    def specs(self, fields: Sequence[str] | None = None) -> dict[str, tf.TensorSpec]:
        """Shapes and types of raw inputs, `{input: tf.TensorSpec}`.

        A field is an input `(rows,)`, a list `(rows, width)` padded with missing ids; a weighted
        list has its weights beside, float32 `(rows, width)`.

        Args:
          fields: names of the fields; None is all.
        """
        specs = {}
        for name, value in self.defaults(fields).items():
            specs[name] = tf.TensorSpec([None] * len(value.shape), value.dtype)
        return specs

    def defaults(self, fields: Sequence[str] | None = None) -> dict[str, tf.Tensor]:
        """What stands for an input that a client leaves out: one row of a missing value."""
        chosen = self._chosen(fields)
        return {name: value for encoder in chosen for name, value in encoder.defaults.items()}

    def samples(self, fields: Sequence[str] | None = None, rows: int = 1) -> dict[str, np.ndarray]:
        """Inputs to try a model with: in each row the first known ids, and zeros for numbers."""
        chosen = self._chosen(fields)
        return {
            name: np.repeat(value, rows, axis=0)
            for encoder in chosen
            for name, value in encoder.samples.items()
        }

    def encode(self, raw: Mapping[str, tf.Tensor], fields: Sequence[str] | None = None) -> dict:
        """Features of a batch, as `PreparedDataset` gives them without entity tables.

        Args:
          raw: the inputs of `specs`. One with a single row counts for all rows of the others.
          fields: names of the fields; None is all.

        Returns:
          `{field: int32 (rows,)}`, int32 `(rows, width)` of a list, float32 `(rows,)` of a number.
        """
        features: dict[str, tf.Tensor] = {}
        for encoder in self._chosen(fields):
            features |= encoder.encode(raw)
        counts = tf.stack([_rows(column) for column in features.values()])
        # An empty batch stays empty though inputs that are left out have one row.
        rows = tf.where(tf.reduce_min(counts) == 0, 0, tf.reduce_max(counts))
        fits = tf.debugging.Assert(
            tf.reduce_all((counts == 1) | (counts == rows)),
            ["inputs differ in their numbers of rows:", [*features], counts],
            summarize=len(features),
        )
        with tf.control_dependencies([fits]):
            return {name: _repeated(column, rows) for name, column in features.items()}

    def parse(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Raw inputs of serialized `tf.Example`s, `(batch,)` of strings.

        Ids are int64 or bytes features, numbers float features, all under the inputs' names; what
        an Example lacks is missing, and what is not asked for is passed over.
        """
        described: dict[str, object] = {}
        for encoder in self._encoders:
            described |= encoder.example_features()
        parsed = tf.io.parse_example(examples, described)
        raw: dict[str, tf.Tensor] = {}
        for encoder in self._encoders:
            raw |= encoder.from_example(parsed)
        return raw

    def _chosen(self, fields: Sequence[str] | None) -> list[FieldInputs]:
        return [e for e in self._encoders if fields is None or e.field.name in fields]


def _rows(column: tf.Tensor) -> tf.Tensor:
    """Returns the number of rows; a column without other axes needs fewer operations."""
    return tf.size(column) if len(column.shape) == 1 else tf.shape(column)[0]


def _repeated(column: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns a column with `rows` rows; where it has one row, that is repeated."""
    shape = rows[None] if len(column.shape) == 1 else [rows, *tf.unstack(tf.shape(column)[1:])]
    return tf.broadcast_to(column, shape)
