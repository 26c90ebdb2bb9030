"""Sub-network routing: learned routes, open or shut, between the sub-networks of two levels."""

import math

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.initializers import blockwise
from dcrnn_tf.layers.product import product

LOW, HIGH = -0.1, 1.1  # gamma and zeta, to which a gate is stretched before it is clipped
TRANSFORMS = ("trans", "aver")


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class SubNetworkRouting(Layer):
    """Routes with coding variables z from N sub-networks to M (SNR; Ma et al., AAAI 2019).

    `out_j = sum_i z_ij W_ij x_i` with square W_ij (SNR-Trans), or `W_ij = I` (SNR-Aver). Every z_ij
    is a hard concrete variable (Louizos et al., ICLR 2018) with the weight `log_alpha`:

        u ~ U(0, 1),  s = sigmoid((log u - log(1 - u) + log_alpha) / beta)
        z = clip(s (zeta - gamma) + gamma, 0, 1),  gamma = -0.1, zeta = 1.1

    drawn once per route and training step, from the global seed on (XLA draws other numbers from
    the same seed). Otherwise there is no noise:
    `z = clip(sigmoid(log_alpha) (zeta - gamma) + gamma, 0, 1)`. A training call adds the loss
    `l0_penalty * sum_ij P(z_ij > 0)`, with `P(z > 0) = sigmoid(log_alpha - beta log(-gamma/zeta))`.

    The products of all routes are one product, with the kernels scaled by z beforehand. The gates
    are computed in the weights' precision.

    Args:
      num_outputs: Number of outputs, M.
      transform: Kind of a route: `trans` or `aver`.
      temperature: Temperature of the gates' distribution, beta.
      l0_penalty: Factor of the loss.

    Call arguments:
      inputs: Outputs of N sub-networks, `(N, batch, d)`.
      training: Whether gates are drawn, and the loss is added.

    Returns:
      The routed mixtures, `(M, batch, d)`.

    Raises:
      ValueError: The transform is unknown, the temperature is not positive, or the penalty is
        negative.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> routing = layers.SubNetworkRouting(num_outputs=1, transform="aver")
      >>> routing(tf.constant([[[2.0]], [[4.0]]])).numpy()  # every gate starts at 0.5
      array([[[3.]]], dtype=float32)
    """

    def __init__(
        self,
        num_outputs: int,
        transform: str = "trans",
        temperature: float = 0.5,
        l0_penalty: float = 1e-4,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if transform not in TRANSFORMS:
            raise ValueError(f"transform={transform!r} is not one of {', '.join(TRANSFORMS)}")
        if temperature <= 0:
            raise ValueError(f"temperature={temperature} must be above 0")
        if l0_penalty < 0:
            raise ValueError(f"l0_penalty={l0_penalty} must not be negative")
        self.num_outputs = num_outputs
        self.transform = transform
        self.temperature = temperature
        self.l0_penalty = l0_penalty
        # Its state is among the variables of the model: a run that is resumed draws the same
        # numbers as one that was not interrupted.
        self.noise = keras.random.SeedGenerator(name="noise")

    def build(self, input_shape) -> None:
        """Creates `log_alpha`, `(N, M)`, and for SNR-Trans the kernel, `(N * d, M * d)`.

        The maps into one output start as one matrix `(N * d, d)`, so that a sum over many routes
        is no larger than one over few.
        """
        self.num_inputs, _, self.width = input_shape
        self.log_alpha = self.add_weight(
            name="log_alpha",
            shape=(self.num_inputs, self.num_outputs),
            initializer="zeros",
            autocast=False,
        )
        self.kernel = None
        if self.transform == "trans":
            self.kernel = self.add_weight(
                name="kernel",
                shape=(self.num_inputs * self.width, self.num_outputs * self.width),
                initializer=blockwise(keras.initializers.GlorotUniform, self.num_outputs, axis=1),
            )

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the routed mixtures."""
        gates = self.gates(training)
        if training and self.l0_penalty:
            self.add_loss(self.l0_penalty * tf.reduce_sum(self.open_probability()))
        gates = tf.cast(gates, inputs.dtype)
        if self.kernel is None:
            return tf.einsum("nbd,nm->mbd", inputs, gates)
        shape = (self.num_inputs, self.width, self.num_outputs, self.width)
        kernel = tf.reshape(tf.convert_to_tensor(self.kernel), shape) * gates[:, None, :, None]
        kernel = tf.reshape(kernel, (shape[0] * shape[1], shape[2] * shape[3]))
        inputs = tf.reshape(tf.transpose(inputs, (1, 0, 2)), (-1, kernel.shape[0]))
        outputs = tf.reshape(product(inputs, kernel), (-1, self.num_outputs, self.width))
        return tf.transpose(outputs, (1, 0, 2))

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(M, batch, d)`."""
        return (self.num_outputs, *input_shape[1:])

    def gates(self, training: bool = False) -> tf.Tensor:
        """Returns z, `(N, M)`: drawn anew in training, otherwise without noise."""
        log_alpha = tf.convert_to_tensor(self.log_alpha)
        if training:
            tiny = keras.config.epsilon()
            u = keras.random.uniform(
                log_alpha.shape, tiny, 1 - tiny, dtype=self.variable_dtype, seed=self.noise
            )
            log_alpha = (tf.math.log(u) - tf.math.log(1 - u) + log_alpha) / self.temperature
        return tf.clip_by_value(tf.sigmoid(log_alpha) * (HIGH - LOW) + LOW, 0.0, 1.0)

    def open_probability(self) -> tf.Tensor:
        """Returns `P(z > 0)` of each route in training, `(N, M)`."""
        log_alpha = tf.convert_to_tensor(self.log_alpha)
        return tf.sigmoid(log_alpha - self.temperature * math.log(-LOW / HIGH))


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class SubNetworks(Layer):
    """N dense layers, each on its own input: `h_i = activation(x_i W_i + b_i)`.

    Args:
      units: Width of each layer.
      activation: Activation of all layers, as Keras names it.

    Call arguments:
      inputs: Inputs x, `(N, batch, d)`.

    Returns:
      The layers' outputs, `(N, batch, units)`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> layers.SubNetworks(units=4)(tf.ones((3, 5, 6))).shape
      TensorShape([3, 5, 4])
    """

    def __init__(self, units: int, activation: str = "relu", **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.activation = activation

    def build(self, input_shape) -> None:
        """Creates the kernels, `(N, d, units)`, and biases."""
        number, _, depth = input_shape
        self.kernel = self.add_weight(
            name="kernel",
            shape=(number, depth, self.units),
            initializer=blockwise(keras.initializers.GlorotUniform, number, axis=0),
            autocast=False,  # cast in `call`, so that a penalty reads the weights as they are
        )
        self.bias = self.add_weight(name="bias", shape=(number, 1, self.units), initializer="zeros")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the layers' outputs."""
        kernel = tf.cast(tf.convert_to_tensor(self.kernel), self.compute_dtype)
        return keras.activations.get(self.activation)(inputs @ kernel + self.bias)

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(N, batch, units)`."""
        return (*input_shape[:-1], self.units)
