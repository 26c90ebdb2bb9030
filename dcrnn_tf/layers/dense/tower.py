"""The tower of a task: a perceptron that ends in one logit, or in several outputs."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.dense.mlp import MLP


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class Tower(Layer):
    """A perceptron that ends in one logit: `h_l = relu(h_{l-1} W_l + b_l)`, `y = h_L w + b`.

    Args:
      units: Widths of the hidden layers; none gives a linear map.
      outputs: Number of outputs, for which w has as many columns.
      dropout: Share of the outputs of every hidden layer that is dropped in training.
      normalization: Normalisation before every activation: `none`, `batch` or `layer`.

    Call arguments:
      inputs: Features, `(batch, d)`.

    Returns:
      The logits, `(batch,)`, or several outputs, `(batch, outputs)`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> layers.Tower(units=[8, 4])(tf.ones((5, 3))).shape
      TensorShape([5])
    """

    def __init__(
        self,
        units: Sequence[int] = (64, 32),
        outputs: int = 1,
        dropout: float = 0.0,
        normalization: str = "none",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = tuple(units)
        self.outputs = outputs
        self.hidden = MLP(
            self.units,
            dropout=dropout,
            normalization=normalization,
            name="hidden",
            dtype=self.dtype_policy,
        )
        self.logit = keras.layers.Dense(outputs, name="logit", dtype=self.dtype_policy)

    def build(self, input_shape) -> None:
        """Creates the weights."""
        self.hidden.build(input_shape)
        self.logit.build(self.hidden.compute_output_shape(input_shape))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the logits."""
        outputs = self.logit(self.hidden(inputs))
        return tf.squeeze(outputs, axis=-1) if self.outputs == 1 else outputs

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(batch,)`, or `(batch, outputs)`."""
        rows = tuple(input_shape[:-1])
        return rows if self.outputs == 1 else (*rows, self.outputs)
