"""Draws the picture of a leaderboard: test metric against training speed, a panel per task."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.reports.plots import COLOURS, INK, PALE
from experiments.tables.result import RowResult, TableResult
from experiments.tables.statistics import Summary

_LINE_INCHES = 0.17  # from one label to the next


def quality_against_cost(result: TableResult) -> Figure:
    """Mean of the primary metric with its interval over seeds, against training speed.

    Names stand in a column beside each panel, at even distances, each tied to its dot: so they can
    be read however close the dots are. A model far below the others is a triangle at the lower
    edge, and its value stands beside its name.
    """
    tasks = result.table.tasks
    height = max(3.2, 1.0 + _LINE_INCHES * len(result.rows))
    figure = Figure(figsize=(6.2 * len(tasks), height), layout="constrained")
    axes = figure.subplots(1, len(tasks), squeeze=False)[0]
    for panel, task in zip(axes, tasks, strict=True):
        _panel(panel, result, task, lambda row: row.median("result.rows_per_second"))
        panel.set_title(task.replace("$", r"\$"))
        panel.set_xlabel("rows/s of training")
        panel.set_ylabel(f"test {result.primary(task).label}, mean and 95 % interval")
    return figure


def _panel(
    axes: Axes, result: TableResult, task: str, cost: Callable[[RowResult], float | None]
) -> None:
    form = result.primary(task).form
    summaries = [row.tasks[task].primary.summary for row in result.rows]
    bottom = _bottom([summary for summary in summaries if summary])
    pairs = zip(result.rows, summaries, strict=True)
    rows = [(row, s, x) for row, s in pairs if s and (x := cost(row)) is not None]
    rows.sort(key=lambda line: line[1].mean)
    for number, (row, summary, x) in enumerate(rows):
        below = bottom is not None and summary.mean < bottom
        y = summary.mean if bottom is None else max(bottom, summary.mean)
        baseline = row.row.label == result.table.baseline
        colour = COLOURS[1] if baseline else COLOURS[0]
        if summary.interval and not below:
            axes.plot([x, x], summary.interval, "-", color=colour, lw=1.2, alpha=0.6)
        axes.plot([x], [y], "v" if below else "o", color=colour, ms=5, clip_on=False)
        axes.annotate(
            row.row.label.replace("$", r"\$") + (f" ({summary.mean:{form}})" if below else ""),
            (x, y),
            xytext=(1.03, (number + 0.5) / len(rows)),
            textcoords="axes fraction",
            va="center",
            fontsize=8,
            color=colour if baseline else INK,
            arrowprops={"arrowstyle": "-", "color": "#bbbbbb", "lw": 0.5, "shrinkA": 1},
            annotation_clip=False,
        )
    _levels(axes, [row for row in result.rows if cost(row) is None], task, bottom, form)
    speeds = np.array([x for _, _, x in rows])
    if len(speeds) and speeds.max() > 4 * speeds.min():
        axes.set_xscale("log")
    if bottom is not None:
        axes.set_ylim(bottom=bottom)
    axes.grid(color=PALE, lw=0.6)
    axes.set_axisbelow(True)


def _levels(
    axes: Axes, rows: Sequence[RowResult], task: str, bottom: float | None, form: str
) -> None:
    """What has no speed of training, such as a regression, is a dashed line with its name."""
    names: dict[float, list[str]] = {}  # by the height where they stand
    for row in rows:
        if (mean := row.tasks[task].primary.mean) is None:
            continue
        if bottom is not None and mean < bottom:  # on the edge, without a line
            text = f"lower: {row.row.label} ({mean:{form}})"
            names.setdefault(bottom, []).append(text)
        else:
            axes.axhline(mean, color=INK, lw=0.9, ls="--")
            names.setdefault(mean, []).append(row.row.label)
    for height, labels in names.items():
        text = ", ".join(labels)
        axes.annotate(
            text.replace("$", r"\$"),
            (0.01, height),
            xycoords=("axes fraction", "data"),
            fontsize=8,
            va="bottom",
        )


def _bottom(summaries: Sequence[Summary]) -> float | None:
    """The lower edge that leaves out means far below the others; None if there are none."""
    means = np.array([summary.mean for summary in summaries])
    low, high = np.percentile(means, [25, 75])
    near = [summary for summary in summaries if summary.mean >= low - 3 * (high - low)]
    if len(near) == len(summaries):
        return None
    lowest = min((summary.interval or (summary.mean,))[0] for summary in near)
    bottom = lowest - 0.1 * (means.max() - lowest)
    shown = [(one.interval or (one.mean,))[0] for one in summaries if one.mean >= bottom]
    return min(bottom, *shown)
