"""Gates that weigh experts (MMoE)."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.initializers import blockwise
from dcrnn_tf.layers.product import product
from dcrnn_tf.layers.shared_rows import SharedRows


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class SoftmaxGates(Layer):
    """One gate per task: `g_t = softmax(x W_t)`, a linear map of the input without bias.

    Args:
      num_gates: T.
      num_experts: E.

    Call arguments: `(batch, d)`, as a tensor or as `SharedRows`. Returns `(batch, T, E)`; the last
    axis sums to 1.
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

    def call(self, inputs: tf.Tensor | SharedRows) -> tf.Tensor:
        """The experts' shares."""
        scores = product(inputs, tf.convert_to_tensor(self.kernel))
        scores = tf.reshape(scores, (-1, self.num_gates, self.num_experts))
        return tf.nn.softmax(scores)

    def compute_output_shape(self, input_shape) -> tuple:
        """`(batch, T, E)`."""
        return (input_shape[0], self.num_gates, self.num_experts)


def expert_use(gates: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Each expert's share of what a task takes in: `|g_te| ||f_e|| / sum_e |g_te| ||f_e||`.

    A gate alone says little where experts' outputs differ in size.

    Args:
      gates: `(batch, T, E)`, or `(T, E)` if they are the same for every example.
      outputs: of the experts, `(E, batch, width)`.

    Returns:
      `(batch, T, E)`; the last axis sums to 1, or is 0 where nothing comes in.
    """
    sizes = tf.transpose(tf.norm(tf.cast(outputs, tf.float32), axis=2))[:, None]
    taken = tf.abs(tf.cast(gates, tf.float32)) * sizes
    return tf.math.divide_no_nan(taken, tf.reduce_sum(taken, axis=2, keepdims=True))
