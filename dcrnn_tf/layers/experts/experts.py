"""Experts: perceptrons of equal shape, computed together."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.dense.hidden_end import HiddenEnd, check
from dcrnn_tf.layers.initializers import blockwise
from dcrnn_tf.layers.product import product
from dcrnn_tf.layers.shared_rows import SharedRows


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class Experts(Layer):
    """E perceptrons of equal shape on one input: `h_l = relu(h_{l-1} W_l + b_l)` each.

    The first layers of all experts are one matrix product, the later ones one batched product per
    layer.

    Args:
      num_experts: Number of experts, E.
      units: Widths of the layers of an expert.
      dropout: Share of the outputs of every layer that is dropped in training.
      normalization: Normalisation before every activation: `none`, `batch` or `layer`.

    Call arguments:
      inputs: Features, `(batch, d)`, a tensor or `SharedRows`.

    Returns:
      The experts' outputs, `(E, batch, units[-1])`.

    Raises:
      ValueError: There is no expert or no layer.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> layers.Experts(num_experts=3, units=[8, 4])(tf.ones((5, 6))).shape
      TensorShape([3, 5, 4])
    """

    def __init__(
        self,
        num_experts: int,
        units: Sequence[int] = (128, 64),
        dropout: float = 0.0,
        normalization: str = "none",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if num_experts < 1 or not units:
            raise ValueError(
                f"num_experts={num_experts} must be at least 1, and units={list(units)} not empty"
            )
        self.num_experts = num_experts
        self.units = tuple(units)
        ends = check(dropout, normalization)
        self.ends = tuple(
            HiddenEnd(
                "relu",
                dropout,
                normalization,
                num_experts,
                name=f"end_{i}",
                dtype=self.dtype_policy,
            )
            for i in range(len(self.units) if ends else 0)
        )

    def build(self, input_shape) -> None:
        """Creates the kernels, `(d, E * units[0])` and then `(E, units[l-1], units[l])`."""
        glorot = keras.initializers.GlorotUniform
        kernels, biases = [], []
        for i, width in enumerate(self.units):
            shape: tuple[int, ...] = (self.num_experts, self.units[i - 1], width)
            if i == 0:
                shape = (input_shape[-1], self.num_experts * width)
            initializer = blockwise(glorot, self.num_experts, axis=0 if i else 1)
            kernels.append(self._add_weight(f"kernel_{i}", shape, initializer))
            shape = (self.num_experts, 1, width) if i else (self.num_experts * width,)
            biases.append(self._add_weight(f"bias_{i}", shape, "zeros"))
        self.kernels, self.biases = tuple(kernels), tuple(biases)
        for end, width in zip(self.ends, self.units, strict=False):
            end.build((None, self.num_experts * width))

    def _add_weight(self, name: str, shape: tuple[int, ...], initializer) -> keras.Variable:
        # The weights are cast in `call`, so that a penalty reads them as they are.
        return self.add_weight(shape, name=name, initializer=initializer, autocast=False)

    def call(self, inputs: tf.Tensor | SharedRows) -> tf.Tensor:
        """Returns the experts' outputs."""
        kernels, biases = (
            [tf.cast(tf.convert_to_tensor(weight), self.compute_dtype) for weight in weights]
            for weights in (self.kernels, self.biases)
        )
        products = tf.nn.bias_add(product(inputs, kernels[0]), biases[0])
        hidden = self._apart(self.ends[0](products) if self.ends else tf.nn.relu(products), 0)
        for i, (kernel, bias) in enumerate(zip(kernels[1:], biases[1:], strict=True), start=1):
            products = hidden @ kernel + bias
            hidden = self._ended(products, i) if self.ends else tf.nn.relu(products)
        return hidden

    def _apart(self, side_by_side: tf.Tensor, layer: int) -> tf.Tensor:
        """Returns outputs `(batch, E * width)` of a layer as `(E, batch, width)`."""
        split = tf.reshape(side_by_side, (-1, self.num_experts, self.units[layer]))
        return tf.transpose(split, (1, 0, 2))

    def _ended(self, products: tf.Tensor, layer: int) -> tf.Tensor:
        width = self.num_experts * self.units[layer]
        side_by_side = tf.reshape(tf.transpose(products, (1, 0, 2)), (-1, width))
        return self._apart(self.ends[layer](side_by_side), layer)

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(E, batch, units[-1])`."""
        return (self.num_experts, input_shape[0], self.units[-1])
