"""Scaling of numeric columns, fitted on training rows chunk by chunk, in bounded memory."""

from collections.abc import Mapping

import numpy as np

SAMPLE_ROWS = 1 << 18  # values that quantiles are taken from; all of them if there are fewer
KNOTS = 256  # points of the quantile function


class Scaling:
    """Scales one numeric column; a missing value becomes 0 after scaling.

    With `m` and `s` the mean and standard deviation of the training values and `F` their
    distribution function (ties at the middle of their step):

      * `none`: `x`
      * `standard`: `(x - m) / s`, so that a missing value counts as the mean
      * `log`: `sign(x) ln(1 + |x|)`, a missing value counts as 0
      * `quantile`: `2 F(x) - 1` between knots, in [-1, 1]; a missing value counts as the median

    Args:
      kind: one of these four.
      seed: of the sample that quantiles are taken from.
    """

    def __init__(self, kind: str, seed: int = 0):
        self.kind = kind
        self._count, self._mean, self._squares = 0, 0.0, 0.0
        self._sample = np.empty((0, 2))  # random priorities and values, the lowest priorities
        self._random = np.random.default_rng([seed, 1])
        self._knots: tuple[np.ndarray, np.ndarray] | None = None
        self._restored: Mapping[str, object] | None = None

    @classmethod
    def restore(cls, parameters: Mapping[str, object]) -> "Scaling":
        """A scaling that has learned what `parameters` of another one say."""
        scaling = cls(parameters["kind"])
        scaling._restored = parameters
        return scaling

    def add(self, values: np.ndarray) -> None:
        """Learns from training values, `(rows,)` float; NaN stands for missing."""
        values = values[~np.isnan(values)]
        if not len(values):
            return
        if self.kind == "standard":
            # From the first value on, or a constant column would have a deviation, of rounding.
            mean = values[0] + (values - values[0]).mean()
            self._join(len(values), mean, np.square(values - mean).sum())
        elif self.kind == "quantile":
            self._keep(np.column_stack([self._random.random(len(values)), values]))

    def skip(self, count: int) -> None:
        """Passes over so many training values, not missing, that another scaling learns from."""
        self._random.bit_generator.advance(count)

    def merge(self, other: "Scaling") -> None:
        """Learns what another scaling of the same kind has learned.

        If that one had skipped the values before its own and each has seen one chunk at a time, the
        result is to the bit that of one scaling for all chunks, merged in their order.
        """
        self._join(other._count, other._mean, other._squares)
        self._keep(other._sample)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Returns scaled values, `(rows,)` float32."""
        if self.kind == "standard":
            parameters = self.parameters
            values = (values - parameters["mean"]) / parameters["standard_deviation"]
        elif self.kind == "log":
            values = np.sign(values) * np.log1p(np.abs(values))
        elif self.kind == "quantile":
            parameters = self.parameters
            values = np.interp(values, parameters["knots"], parameters["scaled"])
        return np.nan_to_num(values, nan=0.0).astype(np.float32)

    @property
    def parameters(self) -> dict[str, object]:
        """What was learned, for the dataset's schema."""
        if self._restored is not None:
            return dict(self._restored)
        learned: dict[str, object] = {"kind": self.kind}
        if self.kind == "standard":
            deviation = np.sqrt(self._squares / self._count) if self._count else 0.0
            # A constant column is 0 everywhere rather than infinite.
            learned |= {"mean": float(self._mean), "standard_deviation": float(deviation) or 1.0}
        elif self.kind == "quantile":
            knots, scaled = self._quantiles()
            learned |= {"knots": knots.tolist(), "scaled": scaled.tolist()}
        return learned

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
        if self._knots is None:
            values, counts = np.unique(self._sample[:, 1], return_counts=True)
            if not len(values):
                values, counts = np.zeros(1), np.ones(1)
            below = np.cumsum(counts) / counts.sum()
            scaled = 2 * below - counts / counts.sum() - 1
            # Knots of equal mass: a value that many rows share has one of its own.
            kept = np.unique(np.searchsorted(below, np.linspace(0, below[-1], KNOTS)))
            self._knots = values[kept], scaled[kept]
        return self._knots
