"""Learned mixtures of the layers of a network, for each of several networks (sluice networks)."""

import keras
import numpy as np
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.initializers import shares


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class SkipMixture(Layer):
    """The skip connections of sluice networks: `out_t = sum_k beta_tk h_k,t`.

    They are what network t passes on of each of its layers (Ruder et al., AAAI 2019). Nothing
    confines beta. It starts with `last_share` for the last layer and what is left to 1 spread
    evenly over the others.

    Args:
      last_share: Share that is taken of the last layer at first.

    Call arguments:
      inputs: Outputs of K layers of T networks, `(K, T, batch, d)`.

    Returns:
      The mixtures, `(T, batch, d)`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> outputs = tf.constant([[[[4.0]]], [[[8.0]]]])  # two layers of one network
      >>> layers.SkipMixture(last_share=0.75)(outputs).numpy()
      array([[[7.]]], dtype=float32)
    """

    def __init__(self, last_share: float = 0.9, **kwargs):
        super().__init__(**kwargs)
        self.last_share = last_share

    def build(self, input_shape) -> None:
        """Creates `beta`, `(T, K)`."""
        layers, networks, _, _ = input_shape
        last = np.broadcast_to(np.arange(layers) == layers - 1, (networks, layers))
        self.beta = self.add_weight(
            name="beta", shape=(networks, layers), initializer=shares(self.last_share, last)
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the mixtures."""
        return tf.einsum("tk,ktbd->tbd", tf.convert_to_tensor(self.beta), inputs)

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(T, batch, d)`."""
        return tuple(input_shape[1:])
