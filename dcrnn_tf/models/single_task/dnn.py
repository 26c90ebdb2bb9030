"""DNN: embeddings and a perceptron."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers import Tower
from dcrnn_tf.models.registry import register
from dcrnn_tf.models.single_task.base import SingleTaskModel


@register("dnn", label="DNN", width="hidden_units")
class DNN(SingleTaskModel):
    """A perceptron on all embeddings side by side: `y = MLP(E)`.

    It is the plainest network, with which others are compared.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      hidden_units: Widths of the layers of the perceptron before its logit.
      **kwargs: Settings of `MultiTaskModel`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("dnn", schema, hidden_units=[16, 8])
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> {task: logits.shape for task, logits in model(features).items()}
      {'click': TensorShape([2]), 'conversion': TensorShape([2])}
    """

    def __init__(self, fields, tasks, hidden_units: Sequence[int] = (128, 64), **kwargs):
        super().__init__(fields, tasks, **kwargs)
        self.hidden_units = tuple(hidden_units)

    def network(self, name: str) -> keras.layers.Layer:
        """Returns a perceptron on the flattened embeddings."""
        return _Network(self.hidden_units, name=name, **self.dense_options)


class _Network(keras.layers.Layer):
    def __init__(self, hidden_units: Sequence[int], dropout: float, normalization: str, **kwargs):
        super().__init__(**kwargs)
        self.tower = Tower(
            hidden_units,
            dropout=dropout,
            normalization=normalization,
            name="tower",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape) -> None:
        self.width = input_shape[1] * input_shape[2]
        self.tower.build((None, self.width))

    def call(self, embeddings: tf.Tensor) -> tf.Tensor:
        return self.tower(tf.reshape(embeddings, (-1, self.width)))
