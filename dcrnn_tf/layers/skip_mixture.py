"""Learnt mixtures of the layers of a network, for each of several networks (sluice networks)."""

import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class SkipMixture(keras.layers.Layer):
    """`out_t = sum_k beta_tk h_k,t`: what network t passes on of each of its layers.

    Nothing confines beta. It starts with `last_share` for the last layer and what is left to 1
    spread evenly over the others.

    Args:
      last_share: what is taken of the last layer at first.

    Call arguments: outputs of K layers of T networks, `(K, T, batch, d)`. Returns `(T, batch, d)`.
    """

    def __init__(self, last_share: float = 0.9, **kwargs):
        super().__init__(**kwargs)
        self.last_share = last_share

    def build(self, input_shape) -> None:
        """Creates `beta`, `(T, K)`."""
        layers, networks, _, _ = input_shape
        start = np.ones(1)
        if layers > 1:
            start = np.full(layers, (1 - self.last_share) / (layers - 1))
            start[-1] = self.last_share
        self.beta = self.add_weight(
            name="beta",
            shape=(networks, layers),
            initializer=lambda shape, dtype=None: keras.ops.cast(
                np.broadcast_to(start, shape), dtype
            ),
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """The mixtures."""
        return tf.einsum("tk,ktbd->tbd", tf.convert_to_tensor(self.beta), inputs)

    def get_config(self) -> dict:
        """Arguments of the constructor."""
        return super().get_config() | {"last_share": self.last_share}
