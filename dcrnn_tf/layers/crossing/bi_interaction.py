"""Sum of the products of all pairs of fields (NFM)."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class BiInteraction(Layer):
    """`sum_{i<j} v_i * v_j = 1/2 ((sum_i v_i)^2 - sum_i v_i^2)` (NFM, arXiv 1708.05027).

    Products and squares are element by element; v_i is the embedding of field i. The right side
    takes time linear in the number of fields. It is a small difference of large numbers, and never
    computed in a lower precision than that of weights. There are no weights.

    Call arguments: `(batch, fields, dim)`. Returns `(batch, dim)`.

    Raises:
      ValueError: an input of another rank.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """The pooled products."""
        inputs = tf.cast(inputs, self.variable_dtype)
        square_of_sum = tf.square(tf.reduce_sum(inputs, axis=1))
        sum_of_squares = tf.reduce_sum(tf.square(inputs), axis=1)
        return tf.cast(0.5 * (square_of_sum - sum_of_squares), self.compute_dtype)

    def compute_output_shape(self, input_shape) -> tuple:
        """`(batch, dim)`."""
        return (input_shape[0], input_shape[2])
