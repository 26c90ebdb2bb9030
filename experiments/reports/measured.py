"""Sections of a run's report on what `experiments.evaluate` has measured: intervals and slices."""

from collections.abc import Mapping

from dcrnn_tf import metrics
from experiments.reports import evaluations, slice_plot
from experiments.reports.blocks import Block, Picture, Pictures
from experiments.reports.document import Section
from experiments.reports.grid import Column, Grid, Interval, Text

Outputs = Mapping[str, Mapping]
"""Metrics, or the ends of their intervals, by task or derived output."""


def sections(found: Mapping) -> list[Section]:
    """Returns a section of intervals, and one for each field by which the run was sliced.

    Args:
      found: Content of a run's `evaluation.json`.
    """
    intervals = found.get("intervals") or {}
    where = f"{found.get('split')} split, step {found.get('step')}"
    blocks: list[Block | str] = [f"{intervals.get('how')}."]
    blocks.append(_intervals_grid(intervals.get("metrics") or {}))
    return [
        *([Section(f"Intervals, {where}", blocks)] if intervals else []),
        *(
            Section(
                f"Metrics by {name}, {where}",
                _blocks(name, found["metrics"], slices, intervals),
            )
            for name, slices in (found.get("slices") or {}).items()
        ),
    ]


def _intervals_grid(intervals: Outputs) -> Grid:
    present = metrics.present(intervals.values())
    columns: list[Column] = [
        Interval(metric.label, _ends(metric.name), metric.form, key=metric.name)
        for metric in present
    ]
    lines = [{"task": task, **values} for task, values in intervals.items()]
    return Grid.of("Intervals", [Text("task", "task"), *columns], lines)


def _ends(name: str):
    return lambda line: tuple(line[name]) if name in line else None


def _blocks(
    name: str, whole: Outputs, slices: Mapping[str, Outputs], intervals: Mapping
) -> list[Block | str]:
    of_slices = (intervals.get("slices") or {}).get(name) or {}
    pictures = [
        picture
        for task, values in whole.items()
        for metric in (metrics.primary_of(values), metrics.get("calibration"))
        if (picture := _picture(name, task, metric, whole, slices, of_slices)) is not None
    ]
    caption = "Points are slices, pale bars their rows, the dashed line is the value of all rows."
    caption += f" Lines through points are {intervals['how']}." if intervals else ""
    by_task = {task: {label: of[task] for label, of in slices.items()} for task in whole}
    columns: list[Column] = [Text("task", "split"), Text(name, "task")]
    columns += [evaluations.column(metric) for metric in metrics.present(whole.values())]
    columns += [evaluations.POSITIVES, evaluations.ROWS]
    grid = Grid.of(f"Metrics by {name}", columns, evaluations.lines(by_task))
    return [Pictures(pictures, caption), grid]


def _picture(
    name: str,
    task: str,
    metric: metrics.Metric,
    whole: Outputs,
    slices: Mapping[str, Outputs],
    intervals: Mapping[str, Outputs],
) -> Picture | None:
    """Returns a plot of a metric of a task; None where no slice has a value."""
    values = {label: of[task].get(metric.name) for label, of in slices.items()}
    if all(value is None for value in values.values()):
        return None
    return slice_plot.slices(
        f"{metric.label}, {task}",
        name,
        values,
        {label: of[task]["rows"] for label, of in slices.items()},
        whole[task].get(metric.name),
        {label: (of.get(task) or {}).get(metric.name) for label, of in intervals.items()},
    )
