"""Cross-stitch units: learned linear mixtures of networks that run side by side."""

import keras
import numpy as np
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.initializers import shares


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class CrossStitch(Layer):
    """A cross-stitch unit: `out_i = sum_j alpha_ij x_j` (Misra et al., CVPR 2016, Eq. 1).

    Nothing confines alpha. It starts near the identity, with `own_share` on the diagonal and what
    is left to 1 spread evenly over the others of a row.

    Args:
      own_share: Share that an output takes of its own input at first.
      per_channel: Whether every channel has its own alpha.

    Call arguments:
      inputs: Outputs of N networks, `(N, batch, d)`.

    Returns:
      The mixtures, `(N, batch, d)`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> layers.CrossStitch(own_share=0.75)(tf.constant([[[4.0]], [[8.0]]])).numpy()
      array([[[5.]], [[7.]]], dtype=float32)
    """

    def __init__(self, own_share: float = 0.9, per_channel: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.own_share = own_share
        self.per_channel = per_channel

    def build(self, input_shape) -> None:
        """Creates `alpha`, `(N, N)` or `(N, N, d)`."""
        number, _, width = input_shape
        self.alpha = self.add_weight(
            name="alpha",
            shape=(number, number, width) if self.per_channel else (number, number),
            initializer=shares(self.own_share, np.eye(number, dtype=bool)),
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the mixtures."""
        equation = "ijd,jbd->ibd" if self.per_channel else "ij,jbd->ibd"
        return tf.einsum(equation, tf.convert_to_tensor(self.alpha), inputs)

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(N, batch, d)`."""
        return tuple(input_shape)

    def shares(self) -> tf.Tensor:
        """Returns alpha or its mean over channels, `(N, N)`."""
        alpha = tf.convert_to_tensor(self.alpha)
        return tf.reduce_mean(alpha, axis=2) if self.per_channel else alpha
