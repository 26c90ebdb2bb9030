"""Dice: an activation that bends in the middle of its input's distribution (DIN)."""

import keras
import tensorflow as tf

from dcrnn_tf.kernels import operations
from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.fork import fork


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class Dice(Layer):
    """The data adaptive activation of DIN (arXiv 1706.06978, Eq. 3).

    `f(s) = p s + (1 - p) alpha s`, `p = sigmoid((s - E[s]) / sqrt(Var[s] + epsilon))`. Each unit
    has a learned `alpha`, which starts as 0. In training E and Var are those of the batch, and
    their moving averages are kept for inference, as in batch normalisation, but the values that
    these start from have no part in them: after t batches the newest batch counts
    `(1 - momentum) / (1 - momentum^t)`. (With a variance that starts as 1 and units whose variance
    is a hundredth of it, hundreds of batches would not do.) They are computed in the precision of
    the weights.

    Args:
      momentum: Momentum of the moving averages.
      epsilon: Number added to the variance.

    Call arguments:
      inputs: Values s, `(rows, units)`.
      counted: Rows over which E and Var are taken, bool `(rows,)`; None takes all.
      training: Whether the call belongs to a training step.
      compiled: Whether a training step may take a compiled operation, where there is one; it has no
        second derivatives.

    Returns:
      The activations, `(rows, units)`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> values = tf.constant([[-10.0], [0.0], [10.0]])
      >>> layers.Dice()(values, training=True).numpy().round(2)  # p is 0.23, 0.5 and 0.77
      array([[-2.27], [ 0.  ], [ 7.73]], dtype=float32)
    """

    def __init__(self, momentum: float = 0.99, epsilon: float = 1e-8, **kwargs):
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape) -> None:
        """Creates `alpha`, the moving averages, and `filled`, 1 - momentum^t."""
        shape = (input_shape[-1],)
        self.alpha = self.add_weight(name="alpha", shape=shape, initializer="zeros")

        def average(name, initializer, shape=shape):
            return self.add_weight(
                name=name,
                shape=shape,
                initializer=initializer,
                trainable=False,
                autocast=False,
                aggregation="mean",
            )

        self.moving_mean = average("moving_mean", "zeros")
        self.moving_variance = average("moving_variance", "ones")
        self.filled = average("filled", "zeros", shape=())

    def call(
        self,
        inputs: tf.Tensor,
        counted: tf.Tensor | None = None,
        training: bool = False,
        compiled: bool = False,
    ) -> tf.Tensor:
        """Returns the activations."""
        if counted is None:
            counted = tf.ones(tf.shape(inputs)[0], tf.bool)
        if training and compiled and self._compiles():
            outputs, mean, variance = self._compiled(inputs, counted)
            self._keep(mean, variance)
            return outputs
        inputs, measured = fork(inputs, 2)
        measured = tf.cast(measured, self.variable_dtype)
        if training:
            share = _share(measured, counted)
            mean = tf.reduce_sum(share * measured, axis=0)
            centred = measured - mean
            variance = tf.reduce_sum(share * tf.square(centred), axis=0)
            self._keep(mean, variance)
        else:
            centred = measured - self.moving_mean
            variance = tf.convert_to_tensor(self.moving_variance)
        p = tf.sigmoid(centred / tf.sqrt(variance + self.epsilon))
        p = tf.cast(p, self.compute_dtype)
        return inputs * (p + (1 - p) * self.alpha)

    def _compiles(self) -> bool:
        return self.compute_dtype == "float32" and operations.usable(self.alpha.value)

    def _compiled(self, inputs: tf.Tensor, counted: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Returns the activations, the mean and the variance, in three passes over the inputs."""

        @tf.custom_gradient
        def activated(inputs: tf.Tensor, alpha: tf.Tensor) -> tuple:
            outputs, mean, variance = operations.library().dcrnn_dice(
                inputs, alpha, counted, epsilon=self.epsilon
            )

            def gradient(by_outputs: tf.Tensor, *_: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                return operations.library().dcrnn_dice_gradient(
                    by_outputs, inputs, alpha, counted, mean, variance, epsilon=self.epsilon
                )

            return (outputs, mean, variance), gradient

        return activated(inputs, tf.convert_to_tensor(self.alpha))

    def _keep(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
        """Takes a batch into the moving averages."""
        filled = self.momentum * self.filled + (1 - self.momentum)
        newest = (1 - self.momentum) / filled
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign((1 - newest) * average + newest * value)
        self.filled.assign(filled)

    def compute_output_shape(self, input_shape) -> tuple:
        """Returns `(rows, units)`."""
        return tuple(input_shape)


def _share(inputs: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    """Returns each row's share in a mean, `(rows, 1)`."""
    counted = tf.cast(counted, inputs.dtype)
    return tf.math.divide_no_nan(counted, tf.reduce_sum(counted))[:, None]
