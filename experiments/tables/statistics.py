"""Statistics over seeds: means, intervals and paired differences of a few runs of a model."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
_NO_SPREAD = 1e-12  # values this close are one run repeated, which says nothing about noise

Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Summary:
    """The values of one number over seeds.

    Attributes:
      count: Number of values.
      best: The best value.
      mean: Mean of the values.
      std: Sample standard deviation (n - 1 in the denominator); None for a single value.
      interval: 95 % t interval of the mean; None where `mean_interval` has none.
    """

    count: int
    best: float
    mean: float
    std: float | None
    interval: Interval | None


@dataclasses.dataclass(frozen=True)
class PairedDifference:
    """The difference of a model to its baseline, seed by seed.

    Attributes:
      pairs: Number of seeds that both have.
      mean: Mean difference, positive where the model's values are higher.
      interval: 95 % t interval of the mean difference; None where `mean_interval` has none.
      p_value: Two-sided p-value of the paired t-test; None where `interval` is None.
    """

    pairs: int
    mean: float
    interval: Interval | None
    p_value: float | None


def mean_interval(values: Sequence[float] | np.ndarray) -> Interval | None:
    """The 95 % interval `mean ± t(0.975, n - 1) * std / sqrt(n)`.

    Returns:
      Low and high end. None for fewer than two values, and for values without any spread, such as
      those of a deterministic model, from which no noise can be estimated.
    """
    numbers = np.asarray(values, np.float64)
    if len(numbers) < 2 or np.ptp(numbers) <= _NO_SPREAD:
        return None
    error = float(stats.sem(numbers))
    low, high = stats.t.interval(CONFIDENCE, len(numbers) - 1, loc=numbers.mean(), scale=error)
    return float(low), float(high)


def summarise(values: Sequence[float], best: Callable[[Sequence[float]], float] = max) -> Summary:
    """Summarises at least one value; `best` chooses the best of them."""
    numbers = np.asarray(values, np.float64)
    return Summary(
        count=len(numbers),
        best=float(best(values)),
        mean=float(numbers.mean()),
        std=float(numbers.std(ddof=1)) if len(numbers) > 1 else None,
        interval=mean_interval(numbers),
    )


def paired_difference(
    values: Mapping[int, float], baseline: Mapping[int, float]
) -> PairedDifference | None:
    """Compares two models over the seeds that both have, `{seed: value}` each.

    Returns:
      The mean difference with its interval and the p-value of the paired t-test; None if the two
      have no seed in common.
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
