"""Keras' Adam with each variable's update as one operation."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam`, by one pass over a variable and its moments instead of ten.

    The equations are the same; TensorFlow has them as `ResourceApplyAdam`. Sparse gradients,
    `amsgrad` and the variables of a `tf.distribute` strategy are left to Keras.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import optimizers
      >>> weight = tf.Variable([1.0, 2.0])
      >>> optimizers.FusedAdam(0.1).apply([tf.constant([3.0, -4.0])], [weight])
      >>> weight.numpy().round(3)
      array([0.9, 2.1], dtype=float32)
    """

    def update_step(self, gradient, variable, learning_rate) -> None:
        """Makes one step for one variable."""
        weight = variable.value if isinstance(variable, keras.Variable) else variable
        plain = not hasattr(weight, "values") and hasattr(weight, "handle")
        if isinstance(gradient, tf.IndexedSlices) or self.amsgrad or not plain:
            super().update_step(gradient, variable, learning_rate)
            return
        position = self._get_variable_index(variable)
        m, v = self._momentums[position].value, self._velocities[position].value
        dtype = variable.dtype
        step = tf.cast(self.iterations.value + 1, dtype)
        beta_1, beta_2 = tf.cast(self.beta_1, dtype), tf.cast(self.beta_2, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=weight.handle,
            m=m.handle,
            v=v.handle,
            beta1_power=tf.pow(beta_1, step),
            beta2_power=tf.pow(beta_2, step),
            lr=tf.cast(learning_rate, dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.cast(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )
