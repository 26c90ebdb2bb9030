"""Statistics over seeds: what a handful of runs of one model says, and what it does not."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
_NO_SPREAD = 1e-12  # values this close are the same run repeated: they tell nothing of noise

Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Summary:
    """One figure over seeds.

    Attributes:
      count: number of values.
      best: the largest, or the smallest of a figure that is to be small.
      mean: their mean.
      std: sample standard deviation (n - 1 in the denominator); None for a single value.
      interval: 95 % t interval of the mean; None where `mean_interval` has none.
    """

    count: int
    best: float
    mean: float
    std: float | None
    interval: Interval | None


@dataclasses.dataclass(frozen=True)
class PairedDifference:
    """A model minus the baseline, seed by seed.

    Attributes:
      pairs: number of seeds that both have.
      mean: mean difference, positive where the model is above the baseline.
      interval: its 95 % t interval; None where `mean_interval` has none.
      p_value: two-sided, of the paired t-test; None where `interval` is None.
    """

    pairs: int
    mean: float
    interval: Interval | None
    p_value: float | None


def mean_interval(values: Sequence[float]) -> Interval | None:
    """The 95 % interval `mean ± t(0.975, n - 1) * std / sqrt(n)`.

    Returns:
      Low and high end. None for fewer than two values, and for values without any spread: such
      values (a deterministic model) hold no estimate of the noise.
    """
    values = np.asarray(values, np.float64)
    if len(values) < 2 or np.ptp(values) <= _NO_SPREAD:
        return None
    error = float(stats.sem(values))
    low, high = stats.t.interval(CONFIDENCE, len(values) - 1, loc=values.mean(), scale=error)
    return float(low), float(high)


def summarise(values: Sequence[float], best: Callable = max) -> Summary:
    """Best (`max` or `min`), mean, standard deviation and interval of at least one value."""
    values = np.asarray(values, np.float64)
    return Summary(
        count=len(values),
        best=float(best(values)),
        mean=float(values.mean()),
        std=float(values.std(ddof=1)) if len(values) > 1 else None,
        interval=mean_interval(values),
    )


def paired_difference(
    values: Mapping[int, float], baseline: Mapping[int, float]
) -> PairedDifference | None:
    """Compares two models over the seeds that both have, `{seed: figure}` each.

    Returns:
      The mean difference with its interval and the p-value of the paired t-test; None if no seed
      is common.
    """
    seeds = sorted(set(values) & set(baseline))
    if not seeds:
        return None
    ours = np.array([values[seed] for seed in seeds], np.float64)
    theirs = np.array([baseline[seed] for seed in seeds], np.float64)
    interval = mean_interval(ours - theirs)
    return PairedDifference(
        pairs=len(seeds),
        mean=float(np.mean(ours - theirs)),
        interval=interval,
        p_value=None if interval is None else float(stats.ttest_rel(ours, theirs).pvalue),
    )
