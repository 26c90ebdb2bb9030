"""A multi-layer perceptron."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.dense.hidden_end import HiddenEnd, check


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class MLP(Layer):
    """A multi-layer perceptron: `h_l = activation(h_{l-1} W_l + b_l)`.

    Args:
      units: Widths of the layers; none gives the identity.
      activation: Activation of every layer, as Keras names it.
      dropout: Share of the outputs of every layer that is dropped in training.
      normalization: Normalisation before every activation: `none`, `batch` or `layer`.

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

    def __init__(
        self,
        units: Sequence[int],
        activation: str = "relu",
        dropout: float = 0.0,
        normalization: str = "none",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = tuple(units)
        self.activation = activation
        policy = self.dtype_policy
        ends = check(dropout, normalization)
        self.hidden = tuple(
            keras.layers.Dense(width, None if ends else activation, name=f"dense_{i}", dtype=policy)
            for i, width in enumerate(self.units)
        )
        self.ends = tuple(
            HiddenEnd(activation, dropout, normalization, name=f"end_{i}", dtype=policy)
            for i in range(len(self.units) if ends else 0)
        )

    def build(self, input_shape) -> None:
        """Creates the weights of every layer."""
        for layer in self.hidden:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)
        for end, width in zip(self.ends, self.units, strict=False):
            end.build((None, width))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the last layer's output."""
        for i, layer in enumerate(self.hidden):
            inputs = layer(inputs)
            if self.ends:
                inputs = self.ends[i](inputs)
        return inputs

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(batch, units[-1])`."""
        return (*input_shape[:-1], self.units[-1] if self.units else input_shape[-1])
