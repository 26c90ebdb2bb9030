"""Trainable value gating: gates that are parameters, the same for every input (DEPHN)."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class ValueGates(Layer):
    """The trainable value gates of DEPHN: a weight `G_kp^t` for each task, expert and mapping.

    The gates start uniform in [0.5, 1.5], so that tasks differ from the first step on.

    Args:
      num_tasks: Number of tasks, T.
      num_experts: Number of experts, K.
      num_mappings: Number of mappings, P.

    Call arguments:
      inputs: Features, as other gates take them, `(batch, d)`; they do not matter.

    Returns:
      The gates, `(T, K, P)`, in the type of the weights whatever the policy.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> layers.ValueGates(num_tasks=2, num_experts=4, num_mappings=3)(tf.ones((5, 6))).shape
      TensorShape([2, 4, 3])
    """

    def __init__(self, num_tasks: int, num_experts: int, num_mappings: int, **kwargs):
        super().__init__(**kwargs)
        self.num_tasks = num_tasks
        self.num_experts = num_experts
        self.num_mappings = num_mappings

    def build(self, input_shape) -> None:
        """Creates the gates."""
        self.gates = self.add_weight(
            name="gates",
            shape=(self.num_tasks, self.num_experts, self.num_mappings),
            initializer=keras.initializers.RandomUniform(0.5, 1.5),
            autocast=False,  # differences of gates are small
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the gates."""
        return tf.convert_to_tensor(self.gates)

    def compute_output_spec(self, inputs) -> keras.KerasTensor:
        """Returns the shape `(T, K, P)` and the type of the weights."""
        shape = (self.num_tasks, self.num_experts, self.num_mappings)
        return keras.KerasTensor(shape, dtype=self.variable_dtype)
