"""Gate units, which weigh other units by prior knowledge (PEPNet)."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class GateUnit(Layer):
    """A gate unit: `2 sigmoid(relu(x W + b) W' + b')`, a factor for each of some units.

    (The Gate NU of PEPNet, KDD 2023, with its factor gamma of 2.) A gate that knows nothing is 1.

    Args:
      hidden_units: Width of the hidden layer.
      units: Number of factors.

    Call arguments:
      inputs: Prior knowledge x, `(batch, d)`.

    Returns:
      The factors, `(batch, units)`, between 0 and 2.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> layers.GateUnit(hidden_units=4, units=2)(tf.zeros((1, 3))).numpy()
      array([[1., 1.]], dtype=float32)
    """

    def __init__(self, hidden_units: int, units: int, **kwargs):
        super().__init__(**kwargs)
        self.hidden_units = hidden_units
        self.units = units
        policy = {"dtype": self.dtype_policy}
        self.hidden = keras.layers.Dense(hidden_units, "relu", name="hidden", **policy)
        self.gate = keras.layers.Dense(units, "sigmoid", name="gate", **policy)

    def build(self, input_shape) -> None:
        """Creates the weights of both layers."""
        self.hidden.build(input_shape)
        self.gate.build((*input_shape[:-1], self.hidden_units))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the factors."""
        return 2 * self.gate(self.hidden(inputs))

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(batch, units)`."""
        return (*input_shape[:-1], self.units)
