"""A task's tower."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.dense.mlp import MLP


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class Tower(Layer):
    """A ReLU perceptron that ends in one logit.

    Args:
      units: width of the hidden layers.

    Call arguments: `(batch, d)`. Returns logits `(batch,)`.
    """

    def __init__(self, units: Sequence[int] = (64, 32), **kwargs):
        super().__init__(**kwargs)
        self.units = tuple(units)
        self.hidden = MLP(self.units, name="hidden", dtype=self.dtype_policy)
        self.logit = keras.layers.Dense(1, name="logit", dtype=self.dtype_policy)

    def build(self, input_shape) -> None:
        """Creates the weights."""
        self.hidden.build(input_shape)
        self.logit.build(self.hidden.compute_output_shape(input_shape))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """The logits."""
        return tf.squeeze(self.logit(self.hidden(inputs)), axis=-1)

    def compute_output_shape(self, input_shape) -> tuple:
        """`(batch,)`."""
        return tuple(input_shape[:-1])
