"""A multi-layer perceptron."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class MLP(Layer):
    """A multi-layer perceptron: `h_l = activation(h_{l-1} W_l + b_l)`.

    Args:
      units: Widths of the layers; none gives the identity.
      activation: Activation of every layer, as Keras names it.

    Call arguments:
      inputs: Features, `(batch, d)`.

    Returns:
      The last layer's output, `(batch, units[-1])`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> layers.MLP(units=[8, 4])(tf.ones((5, 3))).shape
      TensorShape([5, 4])
    """

    def __init__(self, units: Sequence[int], activation: str = "relu", **kwargs):
        super().__init__(**kwargs)
        self.units = tuple(units)
        self.activation = activation
        self.hidden = tuple(
            keras.layers.Dense(width, activation, name=f"dense_{i}", dtype=self.dtype_policy)
            for i, width in enumerate(self.units)
        )

    def build(self, input_shape) -> None:
        """Creates the weights of every layer."""
        for layer in self.hidden:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the last layer's output."""
        for layer in self.hidden:
            inputs = layer(inputs)
        return inputs

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(batch, units[-1])`."""
        return (*input_shape[:-1], self.units[-1] if self.units else input_shape[-1])
