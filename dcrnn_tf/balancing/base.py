"""The base class of loss balancing, which is itself the plain sum of the tasks' losses."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import keras
import tensorflow as tf

from dcrnn_tf.system.errors import UserError

Gradient: TypeAlias = tf.Tensor | tf.IndexedSlices | None


class BalancingError(UserError, ValueError):
    """A way of balancing cannot be built as asked."""


class Balancing:
    """The sum of the tasks' losses, and the base of all ways to make one gradient of them.

    A step calls, in this order, `total` within the tape, `gradients` after it, and `statistics`;
    then, once the weights are updated, `look_back` of a way that `looks_back`.
    What a model adds itself, its penalties, stays outside of the balancing, with a factor of 1.
    Every other way is a subclass that overrides `total` or `gradients`.

    Args:
      tasks: Names of the tasks, in order.

    Attributes:
      compiles: Whether XLA compiles the way.
      per_task: Whether each task's gradient is asked of the tape, which must be persistent then.
      looks_back: Whether `look_back` gets the losses of the same batch after the update.
      statistic_names: Names of the numbers that a step reports.
      statistics: These numbers by name, to be read where the step was traced.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.balancing import Balancing
      >>> weight = tf.Variable(3.0)
      >>> way = Balancing(["click", "conversion"])
      >>> with tf.GradientTape() as tape:
      ...     losses = {"click": weight**2, "conversion": 2 * weight}
      ...     total = way.total(losses, penalties=[])
      >>> (gradient,) = way.gradients(tape, total, losses, [], [weight])
      >>> float(gradient)  # 2 3 + 2
      8.0
    """

    compiles = True
    per_task = False
    looks_back = False
    statistic_names: tuple[str, ...] = ()

    def __init__(self, tasks: Sequence[str]):
        self.tasks = tuple(tasks)
        self.statistics: dict[str, tf.Tensor] = {}  # to be read where the step was traced

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """The variables that the optimizer of the dense weights trains."""
        return []

    @property
    def variables(self) -> list[keras.Variable]:
        """All variables: the state that a checkpoint holds."""
        return []

    def total(self, losses: Mapping[str, tf.Tensor], penalties: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns the loss of a step, a scalar.

        Args:
          losses: Loss of each task, `{task: scalar}`, in the order of the tasks.
          penalties: Scalars that the model adds.
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
        """Returns the gradients to follow, one for each variable.

        Args:
          tape: Tape that has recorded the losses; persistent if `per_task`.
          total: Result of `total`.
          losses: As for `total`.
          penalties: As for `total`.
          variables: The model's variables and `trainable_variables`.
        """
        return tape.gradient(total, variables)

    def look_back(self, losses: Mapping[str, tf.Tensor]) -> None:
        """Takes note of the losses of the same batch after the update of the weights.

        Args:
          losses: As for `total`.
        """

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
    """Returns the names of the statistics that report the tasks' weights."""
    return tuple(f"weight_{task}" for task in tasks)
