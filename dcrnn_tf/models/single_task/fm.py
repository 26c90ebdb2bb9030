"""FM: factorization machine."""

import keras
import tensorflow as tf

from dcrnn_tf.layers import BiInteraction
from dcrnn_tf.models.registry import register
from dcrnn_tf.models.single_task.base import SingleTaskModel


@register("fm", label="FM")
class FM(SingleTaskModel):
    """`y = b + sum_i w_i + sum_{i<j} v_i . v_j` (Rendle, ICDM 2010).

    Args:
      fields: as `MultiTaskModel`.
      tasks: as `MultiTaskModel`.
    """

    linear = True

    def network(self, name: str) -> keras.layers.Layer:
        """The products of all pairs of fields, and the bias."""
        return _Network(name=name, dtype=self.dtype_policy)


class _Network(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.interaction = BiInteraction(name="interaction", dtype=self.dtype_policy)

    def build(self, input_shape) -> None:
        self.bias = self.add_weight(name="bias", shape=(), initializer="zeros")

    def call(self, embeddings: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(self.interaction(embeddings), axis=1) + self.bias
