"""The explicit mapping of experts' outputs by fixed functions (Eq. 3 and 4 of DEPHN)."""

from collections.abc import Callable, Mapping, Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.fork import fork

MAPPINGS: Mapping[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "raw": tf.identity,
    "sine": tf.sin,
    "cosine": tf.cos,
    "square": tf.square,
    "cube": lambda x: x * tf.square(x),
    "tanh": tf.tanh,
    "logarithm": lambda x: tf.sign(x) * tf.math.log1p(tf.abs(x)),
}
"""`f_p` by name. The paper has the raw mapping (RM) and the trigonometric ones (TM)."""


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class ExplicitMapping(Layer):
    """The explicit mapping of DEPHN: `f_p(e_k)` for every expert k and every mapping p (Eq. 4).

    The functions follow Taylor's and Fourier's expansions (Eq. 3).

    Args:
      mappings: Names of the functions f_p in `MAPPINGS`.

    Call arguments:
      outputs: Outputs of K experts, `(K, batch, width)`.

    Returns:
      The mapped outputs, `(K, P, batch, width)`.

    Raises:
      ValueError: There is no mapping, an unknown one, or one that is repeated.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> outputs = tf.constant([[[2.0, -3.0]]])  # one expert, one example
      >>> layers.ExplicitMapping(["raw", "square"])(outputs).numpy()
      array([[[[ 2., -3.]], [[ 4.,  9.]]]], dtype=float32)
    """

    def __init__(self, mappings: Sequence[str] = ("raw", "sine", "cosine"), **kwargs):
        super().__init__(**kwargs)
        self.mappings = tuple(mappings)
        unknown = [name for name in self.mappings if name not in MAPPINGS]
        if unknown or not self.mappings or len(set(self.mappings)) < len(self.mappings):
            raise ValueError(
                f"mappings={list(self.mappings)} must be different ones of {', '.join(MAPPINGS)}"
            )

    def call(self, outputs: tf.Tensor) -> tf.Tensor:
        """Returns the mapped outputs."""
        copies = fork(outputs, len(self.mappings))
        mapped = [MAPPINGS[name](copy) for name, copy in zip(self.mappings, copies, strict=True)]
        return tf.stack(mapped, axis=1)

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(K, P, batch, width)`."""
        return (input_shape[0], len(self.mappings), *input_shape[1:])
