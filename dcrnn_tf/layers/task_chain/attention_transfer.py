"""Adaptive information transfer, AIT: attention between a task's own state and what it is told."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.initializers import blockwise


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class AttentionTransfer(Layer):
    """The AIT module (Xi et al., KDD 2021), with the map that carries the information.

    `p = relu(z P + b)` is what the task before tells, q the task's own state. Over u in {q, p}:
    `w = softmax(<u K, u Q> / sqrt(d))`, `out = sum_u w_u (u V)`.

    Call arguments:
      own: q, `(batch, d)`.
      previous: z, the state of the task before, `(batch, d)`.

    Returns:
      `(batch, d)`.
    """

    def build(self, own_shape, previous_shape) -> None:
        """Creates `transfer`, P with its bias, and `query_key_value`, `(d, 3 d)`, without one."""
        self.width = own_shape[-1]
        self.transfer = keras.layers.Dense(
            self.width, "relu", name="transfer", dtype=self.dtype_policy
        )
        self.transfer.build(previous_shape)
        self.query_key_value = self.add_weight(
            name="query_key_value",
            shape=(self.width, 3 * self.width),
            initializer=blockwise(keras.initializers.GlorotUniform, 3, axis=1),
        )

    def call(self, own: tf.Tensor, previous: tf.Tensor) -> tf.Tensor:
        """The task's new state."""
        shares, values = self._attend(own, previous)
        return tf.reduce_sum(shares[:, :, None] * values, axis=0)

    def shares(self, own: tf.Tensor, previous: tf.Tensor) -> tf.Tensor:
        """w of each example, `(batch, 2)`: of its own state, of what it is told."""
        own, previous = (tf.cast(state, self.compute_dtype) for state in (own, previous))
        return tf.transpose(self._attend(own, previous)[0])

    def _attend(self, own: tf.Tensor, previous: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """w, `(2, batch)`, and u V, `(2, batch, d)`."""
        states = tf.concat([own, self.transfer(previous)], axis=0)
        kernel = tf.cast(tf.convert_to_tensor(self.query_key_value), self.compute_dtype)
        projected = tf.reshape(states @ kernel, (2, -1, 3, self.width))
        query, key, value = tf.unstack(projected, num=3, axis=2)
        scores = tf.reduce_sum(query * key, axis=2) / self.width**0.5
        return tf.nn.softmax(scores, axis=0), value

    def compute_output_shape(self, own_shape, previous_shape) -> tuple:
        """`(batch, d)`."""
        return tuple(own_shape)
