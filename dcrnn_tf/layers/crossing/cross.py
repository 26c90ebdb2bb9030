"""The cross network's layer: explicit crosses of features, with a weight vector (DCN)."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.initializers import blockwise


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class Cross(Layer):
    """The cross network of DCN (arXiv 1708.05123, Eq. 3).

    `x_{l+1} = x_0 (x_l . w_l) + b_l + x_l`. In DCRNN's paper it is Eq. 1,
    `H_t = X_0 (H_{t-1}^T W_{t-1}) + b_{t-1} + H_{t-1}`, with `H_0 = X_0`.

    Every x_l is x_0 times a number per example, plus a vector: `x_l = s_l x_0 + B_l`, with
    `B_l = b_0 + .. + b_{l-1}` and `s_{l+1} = s_l (1 + x_0 . w_l) + B_l . w_l`. So x_0 goes through
    one product with the kernels of all layers, and the layers themselves compute on numbers.

    The weights are `kernel`, `(d, L)` with the w_l as columns, and `bias`, `(L, d)`.

    Args:
      num_layers: Number of layers, L.

    Call arguments:
      inputs: Features x_0, `(batch, d)`.

    Returns:
      The last layer's output x_L, `(batch, d)`.

    Raises:
      ValueError: There is no layer, or the input has another rank.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> cross = layers.Cross(num_layers=1)
      >>> cross.build((None, 2))
      >>> _ = cross.kernel.assign([[1.0], [0.5]])
      >>> cross(tf.constant([[2.0, 4.0]])).numpy()  # x_0 (2 + 2) + x_0
      array([[10., 20.]], dtype=float32)
    """

    def __init__(self, num_layers: int = 2, **kwargs):
        super().__init__(**kwargs)
        if num_layers < 1:
            raise ValueError(f"num_layers={num_layers} must be at least 1")
        self.num_layers = num_layers
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def build(self, input_shape) -> None:
        """Creates `kernel` and `bias`."""
        width = input_shape[-1]
        self.kernel = self.add_weight(
            name="kernel",
            shape=(width, self.num_layers),
            initializer=blockwise(keras.initializers.GlorotUniform, self.num_layers, axis=1),
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.num_layers, width), initializer="zeros"
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the last layer's output."""
        kernel, bias = tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.bias)
        before = tf.cumsum(bias, axis=0, exclusive=True)  # row l is B_l
        shifts = tf.unstack(tf.reduce_sum(before * tf.transpose(kernel), axis=1))
        factors = tf.split(1 + inputs @ kernel, self.num_layers, axis=1)
        scale = tf.ones((), inputs.dtype)
        for factor, shift in zip(factors, shifts, strict=True):
            scale = scale * factor + shift
        return inputs * scale + tf.reduce_sum(bias, axis=0)

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(batch, d)`."""
        return tuple(input_shape)
