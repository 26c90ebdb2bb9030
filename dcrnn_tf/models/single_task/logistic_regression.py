"""Logistic regression: a weight for each field's value."""

import keras
import tensorflow as tf

from dcrnn_tf.models.registry import register
from dcrnn_tf.models.single_task.base import SingleTaskModel


@register("logistic_regression", label="Logistic regression")
class LogisticRegression(SingleTaskModel):
    """`y = b + sum_i w_i`, w_i the weight of field i's value.

    An id has a weight of its own, a list the mean of its ids' weights, a number x the weight
    `x a + c`. That is the logistic regression of the one-hot features, trained like any other
    model: by steps, and without a penalty on its weights.

    Args:
      fields: as `MultiTaskModel`.
      tasks: as `MultiTaskModel`.
      embedding_dim: of no effect, the width is 1; taken so that models can be exchanged.
    """

    @property
    def embedding_width(self) -> int:
        """Width of the table: one weight per task."""
        return len(self.tasks)

    def network(self, name: str) -> keras.layers.Layer:
        """The sum of all weights."""
        return _Network(name=name, dtype=self.dtype_policy)


class _Network(keras.layers.Layer):
    def build(self, input_shape) -> None:
        self.bias = self.add_weight(name="bias", shape=(), initializer="zeros")

    def call(self, weights: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(weights, axis=(1, 2)) + self.bias
