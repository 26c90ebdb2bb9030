"""A link with trainable parameters around a structure (PHN)."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class ResidualLink(Layer):
    """`y = f(x) + a * x`, or `y = f(x) + x A` if f changes the width.

    PHN (arXiv 2206.09184) has a residual link with trainable parameters against weak gradients,
    and leaves its form open. Here the parameters are a factor for each entry of x, `scale`, `(d,)`,
    which starts as ones, that is from the plain residual link; where f(x) is not as wide as x, they
    are a linear map without bias, `kernel`, `(d, width of f(x))`.

    Call arguments:
      inputs: x, `(batch, d)`.
      outputs: f(x), `(batch, width)`.

    Returns:
      `(batch, width)`.

    Raises:
      ValueError: inputs of another rank.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def build(self, inputs_shape, outputs_shape) -> None:
        """Creates `scale` or `kernel`."""
        self.scale = self.kernel = None
        width, new_width = inputs_shape[-1], outputs_shape[-1]
        if width == new_width:
            self.scale = self.add_weight(name="scale", shape=(width,), initializer="ones")
        else:
            self.kernel = self.add_weight(
                name="kernel", shape=(width, new_width), initializer="glorot_uniform"
            )

    def call(self, inputs: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """The structure's outputs with the link added."""
        if self.kernel is None:
            return outputs + inputs * self.scale
        return outputs + inputs @ self.kernel

    def compute_output_shape(self, inputs_shape, outputs_shape) -> tuple:
        """`(batch, width)`."""
        return tuple(outputs_shape)
