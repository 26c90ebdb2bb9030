"""Trainable value gating, TVG: gates that are parameters, the same for every input."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class ValueGates(Layer):
    """A free gate `G_kp^t` for each task t, expert k and mapping p.

    The gates start uniform in [0.5, 1.5], so that tasks differ from the first step on.

    Args:
      num_tasks: T.
      num_experts: K.
      num_mappings: P.

    Call arguments: inputs as other gates have them, `(batch, d)`, which do not matter. Returns
    `(T, K, P)`, in full precision whatever the policy.
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
        """The gates."""
        return tf.convert_to_tensor(self.gates)

    def compute_output_spec(self, inputs) -> keras.KerasTensor:
        """`(T, K, P)`, in the type of the weights."""
        shape = (self.num_tasks, self.num_experts, self.num_mappings)
        return keras.KerasTensor(shape, dtype=self.variable_dtype)
