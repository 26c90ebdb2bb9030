"""A residual link with trainable parameters around a network (PHN)."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class ResidualLink(Layer):
    """A residual link with weights: `y = f(x) + a * x`, or `y = f(x) + x A` if f changes the width.

    PHN (arXiv 2206.09184) has a residual link with trainable parameters against weak gradients,
    and leaves its form open. Here the parameters are a factor for each entry of x, `scale`, `(d,)`,
    which starts as ones, that is from the plain residual link; where f(x) is not as wide as x, they
    are a linear map without bias, `kernel`, `(d, width)`.

    Call arguments:
      inputs: Features x, `(batch, d)`.
      outputs: Output of the structure f(x), `(batch, width)`.

    Returns:
      The sum, `(batch, width)`.

    Raises:
      ValueError: The inputs have another rank.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> layers.ResidualLink()(tf.constant([[1.0, 2.0]]), tf.constant([[10.0, 20.0]])).numpy()
      array([[11., 22.]], dtype=float32)
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
        """Returns the structure's output with the link added."""
        if self.kernel is None:
            return outputs + inputs * self.scale
        return outputs + inputs @ self.kernel

    def compute_output_shape(self, inputs_shape, outputs_shape) -> tuple:
        """Returns `(batch, width)`."""
        return tuple(outputs_shape)
