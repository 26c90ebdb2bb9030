"""Scaling of numeric columns, fitted on training rows chunk by chunk, in bounded memory."""

import numpy as np

from dcrnn_tf.dataset.encodings import QUANTILE, STANDARD, Scaling

SAMPLE_ROWS = 1 << 18  # values that quantiles are taken from; all of them if there are fewer
KNOTS = 256  # points of the quantile function


class ScalingLearner:
    """Learns the scaling of one numeric column from its training values.

    The knots of a quantile scaling are values of the distribution function, ties at the middle of
    their step, scaled to [-1, 1].

    Args:
      method: Method of the scaling, as `Scaling` has it.
      seed: Seed of the sample that quantiles are taken from.
    """

    def __init__(self, method: str, seed: int = 0):
        self.method = method
        self._count, self._mean, self._squares = 0, 0.0, 0.0
        self._sample = np.empty((0, 2))  # random priorities and values, the lowest priorities
        self._random = np.random.default_rng([seed, 1])

    def add(self, values: np.ndarray) -> None:
        """Learns from training values, `(rows,)` float; NaN stands for missing."""
        values = values[~np.isnan(values)]
        if not len(values):
            return
        if self.method == STANDARD:
            # From the first value on, or a constant column would have a deviation, of rounding.
            mean = values[0] + (values - values[0]).mean()
            self._join(len(values), mean, np.square(values - mean).sum())
        elif self.method == QUANTILE:
            self._keep(np.column_stack([self._random.random(len(values)), values]))

    def skip(self, count: int) -> None:
        """Passes over training values, none of them missing, that another learner learns from."""
        bits = self._random.bit_generator
        if not isinstance(bits, np.random.PCG64):
            raise TypeError(f"{type(bits).__name__} passes over no numbers")
        bits.advance(count)

    def merge(self, other: "ScalingLearner") -> None:
        """Learns what another learner of the same method has learned.

        If that one had skipped the values before its own and each has seen one chunk at a time, the
        result is to the bit that of one learner for all chunks, merged in their order.
        """
        self._join(other._count, other._mean, other._squares)
        self._keep(other._sample)

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of the values, of the method `standard` alone."""
        deviation = np.sqrt(self._squares / self._count) if self._count else 0.0
        return float(self._mean), float(deviation)

    def encoding(self, missing: tuple[str, ...] = ()) -> Scaling:
        """Returns the scaling that was learned.

        Args:
          missing: Texts that stand for a missing value.
        """
        if self.method == STANDARD:
            mean, deviation = self.moments
            # A constant column is 0 everywhere rather than infinite.
            return Scaling(missing, STANDARD, mean, deviation or 1.0)
        if self.method == QUANTILE:
            knots, scaled = self._quantiles()
            return Scaling(
                missing, QUANTILE, knots=tuple(knots.tolist()), scaled=tuple(scaled.tolist())
            )
        return Scaling(missing, self.method)

    def _join(self, count: int, mean: float, squares: float) -> None:
        """Adds values of a mean and a sum of squared distances from it."""
        if not self._count:
            self._count, self._mean, self._squares = count, mean, squares
        elif count:
            total = self._count + count
            apart = mean - self._mean
            self._squares += squares
            self._squares += apart**2 * self._count * count / total
            self._mean += apart * count / total
            self._count = total

    def _keep(self, drawn: np.ndarray) -> None:
        """Adds to the sample what is among the lowest priorities."""
        sample = np.concatenate([self._sample, drawn])
        if len(sample) > SAMPLE_ROWS:
            sample = sample[np.argpartition(sample[:, 0], SAMPLE_ROWS)[:SAMPLE_ROWS]]
        self._sample = sample

    def _quantiles(self) -> tuple[np.ndarray, np.ndarray]:
        values, counts = np.unique(self._sample[:, 1], return_counts=True)
        if not len(values):
            values, counts = np.zeros(1), np.ones(1, counts.dtype)
        below = np.cumsum(counts) / counts.sum()
        scaled = 2 * below - counts / counts.sum() - 1
        # Knots of equal mass: a value that many rows share has one of its own.
        kept = np.unique(np.searchsorted(below, np.linspace(0, below[-1], KNOTS)))
        return values[kept], scaled[kept]
