"""The sum of the products of all pairs of fields (NFM)."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class BiInteraction(Layer):
    """The sum of the products of all pairs of fields (NFM, arXiv 1708.05027).

    `sum_{i<j} v_i * v_j = 1/2 ((sum_i v_i)^2 - sum_i v_i^2)`, where v_i is the embedding of field
    i, and products and squares are taken element by element. The right side takes time linear in
    the number of fields. It is a small difference of large numbers, and never computed in a lower
    precision than that of weights. The layer has no weights.

    Call arguments:
      inputs: Embeddings of the fields, `(batch, fields, dim)`.

    Returns:
      The sums, `(batch, dim)`.

    Raises:
      ValueError: The input has another rank.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> fields = tf.constant([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])
      >>> layers.BiInteraction()(fields).numpy()  # 1 3 + 1 5 + 3 5 and 2 4 + 2 6 + 4 6
      array([[23., 44.]], dtype=float32)
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the sums of products."""
        inputs = tf.cast(inputs, self.variable_dtype)
        square_of_sum = tf.square(tf.reduce_sum(inputs, axis=1))
        sum_of_squares = tf.reduce_sum(tf.square(inputs), axis=1)
        return tf.cast(0.5 * (square_of_sum - sum_of_squares), self.compute_dtype)

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(batch, dim)`."""
        return (input_shape[0], input_shape[2])
