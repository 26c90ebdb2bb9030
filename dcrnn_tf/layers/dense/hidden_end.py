"""What follows the product of a hidden layer: normalisation, activation, dropout."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer

NORMALIZATIONS = ("none", "batch", "layer")


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class HiddenEnd(Layer):
    """The end of a hidden layer: `dropout(activation(normalization(s)))`.

    Batch normalisation takes the mean and the variance of each unit over the batch, and at
    inference their moving averages; layer normalisation those of each example over its units.

    Args:
      activation: Activation, as Keras names it.
      dropout: Share of the outputs that is dropped in training; the others are scaled up. The state
        of its random numbers is among the variables, so that a continued run draws the same ones.
      normalization: One of `none`, `batch` and `layer`.
      groups: Number of layers of equal width that lie side by side, each normalised by itself.

    Call arguments:
      inputs: Products s, `(batch, groups * width)`.
      training: Whether the call belongs to a training step.

    Returns:
      The outputs, of the same shape.

    Raises:
      ValueError: The dropout is no share below 1, or there is no such normalisation.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> end = layers.HiddenEnd("linear", normalization="layer")
      >>> end(tf.constant([[0.0, 100.0]])).numpy().round(2)
      array([[-1.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        activation: str = "relu",
        dropout: float = 0.0,
        normalization: str = "none",
        groups: int = 1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check(dropout, normalization)
        self.activation = keras.activations.get(activation)
        self.dropout = self.normalization = None
        policy = self.dtype_policy
        if normalization == "batch":
            self.normalization = keras.layers.BatchNormalization(name="batch", dtype=policy)
        elif normalization == "layer":
            # With one group this is layer normalisation.
            self.normalization = keras.layers.GroupNormalization(groups, name="layer", dtype=policy)
        if dropout:
            self.dropout = keras.layers.Dropout(dropout, name="dropout", dtype=policy)

    def build(self, input_shape) -> None:
        """Creates the weights of the normalisation."""
        if self.normalization is not None:
            self.normalization.build(input_shape)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the outputs."""
        if isinstance(self.normalization, keras.layers.BatchNormalization):
            inputs = self.normalization(inputs, training=training)
        elif self.normalization is not None:
            inputs = self.normalization(inputs)
        outputs = self.activation(inputs)
        return outputs if self.dropout is None else self.dropout(outputs, training=training)

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns the shape of the inputs."""
        return tuple(input_shape)


def check(dropout: float, normalization: str) -> bool:
    """Returns whether a hidden layer has an end besides its activation.

    Args:
      dropout: Share of the outputs that is dropped.
      normalization: Name of the normalisation.

    Raises:
      ValueError: The dropout is no share below 1, or there is no such normalisation.
    """
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout={dropout} must be from 0 to below 1")
    if normalization not in NORMALIZATIONS:
        raise ValueError(
            f"normalization={normalization!r} must be one of {', '.join(NORMALIZATIONS)}"
        )
    return dropout > 0 or normalization != "none"
