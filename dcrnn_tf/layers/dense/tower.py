"""The tower of a task: a perceptron that ends in one logit."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.dense.mlp import MLP


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class Tower(Layer):
    """A perceptron that ends in one logit: `h_l = relu(h_{l-1} W_l + b_l)`, `y = h_L w + b`.

    Args:
      units: Widths of the hidden layers; none gives a linear map.

    Call arguments:
      inputs: Features, `(batch, d)`.

    Returns:
      The logits, `(batch,)`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> layers.Tower(units=[8, 4])(tf.ones((5, 3))).shape
      TensorShape([5])
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
        """Returns the logits."""
        return tf.squeeze(self.logit(self.hidden(inputs)), axis=-1)

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(batch,)`."""
        return tuple(input_shape[:-1])
