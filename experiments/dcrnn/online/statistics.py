"""Statistics over users: rates, and relative improvements of one policy over another.

A user's exposures are not independent of each other, so the user is the unit: every figure is a
ratio of two sums over users, and its interval that of the delta method. With `x_i` the numerator of
user i, `y_i` the denominator and `X`, `Y` their means over n users, the logarithm of the ratio is
off by the mean of `z_i = x_i / X - y_i / Y`, to first order. For one policy against another on the
same users it is the mean of the difference of their `z_i`, which keeps the pairing.
"""

import dataclasses

import numpy as np
from scipy import stats

from experiments.dcrnn.online.experiment import Outcomes
from experiments.tables.statistics import CONFIDENCE, Interval


@dataclasses.dataclass(frozen=True)
class Metric:
    """A rate: which sums of `Outcomes` it is the ratio of."""

    name: str
    label: str
    numerator: str
    denominator: str

    def of(self, outcomes: Outcomes) -> tuple[np.ndarray, np.ndarray]:
        """Numerators and denominators by user, `(users,)` each."""
        return getattr(outcomes, self.numerator), getattr(outcomes, self.denominator)


METRICS = (
    Metric("ctr", "click-through rate", "clicks", "exposures"),
    Metric("play_rate", "valid play rate", "plays", "exposures"),
    Metric("plays_per_click", "valid plays per click", "plays", "clicks"),
)
EXPECTED = {
    metric.name: dataclasses.replace(
        metric,
        numerator=f"expected_{metric.numerator}",
        denominator=metric.denominator.replace("clicks", "expected_clicks"),
    )
    for metric in METRICS
}
"""The same of the true probabilities of what was shown."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval over users; None for fewer than two of them."""

    value: float
    interval: Interval | None


def rate(metric: Metric, outcomes: Outcomes) -> Estimate | None:
    """A policy's rate; None where its denominator or its numerator is 0 throughout."""
    numerator, denominator = metric.of(outcomes)
    if not numerator.any() or not denominator.any():
        return None
    value = float(numerator.mean() / denominator.mean())
    return _estimate(value, value * _deviations(numerator, denominator))


def improvement(metric: Metric, treatment: Outcomes, baseline: Outcomes) -> Estimate | None:
    """The treatment's rate over the baseline's, minus 1, both of the same users.

    None where a rate is: see `rate`.
    """
    above, below = rate(metric, treatment), rate(metric, baseline)
    if above is None or below is None:
        return None
    ratio = above.value / below.value
    apart = _deviations(*metric.of(treatment)) - _deviations(*metric.of(baseline))
    return _estimate(ratio - 1, ratio * apart)


def _deviations(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """The `z_i`: each user's relative part in the error of the ratio."""
    return numerator / numerator.mean() - denominator / denominator.mean()


def _estimate(value: float, deviations: np.ndarray) -> Estimate:
    """A figure whose error is the mean of deviations with mean 0."""
    users = len(deviations)
    if users < 2:
        return Estimate(value, None)
    error = float(deviations.std(ddof=1) / np.sqrt(users))
    half = error * float(stats.t.ppf((1 + CONFIDENCE) / 2, users - 1))
    return Estimate(value, (value - half, value + half))
