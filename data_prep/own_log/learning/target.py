"""The target of a regression task, learned from training rows chunk by chunk."""

import dataclasses

import numpy as np

from data_prep.own_log.learning.scaling import ScalingLearner
from dcrnn_tf.dataset.encodings import STANDARD
from dcrnn_tf.dataset.targets import Target


class TargetLearner:
    """Learns mean and deviation of the numbers of one task, and of what is learned of them.

    Args:
      target: Loss and scaling of the task.
    """

    def __init__(self, target: Target):
        self._target = target
        self._numbers = ScalingLearner(STANDARD)
        self._transformed = ScalingLearner(STANDARD)
        self._above_0 = 0
        self._rows = 0

    def add(self, labels: np.ndarray) -> None:
        """Learns from the labels of training rows; NaN is no label."""
        numbers = labels[~np.isnan(labels)].astype(np.float64)
        above_0 = numbers[numbers > 0]
        self._rows += len(numbers)
        self._above_0 += len(above_0)
        self._numbers.add(numbers)
        learned = above_0 if self._target.is_amount else numbers
        self._transformed.add(self._target.transformed(learned, np))

    def merge(self, other: "TargetLearner") -> None:
        """Learns what a learner of the rows that follow has learned."""
        self._rows += other._rows
        self._above_0 += other._above_0
        self._numbers.merge(other._numbers)
        self._transformed.merge(other._transformed)

    def finish(self) -> Target:
        """Returns the target that was learned."""
        mean, deviation = self._transformed.moments
        average, _ = self._numbers.moments
        share = self._above_0 / max(self._rows, 1)
        return dataclasses.replace(
            self._target, mean=mean, deviation=deviation, average=average, above_0=share
        )
