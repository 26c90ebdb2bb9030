"""A model's features as inputs of a served model, for clients that encode raw values themselves."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.encodings import FIRST_ID_ROW, UNKNOWN_ROW
from dcrnn_tf.dataset.schema import Schema
from dcrnn_tf.models.base import feature_specs


class EncodedFeatures:
    """The features of a batch as a prepared dataset holds them, one input for each.

    An id is its row of the field's vocabulary: 0 of a missing one, 1 of an unknown one, and from 2
    on those of the vocabulary in its order. A row that the field does not have counts as unknown.
    A number is scaled; one that is not finite is missing, as 0 is.

    Args:
      schema: Schema of the dataset.
    """

    def __init__(self, schema: Schema):
        self._fields = tuple(dataclasses.replace(field, entity=None) for field in schema.fields)

    def specs(self) -> dict[str, tf.TensorSpec]:
        """Shapes and types of the inputs, `{input: tf.TensorSpec}`."""
        return feature_specs(self._fields)

    def samples(self, rows: int = 1) -> dict[str, np.ndarray]:
        """Inputs to try a model with: in each row the first id, zeros for numbers, weights of 1."""
        shapes = {
            name: (rows, *(width or 1 for width in spec.shape[1:]))
            for name, spec in self.specs().items()
        }
        samples = {}
        for field in self._fields:
            first = min(FIRST_ID_ROW, field.vocabulary_size - 1) if field.has_ids else 0.0
            dtype = np.int32 if field.has_ids else np.float32
            samples[field.name] = np.full(shapes[field.name], first, dtype)
            if field.weighted:
                samples[field.weight_name] = np.ones(shapes[field.name], np.float32)
        return samples

    def checked(self, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns inputs with values that the model knows.

        Args:
          features: The inputs of `specs`, with as many rows each.
        """
        checked = dict(features)
        for field in self._fields:
            values = features[field.name]
            if field.has_ids:
                known = (values >= 0) & (values < field.vocabulary_size)
                checked[field.name] = tf.where(known, values, UNKNOWN_ROW)
            else:
                present = tf.math.is_finite(values)
                if len(values.shape) > 1:  # a vector is there as a whole
                    present = tf.reduce_all(present, axis=1, keepdims=True)
                checked[field.name] = tf.where(present, values, 0.0)
        return checked
