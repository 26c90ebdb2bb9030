"""The factor on the loss that keeps small gradients in the range of float16."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from dcrnn_tf.balancing.base import Gradient

_FIRST = 2.0**15
_STEPS_UNTIL_DOUBLED = 2000


class LossScale:
    """A factor on the loss that follows the gradients: halved if they overflow, doubled if not.

    The smallest number of float16 is 6e-8, and gradients by activations are often smaller. They are
    computed of the loss times the factor, and divided by it in float32. A step whose gradients are
    not finite is left out, and the factor halved; after 2,000 steps in a row that were not, it is
    doubled. The factor is a power of two, which changes no digit of a number.

    Attributes:
      variables: State by name, for a checkpoint to hold.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.training.loss_scale import LossScale
      >>> scale = LossScale()
      >>> (gradient,) = scale.unscaled([scale.scaled(tf.constant(3.0))])
      >>> float(gradient), float(scale.scaled(tf.constant(1.0)))
      (3.0, 32768.0)
      >>> scale.follow(tf.constant(False), lambda: None)
      >>> float(scale.scaled(tf.constant(1.0)))
      16384.0
    """

    def __init__(self) -> None:
        self._scale = tf.Variable(_FIRST)
        self._sound_steps = tf.Variable(0, dtype=tf.int64)
        self.variables = {
            "loss_scale": self._scale,
            "loss_scale_sound_steps": self._sound_steps,
        }

    @property
    def can_fall(self) -> tf.Tensor:
        """Whether the factor is above 1, so that a smaller one may make gradients finite."""
        return self._scale > 1.0

    def scaled(self, loss: tf.Tensor) -> tf.Tensor:
        """Returns the loss times the factor."""
        return loss * tf.cast(self._scale, loss.dtype)

    def unscaled(self, gradients: Sequence[Gradient]) -> list[Gradient]:
        """Returns the gradients of the loss from those of the scaled loss."""
        inverse = 1.0 / self._scale
        return [_times(gradient, inverse) for gradient in gradients]

    def follow(self, finite: tf.Tensor, update: Callable[[], None]) -> None:
        """Makes an update if the gradients are finite, and changes the factor.

        Args:
          finite: Whether all gradients of the step are finite.
          update: Function that makes the step.
        """

        def sound() -> tf.Tensor:
            update()
            return self._sound_steps + 1

        steps = tf.cond(finite, sound, lambda: tf.zeros((), tf.int64))
        doubled = steps >= _STEPS_UNTIL_DOUBLED
        changed = tf.where(finite, tf.where(doubled, 2.0, 1.0), 0.5) * self._scale
        self._scale.assign(tf.maximum(changed, 1.0))
        self._sound_steps.assign(tf.where(doubled, tf.zeros((), tf.int64), steps))


def _times(gradient: Gradient, factor: tf.Tensor) -> Gradient:
    if gradient is None:
        return None
    if isinstance(gradient, tf.IndexedSlices):
        values = gradient.values * tf.cast(factor, gradient.values.dtype)
        return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
    return gradient * tf.cast(factor, gradient.dtype)
