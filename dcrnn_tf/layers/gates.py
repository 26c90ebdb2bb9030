"""Gates that weigh experts (MMoE)."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.initializers import blockwise


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class SoftmaxGates(keras.layers.Layer):
    """One gate per task: `g_t = softmax(x W_t)`, a linear map of the input without bias.

    Args:
      num_gates: T.
      num_experts: E.

    Call arguments: `(batch, d)`. Returns `(batch, T, E)`; the last axis sums to 1.
    """

    def __init__(self, num_gates: int, num_experts: int, **kwargs):
        super().__init__(**kwargs)
        self.num_gates = num_gates
        self.num_experts = num_experts

    def build(self, input_shape) -> None:
        """Creates the maps, side by side: `(d, T * E)`."""
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], self.num_gates * self.num_experts),
            initializer=blockwise(keras.initializers.GlorotUniform, self.num_gates, axis=1),
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """The experts' shares."""
        scores = tf.reshape(inputs @ self.kernel, (-1, self.num_gates, self.num_experts))
        return tf.nn.softmax(scores)

    def get_config(self) -> dict:
        """Arguments of the constructor."""
        return super().get_config() | {
            "num_gates": self.num_gates,
            "num_experts": self.num_experts,
        }
