"""Means of scalars over the steps between two lines of a log."""

from collections.abc import Iterable, Mapping

import tensorflow as tf


class RunningMeans:
    """Sums named scalars step by step, in float64, and gives their means.

    Args:
      names: Names of the scalars.

    Attributes:
      sums: `{name: variable}`, the sums since the last `take`; part of a checkpoint, so that a
        continued run logs the same means as one that was not interrupted.
    """

    def __init__(self, names: Iterable[str]):
        self.sums = {name: tf.Variable(0.0, dtype=tf.float64) for name in names}

    def add(self, values: Mapping[str, tf.Tensor]) -> None:
        """Adds the values of one step; called inside the compiled step."""
        for name, value in values.items():
            self.sums[name].assign_add(tf.cast(value, tf.float64))

    def take(self, steps: int) -> dict[str, float]:
        """Returns the means over the steps since the last call, and starts the sums anew."""
        means = {name: float(total.numpy()) / steps for name, total in self.sums.items()}
        for total in self.sums.values():
            total.assign(0.0)
        return means
