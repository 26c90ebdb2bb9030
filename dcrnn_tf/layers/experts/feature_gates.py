"""Feature gates, through which each expert sees the input in its own way (HoME)."""

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.fork import fork
from dcrnn_tf.layers.initializers import blockwise


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class FeatureGates(Layer):
    """N feature gates of low rank: `2 sigmoid(x A_i B_i) * x` (HoME, 2024).

    Args:
      num_gates: Number of gates, N.
      rank: Number of columns of A, and of rows of B.

    Call arguments:
      inputs: Features x, `(batch, d)`, for all gates, or `(N, batch, d)`.

    Returns:
      The features as each gate lets them through, `(N, batch, d)`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> layers.FeatureGates(num_gates=3, rank=2)(tf.ones((5, 6))).shape
      TensorShape([3, 5, 6])
    """

    def __init__(self, num_gates: int, rank: int = 8, **kwargs):
        super().__init__(**kwargs)
        self.num_gates = num_gates
        self.rank = rank

    def build(self, input_shape) -> None:
        """Creates A, `(N, d, rank)`, and B, `(N, rank, d)`."""
        depth, glorot = input_shape[-1], keras.initializers.GlorotUniform
        start = blockwise(glorot, self.num_gates, axis=0)
        for name, shape in (("down", (depth, self.rank)), ("up", (self.rank, depth))):
            weight = self.add_weight(name=name, shape=(self.num_gates, *shape), initializer=start)
            setattr(self, name, weight)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the gated features."""
        read, gated = fork(inputs, 2)
        scores = read @ tf.convert_to_tensor(self.down) @ tf.convert_to_tensor(self.up)
        return 2 * tf.sigmoid(scores) * gated

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(N, batch, d)`."""
        return (self.num_gates, *input_shape[-2:])
