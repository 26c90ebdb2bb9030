"""Statistics of many comparisons: Holm's correction, mean ranks, and the Pareto front."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

ERROR = 0.05
"""Probability of any false difference among all comparisons."""


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns p-values corrected for their number by Holm's step-down procedure.

    The k-th smallest of m is multiplied by `m - k + 1`, and none is below a smaller one.

    Args:
      p_values: The p-values, in any order, which the result keeps.
    """
    order = np.argsort(p_values, kind="stable")
    count, highest = len(order), 0.0
    corrected = [0.0] * count
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (count - place) * p_values[index]))
        corrected[index] = highest
    return corrected


@dataclasses.dataclass(frozen=True)
class Ranks:
    """Mean ranks of models over datasets.

    Attributes:
      means: Mean ranks, `{model: rank}`, the best first; 1 is the best, ties share their mean.
      datasets: Number of datasets.
      p_value: P-value of Friedman's test that all models rank alike; None for fewer than three
        models or two datasets.
      critical: Critical difference of Nemenyi's test at `ERROR`; None where `p_value` is.
    """

    means: Mapping[str, float]
    datasets: int
    p_value: float | None
    critical: float | None

    def alike(self) -> list[tuple[str, ...]]:
        """Returns the largest groups of models whose mean ranks differ by less than `critical`."""
        if self.critical is None:
            return []
        names = list(self.means)
        groups: list[tuple[str, ...]] = []
        for first, name in enumerate(names):
            near = [n for n in names[first:] if self.means[n] - self.means[name] < self.critical]
            if len(near) > 1 and not (groups and near[-1] == groups[-1][-1]):
                groups.append(tuple(near))
        return groups


def mean_ranks(penalties: Mapping[str, Sequence[float]]) -> Ranks:
    """Ranks models on each dataset, and averages the ranks.

    Args:
      penalties: What is low for a good model, `{model: a number for each dataset}`.
    """
    names, table = list(penalties), np.array(list(penalties.values()), np.float64)
    means = stats.rankdata(table, axis=0).mean(axis=1)
    models, datasets = table.shape
    p_value = critical = None
    if models > 2 and datasets > 1:
        p_value = float(stats.friedmanchisquare(*table).pvalue)
        critical = critical_difference(models, datasets)
    order = np.argsort(means, kind="stable")
    return Ranks({names[i]: float(means[i]) for i in order}, datasets, p_value, critical)


def critical_difference(models: int, datasets: int) -> float:
    """Returns Nemenyi's critical difference, `q * sqrt(k * (k + 1) / (6 * n))` (Demsar, JMLR 2006).

    `q` is the quantile of the studentized range of k models divided by the root of 2.
    """
    quantile = float(stats.studentized_range.ppf(1 - ERROR, models, math.inf)) / math.sqrt(2)
    return quantile * math.sqrt(models * (models + 1) / (6 * datasets))


def pareto_front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Returns the names that no other beats, the cheapest first.

    One beats another that neither costs less nor is better, and is not equal to it in both.

    Args:
      points: Cost and penalty, both to be low, by name.
    """
    front = [
        name
        for name, (cost, penalty) in points.items()
        if not any(
            other_cost <= cost
            and other_penalty <= penalty
            and (other_cost, other_penalty) != (cost, penalty)
            for other_cost, other_penalty in points.values()
        )
    ]
    return sorted(front, key=lambda name: points[name])
