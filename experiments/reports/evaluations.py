"""The metrics of a run's splits, `{split: {task: {metric: value}}}`, as lines of a grid."""

from collections.abc import Mapping

from dcrnn_tf import metrics
from experiments.reports.grid import Column, Number, Text

Splits = Mapping[str, Mapping[str, Mapping[str, object]]]

SPLIT_AND_TASK = (Text("split", "split"), Text("task", "task"))
ROWS, POSITIVES = (Number(name, name, ",") for name in ("rows", "positives"))


def lines(splits: Splits) -> list[dict[str, object]]:
    """Returns a mapping for each split and task, of these and of the metrics."""
    return [
        {"split": split, "task": task, **values}
        for split, tasks in splits.items()
        for task, values in tasks.items()
    ]


def metric_columns(splits: Splits) -> list[Column]:
    """Returns the columns of all metrics and references that some split and task has."""
    found = metrics.present(values for tasks in splits.values() for values in tasks.values())
    return [Number(metric.label, metric.name, metric.form) for metric in found]
