"""The cross network's layer: explicit crosses of features, with a weight matrix (DCN-V2)."""

import keras
import keras_rs
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.fork import fork


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class MatrixCross(Layer):
    """The cross network of DCN-V2 (arXiv 2008.13535, Eq. 1).

    `x_{l+1} = x_0 * (W_l x_l + b_l) + x_l`, where `*` is element by element. Each layer is a
    `keras_rs.layers.FeatureCross`.

    Args:
      num_layers: Number of layers, L.
      projection_dim: Rank r of the low-rank form, `W_l = U_l V_l` with U_l `(d, r)` and V_l
        `(r, d)`; None for a full matrix.

    Call arguments:
      inputs: Features x_0, `(batch, d)`.

    Returns:
      The last layer's output x_L, `(batch, d)`.

    Raises:
      ValueError: There is no layer, the rank is below 1, or the input has another rank than 2.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> cross = layers.MatrixCross(num_layers=2, projection_dim=3)
      >>> cross(tf.ones((5, 8))).shape
      TensorShape([5, 8])
    """

    def __init__(self, num_layers: int = 2, projection_dim: int | None = None, **kwargs):
        super().__init__(**kwargs)
        if num_layers < 1:
            raise ValueError(f"num_layers={num_layers} must be at least 1")
        if projection_dim is not None and projection_dim < 1:
            raise ValueError(f"projection_dim={projection_dim} must be at least 1, or None")
        self.num_layers = num_layers
        self.projection_dim = projection_dim
        self.crosses = tuple(
            _FeatureCross(projection_dim, name=f"cross_{i}", dtype=self.dtype_policy)
            for i in range(num_layers)
        )
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def build(self, input_shape) -> None:
        """Creates the weights of every layer."""
        for cross in self.crosses:
            cross.build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the last layer's output."""
        crossed, *originals = fork(inputs, self.num_layers + 1)
        for cross, original in zip(self.crosses, originals, strict=True):
            crossed = cross(original, crossed)
        return crossed

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(batch, d)`."""
        return tuple(input_shape)


class _FeatureCross(keras_rs.layers.FeatureCross):
    """The layer of Keras RS, with all its weights, under names of their own, once it is built.

    As it comes, its products are built by the first call, and named by how many there were before
    in the process.
    """

    def build(self, input_shape) -> None:
        super().build(input_shape)
        if self.projection_dim is not None:
            self.down_proj_dense.name = "projection"
            self.down_proj_dense.build(input_shape)
            input_shape = (None, self.projection_dim)
        self.dense.name = "dense"
        self.dense.build(input_shape)
