"""DNN: embeddings and a perceptron."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers import Tower
from dcrnn_tf.models.registry import register
from dcrnn_tf.models.single_task.base import SingleTaskModel


@register("dnn", label="DNN", width="hidden_units")
class DNN(SingleTaskModel):
    """`y = MLP(E)` on all embeddings side by side.

    Args:
      fields: as `MultiTaskModel`.
      tasks: as `MultiTaskModel`.
      hidden_units: layers of the perceptron before its logit.
    """

    def __init__(self, fields, tasks, hidden_units: Sequence[int] = (128, 64), **kwargs):
        super().__init__(fields, tasks, **kwargs)
        self.hidden_units = tuple(hidden_units)

    def network(self, name: str) -> keras.layers.Layer:
        """A perceptron on the flattened embeddings."""
        return _Network(self.hidden_units, name=name, dtype=self.dtype_policy)


class _Network(keras.layers.Layer):
    def __init__(self, hidden_units: Sequence[int], **kwargs):
        super().__init__(**kwargs)
        self.tower = Tower(hidden_units, name="tower", dtype=self.dtype_policy)

    def build(self, input_shape) -> None:
        self.width = input_shape[1] * input_shape[2]
        self.tower.build((None, self.width))

    def call(self, embeddings: tf.Tensor) -> tf.Tensor:
        return self.tower(tf.reshape(embeddings, (-1, self.width)))
