"""The grids of a paper table's page, and its records; columns that they share are defined once."""

import dataclasses
import functools
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dcrnn_tf import metrics
from dcrnn_tf.metrics import Metric
from experiments.reports.grid import Column, Grid, Interval, Number, Text
from experiments.reports.words import NOT_AVAILABLE, p_value, plain
from experiments.tables import spec
from experiments.tables.result import RowResult, TableResult, TaskResult


@dataclasses.dataclass(frozen=True)
class Entry:
    """A row of a table, and one of its tasks by name."""

    row: RowResult
    name: str

    @property
    def task(self) -> TaskResult:
        """The row's metrics for the task."""
        return self.row.tasks[self.name]


def value_of(metric: Metric, part: str, name: str) -> Callable[[Any], Any]:
    """Returns a function that gives a value of a metric, or None, of anything with a `task`.

    Args:
      metric: The metric.
      part: `summary` or `difference`, of its `MetricResult`.
      name: Name of the value in that part.
    """

    def value(entry: Any) -> Any:
        found = getattr(entry.task.metrics[metric.name], part)
        return found and getattr(found, name)

    return value


def summary_columns(metric: Metric) -> list[Column]:
    """Returns the columns of a metric's mean over seeds, of its interval, and of its spread."""
    form, key = metric.difference_form, metric.name
    return [
        Number("mean", value_of(metric, "summary", "mean"), form, key=f"{key}_mean"),
        Interval("95 % interval", value_of(metric, "summary", "interval"), form, key=key),
        Number("std", value_of(metric, "summary", "std"), form, key=f"{key}_std"),
    ]


def difference_columns(metric: Metric, baseline: str) -> list[Column]:
    """Returns the columns of a metric's difference to the baseline, its interval and its test."""
    form = f"+{metric.difference_form}"
    prefix = "" if metric.name == metrics.PRIMARY else f"{metric.name}_"
    mean, ends, p = (value_of(metric, "difference", n) for n in ("mean", "interval", "p_value"))
    return [
        Number(f"minus {baseline}", mean, form, key=f"{prefix}difference"),
        Interval("95 % interval of it", ends, form, key=f"{prefix}difference"),
        Number("p", p, p_value, key=f"{prefix}p_value"),
    ]


def mean_columns(result: TableResult, task: str | None = None) -> list[Column]:
    """Returns the columns of the means of all metrics and references but the primary one.

    Args:
      result: Result of the table.
      task: The task whose metrics are meant; None stands for those of all tasks.
    """
    primary, shown = metrics.get(metrics.PRIMARY), result.metrics
    if task is not None:
        names = {name for row in result.rows for name in row.tasks[task].present}
        primary = result.primary(task)
        shown = tuple(metric for metric in shown if metric.name in names)
    return [
        Number(metric.label, value_of(metric, "summary", "mean"), metric.form, key=metric.name)
        for metric in shown
        if metric != primary
    ]


def parameters(label: str, part: str) -> Column:
    """Returns the column of a `RowResult`'s number of parameters: `total`, `embedding`, `other`."""
    return Number(label, lambda row: row.parameters(part), ",", key=f"parameters_{part}")


def median(label: str, name: str) -> Column:
    """Returns the column of a `RowResult`'s median over runs of a number in `result.json`."""
    return Number(label, lambda row: row.median(f"result.{name}"), ",.0f", key=name)


_COST = (
    parameters("parameters", "total"),
    parameters("embeddings", "embedding"),
    parameters("other", "other"),
    median("rows/s", "rows_per_second"),
    median("wall time (s)", "wall_seconds"),
)


def _quality(result: TableResult) -> list[Column]:
    return [
        Number("Bayes-optimal AUC", lambda e: e.task.bayes_auc, ".4f", key="bayes_auc"),
        Number("gap to it", lambda entry: entry.task.gap, ".4f", key="gap_to_bayes"),
        Number("attained", lambda entry: entry.task.attained, ".0%"),
        *mean_columns(result),
    ]


def grids(result: TableResult) -> list[Grid]:
    """Returns all tables of a page; the first has the paper's form."""
    entries, task = _entries(result), Text("task", lambda entry: entry.name)
    model = Text("model", lambda entry: entry.row.row.label)
    return [
        _main_grid(result),
        *(_test_grid(result, metric) for metric in result.table.metrics),
        Grid.of(
            "Distance to the optimum, and quality of the probabilities",
            [model, task, *_quality(result)],
            entries,
        ),
        Grid.of("Size and speed", [Text("model", lambda row: row.row.label), *_COST], result.rows),
        Grid(
            "Settings beside the paper's",
            [Text(label) for label in ("setting", "paper", "here", "differs")],
            list(_setting_lines(result)),
        ),
    ]


