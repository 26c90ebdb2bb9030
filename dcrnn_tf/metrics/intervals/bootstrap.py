"""Intervals by the bootstrap: metrics of rows, or groups of rows, drawn again and again."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from dcrnn_tf.dataset.schema import BINARY
from dcrnn_tf.metrics.by_group.group_mean import GroupMean
from dcrnn_tf.metrics.by_group.ranking import GroupedRanking
from dcrnn_tf.metrics.intervals import LEVEL
from dcrnn_tf.metrics.registry import compute, registered

RESAMPLES = 200
_BY_GROUP = ("groups", "ranking")


def intervals(
    columns: Mapping[str, Any], kind: str = BINARY, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Returns an interval for each metric: quantiles of its values of rows that were drawn.

    Each resample draws as many groups as there are, with replacement, all rows of a group together;
    a row without a group is one by itself, and so is each row where there are no groups. Rows of
    one user resemble each other, so that intervals of rows drawn alone are too narrow. A mean over
    groups is that of the groups drawn among those of both classes.

    Args:
      columns: Columns as `dcrnn_tf.metrics.compute` takes them, `groups` and `ranking` among them
        where rows have groups.
      kind: Kind of the task.
      resamples: Number of times that rows are drawn.
      seed: Seed of the draws.

    Returns:
      `{metric: (low, high)}` of the registered metrics that are defined in all resamples.

    Example:
      >>> import numpy as np
      >>> from dcrnn_tf.metrics.intervals.bootstrap import intervals
      >>> labels, logits = np.array([0, 1, 0, 1] * 25), np.array([-1.0, 1.0, 0.5, 0.0] * 25)
      >>> low, high = intervals({"labels": labels, "logits": logits})["auc"]
      >>> bool(low < 0.75 < high)
      True
    """
    values: dict[str, list[float | None]] = {}
    for of_resample in _resampled(columns, kind, resamples, np.random.default_rng(seed)):
        for name, value in of_resample.items():
            values.setdefault(name, []).append(value)
    ends = [0.5 - LEVEL / 2, 0.5 + LEVEL / 2]
    found = {
        name: tuple(np.quantile(np.array(drawn, np.float64), ends).tolist())
        for name, drawn in values.items()
        if None not in drawn
    }
    if "ranking" in columns:
        found |= _of_group_means(columns["ranking"], resamples, ends, seed)
    return {metric.name: found[metric.name] for metric in registered() if metric.name in found}


def _resampled(
    columns: Mapping[str, Any], kind: str, resamples: int, random: np.random.Generator
) -> Iterator[dict[str, float | None]]:
    """Yields the metrics over rows of each resample."""
    of_rows = {name: column for name, column in columns.items() if name not in _BY_GROUP}
    rows = len(columns["labels"])
    units = _units(columns.get("groups"), rows)
    count = int(units.max(initial=-1)) + 1
    for _ in range(resamples if rows else 0):
        times = np.bincount(random.integers(count, size=count), minlength=count)
        drawn = np.repeat(np.arange(rows), times[units])
        yield compute({name: column[drawn] for name, column in of_rows.items()}, kind)


def _units(groups: np.ndarray | None, rows: int) -> np.ndarray:
    """Returns the number of what each row is drawn with, from 0 and without gaps."""
    if groups is None:
        return np.arange(rows)
    alone = np.flatnonzero(groups < 0)
    units = groups.astype(np.int64)
    units[alone] = np.max(groups, initial=0) + 1 + np.arange(len(alone))
    return np.unique(units, return_inverse=True)[1]


def _of_group_means(
    ranking: GroupedRanking, resamples: int, ends: list[float], seed: int
) -> dict[str, tuple[float, float]]:
    means = {m.name: m.compute for m in registered() if isinstance(m.compute, GroupMean)}
    groups = len(ranking.rows)
    if not groups:
        return {}
    random = np.random.default_rng(seed)
    weights = {name: mean.weights(ranking) for name, mean in means.items()}
    sums = {n: weights[n] * ranking.per_group(mean.of_groups) for n, mean in means.items()}
    values: dict[str, list[float]] = {name: [] for name in means}
    for _ in range(resamples):
        times = np.bincount(random.integers(groups, size=groups), minlength=groups)
        for name, drawn in values.items():
            drawn.append(float(times @ sums[name]) / float(times @ weights[name]))
    return {name: tuple(np.quantile(drawn, ends).tolist()) for name, drawn in values.items()}
