"""The metrics of a run's splits, `{split: {task: {metric: value}}}`, as lines of a grid."""

from collections.abc import Mapping

from dcrnn_tf import metrics
from experiments.reports.grid import Column, Grid, Number, Text

Splits = Mapping[str, Mapping[str, Mapping[str, object]]]

SPLIT_AND_TASK = (Text("split", "split"), Text("task", "task"))
ROWS, POSITIVES = (Number(name, name, ",") for name in ("rows", "positives"))
_GROUPS = (
    Text("groups by", "grouped_by"),
    *(Number(name.replace("_", " "), name, ",") for name in metrics.GROUP_COUNTS),
)


def lines(splits: Splits) -> list[dict[str, object]]:
    """Returns a mapping for each split and task, of these and of the metrics."""
    return [
        {"split": split, "task": task, **values}
        for split, tasks in splits.items()
        for task, values in tasks.items()
    ]


def column(metric: metrics.Metric) -> Number:
    """Returns the column of a metric."""
    return Number(metric.label, metric.name, metric.form)


def metric_columns(splits: Splits) -> list[Column]:
    """Returns the columns of the metrics and references over rows that some split and task has."""
    return [column(metric) for metric in _present(splits) if not metric.by_group]


def grids_by_group(splits: Splits) -> list[Grid]:
    """Returns a grid of the metrics by group, and of what was left out of them; none without any.

    Args:
      splits: The metrics of a run's splits.
    """
    columns = [column(metric) for metric in _present(splits) if metric.by_group]
    if not columns:
        return []
    every = [*SPLIT_AND_TASK, *columns, *_GROUPS]
    by_group = [line for line in lines(splits) if any(each.of in line for each in columns)]
    return [Grid.of("Metrics by group", every, by_group)]


def _present(splits: Splits) -> tuple[metrics.Metric, ...]:
    return metrics.present(values for tasks in splits.values() for values in tasks.values())
