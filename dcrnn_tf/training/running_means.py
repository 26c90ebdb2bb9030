"""Means of scalars over the steps between two lines of a log."""

from collections.abc import Iterable, Mapping

import tensorflow as tf


class RunningMeans:
    """Sums named scalars step by step, in float64, and gives their means.

    Args:
      names: of the scalars.

    Attributes:
      sums: `{name: variable}`, the sums since they were last taken; part of a checkpoint, so that a
        run that goes on logs what it would have logged.
    """

    def __init__(self, names: Iterable[str]):
        self.sums = {name: tf.Variable(0.0, dtype=tf.float64) for name in names}

    def add(self, values: Mapping[str, tf.Tensor]) -> None:
        """Adds the values of one step; part of the compiled step."""
        for name, value in values.items():
            self.sums[name].assign_add(tf.cast(value, tf.float64))

    def take(self, steps: int) -> dict[str, float]:
        """The means over the steps since the last call, which start anew."""
        means = {name: float(total.numpy()) / steps for name, total in self.sums.items()}
        for total in self.sums.values():
            total.assign(0.0)
        return means
