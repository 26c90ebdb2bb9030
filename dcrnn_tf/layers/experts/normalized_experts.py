"""Experts whose outputs are all of one scale (HoME)."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.fork import fork
from dcrnn_tf.layers.initializers import blockwise


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class NormalizedExperts(Layer):
    """N experts, each on its own input: `swish(batch_norm(x_i W_i + b_i))` (HoME, 2024).

    Batch normalisation goes unit by unit: in training by the mean and variance of the batch, which
    are computed in the precision of the weights, otherwise by their moving averages, in which the
    values that these start from have no part, as in `Dice`. A learned factor and bias follow. It
    keeps experts alive and their outputs comparable, which ReLU does not.

    Args:
      units: Width of an expert's output.
      momentum: Momentum of the moving averages.
      epsilon: Number added to the variance.

    Call arguments:
      inputs: Inputs x, `(N, batch, d)`.
      training: Whether the call belongs to a training step.

    Returns:
      The experts' outputs, `(N, batch, units)`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> layers.NormalizedExperts(units=4)(tf.ones((3, 5, 6))).shape
      TensorShape([3, 5, 4])
    """

    def __init__(self, units: int, momentum: float = 0.99, epsilon: float = 1e-3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape) -> None:
        """Creates the kernels, `(N, d, units)`, and the weights of the normalisation."""
        number, _, depth = input_shape
        self.kernel = self.add_weight(
            name="kernel",
            shape=(number, depth, self.units),
            initializer=blockwise(keras.initializers.GlorotUniform, number, axis=0),
        )
        by_unit = (number, 1, self.units)
        self.scale = self.add_weight(name="scale", shape=by_unit, initializer="ones")
        self.shift = self.add_weight(name="shift", shape=by_unit, initializer="zeros")

        def average(name: str, shape: tuple = by_unit) -> keras.Variable:
            return self.add_weight(
                name=name,
                shape=shape,
                initializer="zeros" if name != "moving_variance" else "ones",
                trainable=False,
                autocast=False,
                aggregation="mean",
            )

        self.moving_mean = average("moving_mean")
        self.moving_variance = average("moving_variance")
        self.filled = average("filled", ())  # 1 - momentum^t after t batches

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the experts' outputs."""
        products = tf.cast(inputs @ tf.convert_to_tensor(self.kernel), self.variable_dtype)
        normal = tf.cast(self._normalized(products, training), self.compute_dtype)
        return tf.nn.silu(normal * self.scale + self.shift)

    def _normalized(self, values: tf.Tensor, training: bool) -> tf.Tensor:
        if not training:
            deviation = tf.sqrt(self.moving_variance + self.epsilon)
            return (values - self.moving_mean) / deviation
        measured, values = fork(values, 2)
        mean = tf.reduce_mean(measured, axis=1, keepdims=True)
        squared, centred = fork(values - mean, 2)
        variance = tf.reduce_mean(tf.square(squared), axis=1, keepdims=True)
        self._take_note(tf.stop_gradient(mean), tf.stop_gradient(variance))
        return centred * tf.math.rsqrt(variance + self.epsilon)

    def _take_note(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
        filled = self.momentum * self.filled + (1 - self.momentum)
        newest = (1 - self.momentum) / filled
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign((1 - newest) * average + newest * value)
        self.filled.assign(filled)

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(N, batch, units)`."""
        return (*input_shape[:-1], self.units)
