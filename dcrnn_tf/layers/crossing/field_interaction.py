"""Interactions of whole fields (FINT)."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.initializers import blockwise
from dcrnn_tf.layers.product import product


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class FieldInteraction(Layer):
    """The field interaction of FINT (arXiv 2107.01999).

    `V_l[i] = V_{l-1}[i] * sum_j w_l[i, j] V_0[j] + u_l[i] V_{l-1}[i]`, where i and j are fields and
    `*` is element by element. It is `V_l = V_{l-1} * (W_l [V_0; 1])`: V_0 with a row of ones below
    it, W_l with u_l as its last column. A field keeps its vector's dimensions apart, and layer l
    holds interactions of up to l + 1 fields.

    The sums of all layers are one product. `kernel`, `(fields, L * fields)`, has the transposed w_l
    side by side, `links`, `(L * fields,)`, the u_l one after the other. The links start as ones:
    an untrained layer hardly changes small embeddings.

    Args:
      num_layers: Number of layers, L.

    Call arguments:
      inputs: Embeddings V_0, `(batch, fields, dim)`.

    Returns:
      The last layer's output V_L, `(batch, fields, dim)`.

    Raises:
      ValueError: There is no layer, or the input has another rank.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> layers.FieldInteraction(num_layers=2)(tf.ones((5, 3, 4))).shape
      TensorShape([5, 3, 4])
    """

    def __init__(self, num_layers: int = 2, **kwargs):
        super().__init__(**kwargs)
        if num_layers < 1:
            raise ValueError(f"num_layers={num_layers} must be at least 1")
        self.num_layers = num_layers
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def build(self, input_shape) -> None:
        """Creates `kernel` and `links`."""
        fields = input_shape[1]
        self.kernel = self.add_weight(
            name="kernel",
            shape=(fields, self.num_layers * fields),
            initializer=blockwise(keras.initializers.GlorotUniform, self.num_layers, axis=1),
        )
        self.links = self.add_weight(
            name="links", shape=(self.num_layers * fields,), initializer="ones"
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the last layer's output."""
        fields, dim = inputs.shape[1:]
        interacted = tf.transpose(inputs, (0, 2, 1))
        kernel = tf.convert_to_tensor(self.kernel)
        factors = product(tf.reshape(interacted, (-1, fields)), kernel)
        factors = tf.nn.bias_add(factors, self.links)
        factors = tf.reshape(factors, (-1, dim, self.num_layers * fields))
        for factor in tf.split(factors, self.num_layers, axis=2):
            interacted *= factor
        return tf.transpose(interacted, (0, 2, 1))

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(batch, fields, dim)`."""
        return tuple(input_shape)
