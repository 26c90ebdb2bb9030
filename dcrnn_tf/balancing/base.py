"""What all ways of balancing have in common, and the plainest of them, the sum."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from dcrnn_tf.system.errors import UserError

Gradient = tf.Tensor | tf.IndexedSlices | None


class BalancingError(UserError, ValueError):
    """Losses cannot be balanced as asked."""


class Balancing:
    """Makes one gradient of the losses of several tasks: that of their sum.

    A step calls, in this order, `total` within the tape, `gradients` after it, and `statistics`.
    What a model adds itself, its penalties, stays outside of the balancing, with a factor of 1.
    The sum is what every other way departs from: a subclass with a `total` of its own, or with
    `gradients`.

    Args:
      tasks: names, in order.

    Attributes:
      compiles: whether XLA compiles it.
      per_task: whether each task's gradient is asked of the tape.
      statistic_names: of the figures of a step.
    """

    compiles = True
    per_task = False
    statistic_names: tuple[str, ...] = ()

    def __init__(self, tasks: Sequence[str]):
        self.tasks = tuple(tasks)
        self.statistics: dict[str, tf.Tensor] = {}  # to be read where the step was traced

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """Variables for the optimizer of the dense weights to train."""
        return []

    @property
    def variables(self) -> list[keras.Variable]:
        """All variables: what a continued run must find again."""
        return []

    def total(self, losses: Mapping[str, tf.Tensor], penalties: Sequence[tf.Tensor]) -> tf.Tensor:
        """The loss of a step, a scalar.

        Args:
          losses: `{task: scalar}`, all tasks in order.
          penalties: scalars that the model adds.
        """
        return sum([*losses.values(), *penalties])  # in this order, unlike tf.add_n

    def gradients(
        self,
        tape: tf.GradientTape,
        total: tf.Tensor,
        losses: Mapping[str, tf.Tensor],
        penalties: Sequence[tf.Tensor],
        variables: Sequence[keras.Variable],
    ) -> list[Gradient]:
        """The gradients to follow, one for each variable.

        Args:
          tape: that the losses were computed under; persistent if `per_task`.
          total: of `total`.
          losses: as there.
          penalties: as there.
          variables: the model's and `trainable_variables`.
        """
        return tape.gradient(total, variables)

    def _weighted(
        self,
        weights: Sequence[float | tf.Tensor],
        losses: Mapping[str, tf.Tensor],
        penalties: Sequence[tf.Tensor],
    ) -> tf.Tensor:
        weighted = [weight * losses[t] for weight, t in zip(weights, self.tasks, strict=True)]
        return sum([*weighted, *penalties])

    def _note_weights(self, weights: Sequence[tf.Tensor]) -> None:
        self.statistics |= dict(zip(weight_names(self.tasks), weights, strict=True))


def weight_names(tasks: Sequence[str]) -> tuple[str, ...]:
    """Names of the statistics that tell the tasks' weights."""
    return tuple(f"weight_{task}" for task in tasks)
