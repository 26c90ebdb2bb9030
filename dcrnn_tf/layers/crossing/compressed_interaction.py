"""The compressed interaction network: products of fields, mixed into feature maps (xDeepFM)."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.fork import fork
from dcrnn_tf.layers.product import product


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class CompressedInteraction(Layer):
    """The compressed interaction network of xDeepFM (arXiv 1803.05170, Eq. 6).

    `X^k_h = phi(sum_ij W^{k,h}_ij X^{k-1}_i * X^0_j)`, where `*` is element by element. X^0 holds
    the fields' embeddings, X^k the H_k feature maps of layer k, each of width dim. The maps of all
    layers, each summed over dim, are the output, side by side. With phi the identity a layer is
    Eq. 2 of DCRNN's paper, `H_t = sum_ij W_ij (H_{t-1} * X_0)`.

    Layer k has the weight `kernel_{k-1}`, `(H_{k-1} * fields, H_k)`, whose row `i * fields + j`
    belongs to the product of X^{k-1}_i and X^0_j. The last layer's maps are not needed themselves:
    with a linear phi their sums over dim are `sum_ij W_ij (X^{k-1}_i . X^0_j)`, which takes neither
    the time nor the memory of the products.

    Args:
      feature_maps: Number of feature maps, H_k, of each layer.
      activation: Activation phi of the maps; the default is the identity, as the paper chose it.
      split_half: Whether the first half of a layer's maps goes on to the next layer alone, and the
        second half to the output alone. The last layer's maps all go to the output.

    Call arguments:
      inputs: Embeddings of the fields, `(batch, fields, dim)`.

    Returns:
      The sums, `(batch, sum of the H_k)`; with `split_half` H_k is halved for all layers but the
      last.

    Raises:
      ValueError: There is no layer or feature map, an odd number of maps is to be split, or the
        input has another rank.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> fields = tf.ones((2, 3, 4))  # 2 examples, 3 fields of width 4
      >>> layers.CompressedInteraction(feature_maps=[6, 5])(fields).shape
      TensorShape([2, 11])
    """

    def __init__(
        self,
        feature_maps: Sequence[int] = (64, 64),
        activation: str | None = "linear",
        split_half: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.feature_maps = tuple(feature_maps)
        if not self.feature_maps or min(self.feature_maps) < 1:
            raise ValueError(f"feature_maps={self.feature_maps} must be numbers of at least 1")
        if split_half and any(maps % 2 for maps in self.feature_maps[:-1]):
            raise ValueError(f"feature_maps={self.feature_maps} cannot be split into halves")
        self.activation = keras.activations.get(activation)
        self.split_half = split_half
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def build(self, input_shape) -> None:
        """Creates the kernels of all layers."""
        fields = incoming = input_shape[1]
        kernels = []
        for i, maps in enumerate(self.feature_maps):
            kernels.append(
                self.add_weight(
                    name=f"kernel_{i}",
                    shape=(incoming * fields, maps),
                    initializer=keras.initializers.GlorotUniform(),
                )
            )
            incoming = maps // 2 if self.split_half else maps
        self.kernels = tuple(kernels)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the sums of all layers' maps."""
        last = len(self.kernels) - 1
        maps, *originals = fork(tf.transpose(inputs, (0, 2, 1)), last + 2)  # (batch, dim, fields)
        sums = []
        for i, (kernel, original) in enumerate(zip(self.kernels, originals, strict=True)):
            kernel = tf.convert_to_tensor(kernel)
            if i == last and self.activation is keras.activations.linear:
                dots = tf.matmul(maps, original, transpose_a=True)
                sums.append(product(tf.reshape(dots, (-1, kernel.shape[0])), kernel))
                continue
            # It is a broadcast `*`, whose gradients are products too, without temporaries as large.
            products = maps[:, :, :, None] @ original[:, :, None, :]
            outgoing = self.activation(product(tf.reshape(products, (-1, kernel.shape[0])), kernel))
            outgoing = tf.reshape(outgoing, (-1, inputs.shape[2], kernel.shape[1]))
            if i < last and self.split_half:
                maps, outgoing = tf.split(outgoing, 2, axis=2)
            elif i < last:
                maps, outgoing = fork(outgoing, 2)
            sums.append(tf.reduce_sum(outgoing, axis=1))
        return tf.concat(sums, axis=1)

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(batch, width)`."""
        *inner, last = self.feature_maps
        return (input_shape[0], sum(inner) // (2 if self.split_half else 1) + last)
