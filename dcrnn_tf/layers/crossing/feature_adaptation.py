"""Feature adaptation, Ada: a learned vector is added to the input of each step (Algorithm 2)."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class FeatureAdaptation(Layer):
    """The feature adaptation of DCRNN: `X_i = X_0 + A_i` for the steps `i = 0 .. S-1` (Eq. 7).

    The A_i are the rows of the weight `vectors`, `(S, d)`. They start as zeros, that is from the
    model without adaptation. A call of the layer makes the sequence itself; `CRNN` computes the
    same without it and takes `vectors`.

    Args:
      sequence_length: Number of steps, S.

    Call arguments:
      x0: Embeddings of all fields side by side, X_0, `(batch, d)`.

    Returns:
      The sequence, `(batch, S, d)`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> layers.FeatureAdaptation(sequence_length=3)(tf.constant([[1.0, 2.0]])).numpy()
      array([[[1., 2.], [1., 2.], [1., 2.]]], dtype=float32)
    """

    def __init__(self, sequence_length: int, **kwargs):
        super().__init__(**kwargs)
        self.sequence_length = sequence_length

    def build(self, input_shape) -> None:
        """Creates `vectors`."""
        self.vectors = self.add_weight(
            name="vectors", shape=(self.sequence_length, input_shape[-1]), initializer="zeros"
        )

    def call(self, x0: tf.Tensor) -> tf.Tensor:
        """Returns the explicit sequence."""
        return x0[:, None, :] + self.vectors

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(batch, S, d)`."""
        return (input_shape[0], self.sequence_length, input_shape[1])
