"""Logistic regression: a weight for each field's value."""

import keras
import tensorflow as tf

from dcrnn_tf.models.registry import register
from dcrnn_tf.models.single_task.base import SingleTaskModel


@register("logistic_regression", label="Logistic regression")
class LogisticRegression(SingleTaskModel):
    """A weight for each field's value: `y = b + sum_i w_i`.

    An id has a weight, a list the mean of its ids' weights, a number x the weight `x a + c`. That
    is the logistic regression of the one-hot features, trained like any other model: by steps, and
    without a penalty on its weights.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      embedding_dim: Without effect, the width is 1; it exists so that models can be exchanged.
      **kwargs: Settings of `MultiTaskModel`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("logistic_regression", schema)
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> model.parameter_counts()  # for each task 50 + 90 weights and the bias
      {'total': 282, 'embedding': 280, 'other': 2}
    """

    @property
    def embedding_width(self) -> int:
        """The width of the table: one weight per task."""
        return len(self.network_names)

    def network(self, name: str) -> keras.layers.Layer:
        """Returns the sum of all weights."""
        return _Network(name=name, dtype=self.dtype_policy)


class _Network(keras.layers.Layer):
    def build(self, input_shape) -> None:
        self.bias = self.add_weight(name="bias", shape=(), initializer="zeros")

    def call(self, weights: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(weights, axis=(1, 2)) + self.bias
