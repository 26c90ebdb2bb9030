"""Adaptive information transfer: attention between a task's state and that of the task before."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.initializers import blockwise


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class AttentionTransfer(Layer):
    """The adaptive information transfer of AITM (Xi et al., KDD 2021), with the map before it.

    `p = relu(z P + b)` is what the task before passes on, q the task's state. Over u in {q, p}:
    `w = softmax(<u K, u Q> / sqrt(d))`, `out = sum_u w_u (u V)`.

    Call arguments:
      own: State of the task, q, `(batch, d)`.
      previous: State of the task before, z, `(batch, d)`.

    Returns:
      The task's new state, `(batch, d)`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> transfer = layers.AttentionTransfer()
      >>> transfer(tf.ones((5, 4)), tf.zeros((5, 4))).shape
      TensorShape([5, 4])
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
        """Returns the task's new state."""
        shares, values = self._attend(own, previous)
        return tf.reduce_sum(shares[:, :, None] * values, axis=0)

    def shares(self, own: tf.Tensor, previous: tf.Tensor) -> tf.Tensor:
        """Returns w, `(batch, 2)`: of the task's state, of what the task before passes on."""
        own, previous = (tf.cast(state, self.compute_dtype) for state in (own, previous))
        return tf.transpose(self._attend(own, previous)[0])

    def _attend(self, own: tf.Tensor, previous: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns w, `(2, batch)`, and u V, `(2, batch, d)`."""
        states = tf.concat([own, self.transfer(previous)], axis=0)
        kernel = tf.cast(tf.convert_to_tensor(self.query_key_value), self.compute_dtype)
        projected = tf.reshape(states @ kernel, (2, -1, 3, self.width))
        query, key, value = tf.unstack(projected, num=3, axis=2)
        scores = tf.reduce_sum(query * key, axis=2) / self.width**0.5
        return tf.nn.softmax(scores, axis=0), value

    def compute_output_shape(self, own_shape, previous_shape) -> tuple:
        """Returns `(batch, d)`."""
        return tuple(own_shape)