def _entries(result: TableResult) -> list[Entry]:
    return [Entry(row, task) for row in result.rows for task in result.table.tasks]


def _main_grid(result: TableResult) -> Grid:
    """Returns our values and, where the paper has printed some, the paper's."""
    table = result.table
    ours: list[Column] = [Text("model", lambda row: row.row.label)]
    papers: list[Column] = []
    for task in table.tasks:
        for name in table.columns:
            printed = spec.column(name)
            value = value_of(metrics.get(printed.metric), "summary", printed.statistic)
            label, of_task = f"{task} {printed.label}", functools.partial(Entry, name=task)
            ours.append(Number(label, value, printed.form).through(of_task))
            paper = Number(f"paper: {label}", _published(name), printed.form)
            papers.append(paper.through(of_task))
    title = f"{' and '.join(metric.label for metric in table.metrics)} on the test split"
    return Grid.of(title, ours + papers if table.published else ours, result.rows)


def _published(column: str) -> Callable[[Entry], float | None]:
    """Returns a function that gives what the paper printed of an entry."""
    return lambda entry: (entry.row.row.paper or {}).get(entry.name, {}).get(column)


def _test_grid(result: TableResult, metric: Metric) -> Grid:
    table = result.table
    columns = [
        Text("model", lambda entry: table.compared(entry.row.row)),
        Text("task", lambda entry: entry.name),
        _seeds_column(metric),
        *summary_columns(metric),
        *difference_columns(metric, table.compared_with),
    ]
    name = "" if metric.name == metrics.PRIMARY else f" of {metric.label}"
    return Grid.of(f"Intervals and tests{name}", columns, _entries(result))


def _seeds_column(metric: Metric) -> Column:
    count = value_of(metric, "summary", "count")
    return Number("seeds", lambda entry: count(entry) or 0)


def records(result: TableResult) -> Grid:
    """Returns all values, a line per row and task; a value that does not exist is None."""
    table = result.table
    primary, *others = table.metrics
    best, pairs = value_of(primary, "summary", "best"), value_of(primary, "difference", "pairs")
    mean, ends, std = summary_columns(primary)
    columns = [
        Column("table", lambda _: table.name),
        Column("row", lambda entry: entry.row.row.label),
        Column("model", lambda entry: entry.row.row.model),
        Column("task", lambda entry: entry.name),
        Column("simulated", lambda _: result.data["simulated"]),
        _seeds_column(primary),
        *(Column(f"{primary.name}_best", best), mean, std, ends),
        *(Column(f"paper_{name}", _published(name)) for name in table.columns),
        Column("baseline", lambda entry: table.baseline_of(entry.row.row)),
        *difference_columns(primary, table.compared_with),
        Column("pairs", lambda entry: pairs(entry) or 0),
        *(column for metric in others for column in _further_records(metric)),
        *_quality(result),
        *(column.through(operator.attrgetter("row")) for column in _COST),
        Column("seeds_lacking", lambda entry: len(entry.row.missing) + len(entry.row.unfinished)),
        Column("fingerprint", lambda _: result.data["fingerprint"]),
    ]
    return Grid.of(table.title, columns, _entries(result))


def _further_records(metric: Metric) -> list[Column]:
    """Returns what records hold of a metric that is compared by beside the primary one."""
    _, ends, std = summary_columns(metric)
    return [std, ends, *difference_columns(metric, "")]


def _setting_lines(result: TableResult) -> Iterator[tuple[str, ...]]:
    for setting in result.table.settings:
        paper = plain(setting.paper)
        ours = _by_value(result.values(setting.key))
        differs = setting.paper is not None and ours not in (paper, NOT_AVAILABLE)
        yield setting.label, paper, ours, "differs" if differs else ""
    yield "seeds", plain(None), ", ".join(str(seed) for seed in result.seeds), ""


def _by_value(values: Mapping[str, object]) -> str:
    """Returns the value that all rows have, or each value with the rows that have it."""
    groups: dict[str, list[str]] = {}
    for label, value in values.items():
        groups.setdefault(plain(value), []).append(label)
    if len(groups) < 2:
        return next(iter(groups), NOT_AVAILABLE)
    return "; ".join(f"{value} ({', '.join(labels)})" for value, labels in groups.items())
