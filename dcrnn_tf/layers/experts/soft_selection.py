"""Soft selection: plain or attended embeddings for each parallel structure (Eq. 1 of DEPHN)."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.fork import fork
from dcrnn_tf.layers.initializers import blockwise


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class SoftSelection(Layer):
    """The soft selection gating of DEPHN: `E_sg = G_sg * E_SA + (1 - G_sg) * E` (Eq. 1).

    `E_SA` is multi-head self-attention over the fields, each field a token (Vaswani et al., 2017):
    `softmax(Q K^T / sqrt(dim / heads)) V` per head, the heads side by side and mapped once more.
    The structures share it and select from it by a trainable gate `G_sg`, `(fields, dim)`, for each
    structure, which starts at 0.5. Nothing confines it to [0, 1].

    Args:
      num_structures: Number of structures, and of selections.
      num_heads: Number of heads of the attention; divides the width of an embedding.

    Call arguments:
      embeddings: Embeddings E, `(batch, fields, dim)`.

    Returns:
      The selected embeddings of each structure, `(num_structures, batch, fields, dim)`.

    Raises:
      ValueError: `num_heads` does not divide `dim`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> layers.SoftSelection(num_structures=3)(tf.ones((5, 4, 8))).shape
      TensorShape([3, 5, 4, 8])
    """

    def __init__(self, num_structures: int, num_heads: int = 2, **kwargs):
        super().__init__(**kwargs)
        self.num_structures = num_structures
        self.num_heads = num_heads

    def build(self, input_shape) -> None:
        """Creates the attention's maps and the gates, `(num_structures, 1, fields, dim)`."""
        _, fields, dim = input_shape
        if dim % self.num_heads:
            raise ValueError(f"num_heads={self.num_heads} does not divide the embeddings' {dim}")
        glorot = keras.initializers.GlorotUniform
        self.query_key_value = self.add_weight(
            name="query_key_value", shape=(dim, 3 * dim), initializer=blockwise(glorot, 3, axis=1)
        )
        self.output_kernel = self.add_weight(
            name="output_kernel", shape=(dim, dim), initializer=glorot()
        )
        self.gate = self.add_weight(
            name="gate",
            shape=(self.num_structures, 1, fields, dim),
            initializer=keras.initializers.Constant(0.5),
        )

    def attention(self, embeddings: tf.Tensor) -> tf.Tensor:
        """Returns `E_SA`, `(batch, fields, dim)`."""
        _, fields, dim = embeddings.shape
        head_dim = dim // self.num_heads
        tokens = tf.reshape(embeddings, (-1, dim))
        projected = tf.reshape(
            tokens @ self.query_key_value, (-1, fields, 3, self.num_heads, head_dim)
        )
        query, key, value = tf.unstack(tf.transpose(projected, (2, 0, 3, 1, 4)), num=3)
        scores = tf.matmul(query, key, transpose_b=True) / head_dim**0.5
        heads = tf.nn.softmax(scores) @ value  # (batch, heads, fields, head_dim)
        joined = tf.reshape(tf.transpose(heads, (0, 2, 1, 3)), (-1, dim))
        return tf.reshape(joined @ self.output_kernel, (-1, fields, dim))

    def call(self, embeddings: tf.Tensor) -> tf.Tensor:
        """Returns the selected embeddings of each structure."""
        raw, subtracted, attended = fork(embeddings, 3)
        # E + G (E_SA - E) reads each of them once for all structures.
        return raw + self.gate * (self.attention(attended) - subtracted)

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(num_structures, batch, fields, dim)`."""
        return (self.num_structures, *input_shape)
