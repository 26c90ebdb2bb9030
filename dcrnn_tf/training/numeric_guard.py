"""Detection of the first training step whose losses or gradients are not finite numbers."""

import math
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from dcrnn_tf.distribution.replicas import sum_over_replicas

_NAMED = 5  # variables that a message names


class NumericGuard:
    """Watches the losses and the gradients' norms of every step, on the device.

    A step costs one read of each gradient (of an embedding table, the rows of the batch alone);
    nothing is copied to the host until `finding` is called. A norm counts as not finite from about
    1e19 on, where the squares that Adam keeps overflow. With several replicas, the squares of each
    replica's gradients are added up, so that all replicas know of a number that is not finite.

    Args:
      losses: Names of the losses.
      variables: Variables whose gradients are watched.
    """

    def __init__(self, losses: Sequence[str], variables: Sequence[keras.Variable]):
        self._losses = list(losses)
        self._variables = list(variables)
        count = len(self._losses) + len(self._variables)
        self._bad_step = tf.Variable(0, dtype=tf.int64)  # 0 while there is none
        self._now = tf.Variable(tf.zeros(count))  # of the last step, or of the bad one
        self._before = tf.Variable(tf.zeros(count))  # of the step before

    def watch(
        self,
        step: tf.Tensor,
        losses: Mapping[str, tf.Tensor],
        gradients: Sequence[tf.Tensor | tf.IndexedSlices | None],
        tolerated: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Watches one step; called inside the compiled training step.

        Args:
          step: Number of the step, from 1.
          losses: `{name: scalar}`.
          gradients: Gradients of the variables, in their order.
          tolerated: Whether gradients of this step may be not finite; None if they never may.

        Returns:
          Whether all losses and gradients are finite.
        """
        norms = [tf.cast(losses[name], tf.float32) for name in self._losses]
        for gradient in gradients:
            if isinstance(gradient, tf.IndexedSlices):
                gradient = gradient.values
            # Half the sum of squares, in one operation without memory of its own.
            norms.append(
                tf.zeros(()) if gradient is None else tf.cast(tf.nn.l2_loss(gradient), tf.float32)
            )
        norms = sum_over_replicas(tf.stack(norms))
        finite = tf.math.is_finite(norms)
        all_finite = tf.reduce_all(finite)
        if tolerated is not None:
            is_gradient = tf.range(tf.size(norms)) >= len(self._losses)
            norms = tf.where(tolerated & is_gradient & ~finite, 0.0, norms)
        sound = tf.equal(self._bad_step, 0)
        before, now = self._before.read_value(), self._now.read_value()
        self._before.assign(tf.where(sound, now, before))
        self._now.assign(tf.where(sound, norms, now))
        bad = sound & ~tf.reduce_all(tf.math.is_finite(norms))
        self._bad_step.assign(tf.where(bad, tf.cast(step, tf.int64), self._bad_step.read_value()))
        return all_finite

    def finding(self) -> str | None:
        """Returns what was not finite at which step, and the largest gradients before it, in words.

        None where everything has been finite.
        """
        step = int(self._bad_step.numpy())
        if not step:
            return None
        losses, gradients = self._split(self._now)
        sentence = [f"the loss of {n} is {v}" for n, v in losses.items() if not math.isfinite(v)]
        names = [name for name, norm in gradients.items() if not math.isfinite(norm)]
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            sentence.append(f"the gradient of {', '.join(names[:_NAMED])}{more} is not finite")
        _, before = self._split(self._before)
        largest = sorted(before, key=before.__getitem__, reverse=True)[:_NAMED]
        if step > 1 and before[largest[0]]:
            norms = ", ".join(f"{name} {before[name]:.3g}" for name in largest)
            sentence.append(f"the largest gradients of the step before: {norms}")
        return f"at step {step} " + "; ".join(sentence)

    def _split(self, norms: tf.Variable) -> tuple[dict[str, float], dict[str, float]]:
        values = norms.numpy().astype(np.float64)
        count = len(self._losses)
        paths = [variable.path for variable in self._variables]
        return (
            dict(zip(self._losses, values[:count].tolist(), strict=True)),
            dict(zip(paths, np.sqrt(2 * values[count:]).tolist(), strict=True)),
        )


def non_finite_weights(variables: Sequence[keras.Variable]) -> list[str]:
    """Returns the paths of the variables that hold a number that is not finite."""
    return [
        variable.path
        for variable in variables
        if tf.as_dtype(variable.dtype).is_floating
        # Any NaN or infinity shows in the sum, which takes no memory of the table's size.
        and not math.isfinite(float(tf.reduce_sum(variable.value)))
    ]
