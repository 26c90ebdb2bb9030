"""The tower of a task with an activation of choice, which may have parameters (Dice, PReLU)."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.dense.dice import Dice
from dcrnn_tf.layers.dense.hidden_end import check

_WITH_WEIGHTS = {"dice": Dice, "prelu": keras.layers.PReLU}


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class ActivatedTower(Layer):
    """A perceptron that ends in one logit: `h_l = f_l(h_{l-1} W_l + b_l)`, `y = h_L w + b`.

    Args:
      units: Widths of the hidden layers; none gives a linear map.
      activation: Activation f_l of every hidden layer: `dice`, `prelu`, or one of Keras' by name.

      dropout: Share of the outputs of every hidden layer that is dropped in training.

    Call arguments:
      inputs: Features, `(rows, d)`.
      counted: Rows over which `Dice` takes its averages, bool `(rows,)`; None takes all.
      training: Whether the call belongs to a training step.
      compiled: Whether `Dice` may take a compiled operation.

    Returns:
      The logits, `(rows,)`.

    Raises:
      ValueError: There is no such activation.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> tower = layers.ActivatedTower(units=[8, 4], activation="prelu")
      >>> tower(tf.ones((5, 3))).shape
      TensorShape([5])
    """

    def __init__(
        self,
        units: Sequence[int] = (64, 32),
        activation: str = "dice",
        dropout: float = 0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check(dropout, "none")
        self.units = tuple(units)
        self.activation = activation
        policy = self.dtype_policy
        self.dense = tuple(
            keras.layers.Dense(width, name=f"dense_{i}", dtype=policy)
            for i, width in enumerate((*self.units, 1))
        )
        if activation not in _WITH_WEIGHTS:
            keras.activations.get(activation)  # refuses an unknown one here
        self.activations = tuple(
            _WITH_WEIGHTS[activation](name=f"{activation}_{i}", dtype=policy)
            if activation in _WITH_WEIGHTS
            else keras.layers.Activation(activation, name=f"activation_{i}", dtype=policy)
            for i in range(len(self.units))
        )
        self.dropout = None
        if dropout:
            self.dropout = keras.layers.Dropout(dropout, name="dropout", dtype=policy)

    def build(self, input_shape) -> None:
        """Creates the weights of every layer."""
        for layer in self.dense:
            layer.build(input_shape)
            input_shape = (*input_shape[:-1], layer.units)
        for layer, width in zip(self.activations, self.units, strict=True):
            layer.build((None, width))

    def call(
        self,
        inputs: tf.Tensor,
        counted: tf.Tensor | None = None,
        training: bool = False,
        compiled: bool = False,
    ) -> tf.Tensor:
        """Returns the logits."""
        return self.after_first(self.dense[0](inputs), counted, training, compiled)

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(rows,)`."""
        return tuple(input_shape[:-1])

    def after_first(
        self,
        products: tf.Tensor,
        counted: tf.Tensor | None = None,
        training: bool = False,
        compiled: bool = False,
    ) -> tf.Tensor:
        """Returns the logits, from the output of the first dense layer.

        For callers who compute that output themselves.

        Args:
          products: Output of the first dense layer, `(rows, width)`.
          counted: As for `call`.
          training: As for `call`.
          compiled: As for `call`.
        """
        more = {}
        if self.activation == "dice":
            more = {"counted": counted, "training": training, "compiled": compiled}
        for activation, dense in zip(self.activations, self.dense[1:], strict=True):
            outputs = activation(products, **more)
            if self.dropout is not None:
                outputs = self.dropout(outputs, training=training)
            products = dense(outputs)
        return tf.squeeze(products, axis=-1)
