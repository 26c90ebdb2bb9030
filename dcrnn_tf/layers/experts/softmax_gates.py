"""Softmax gates, which weigh the experts for each task by the input (MMoE)."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.initializers import blockwise
from dcrnn_tf.layers.product import product
from dcrnn_tf.layers.shared_rows import SharedRows


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class SoftmaxGates(Layer):
    """One gate per task (MMoE): `g_t = softmax(x W_t)`, a linear map of the input without bias.

    (Ma et al., KDD 2018.)

    Args:
      num_gates: Number of gates, T.
      num_experts: Number of experts, E.

    Call arguments:
      inputs: Features x, `(batch, d)`, a tensor or `SharedRows`.

    Returns:
      The experts' shares, `(batch, T, E)`; the last axis sums to 1.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> gates = layers.SoftmaxGates(num_gates=2, num_experts=4)
      >>> gates(tf.zeros((1, 3))).numpy()
      array([[[0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25]]], dtype=float32)
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
        """Returns the experts' shares."""
        scores = product(inputs, tf.convert_to_tensor(self.kernel))
        scores = tf.reshape(scores, (-1, self.num_gates, self.num_experts))
        return tf.nn.softmax(scores)

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(batch, T, E)`."""
        return (input_shape[0], self.num_gates, self.num_experts)


def expert_use(gates: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Returns each expert's share of what a task reads: `|g_te| ||f_e|| / sum_e |g_te| ||f_e||`.

    A gate alone says little where experts' outputs differ in size.

    Args:
      gates: Gates g, `(batch, T, E)`, or `(T, E)` if they are the same for every example.
      outputs: Outputs of the experts, f, `(E, batch, width)`.

    Returns:
      The shares, `(batch, T, E)`; the last axis sums to 1, or is 0 where a task reads nothing.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> gates = tf.constant([[0.5, 0.5]])  # one task
      >>> outputs = tf.constant([[[3.0, 4.0]], [[0.0, 15.0]]])  # of the lengths 5 and 15
      >>> layers.expert_use(gates, outputs).numpy()
      array([[[0.25, 0.75]]], dtype=float32)
    """
    sizes = tf.transpose(tf.norm(tf.cast(outputs, tf.float32), axis=2))[:, None]
    taken = tf.abs(tf.cast(gates, tf.float32)) * sizes
    return tf.math.divide_no_nan(taken, tf.reduce_sum(taken, axis=2, keepdims=True))
