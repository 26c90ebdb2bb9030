"""Quality against cost: a panel per task."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.reports.plots import COLOURS, INK, PALE
from experiments.tables.result import RowResult, TableResult
from experiments.tables.statistics import Summary

_LINE_INCHES = 0.17  # from one label to the next


def quality_against_cost(result: TableResult) -> Figure:
    """Mean test AUC with its interval over seeds, against rows a second of training.

    Names stand in a column beside each panel, at even distances, each tied to its dot: so they can
    be read however close the dots are. A model far below the others is a triangle at the lower
    edge, and its AUC stands beside its name.
    """
    tasks = result.table.tasks
    height = max(3.2, 1.0 + _LINE_INCHES * len(result.rows))
    figure = Figure(figsize=(6.2 * len(tasks), height), layout="constrained")
    axes = figure.subplots(1, len(tasks), squeeze=False)[0]
    for place, task in zip(axes, tasks, strict=True):
        _panel(place, result, task, lambda row: row.median("result.rows_per_second"))
        place.set_title(task.replace("$", r"\$"))
        place.set_xlabel("rows/s of training")
        place.set_ylabel("test AUC, mean and 95 % interval")
    return figure


def _panel(
    axes: Axes, result: TableResult, task: str, cost: Callable[[RowResult], float | None]
) -> None:
    rows = [row for row in result.rows if row.tasks[task].auc is not None and cost(row) is not None]
    rows.sort(key=lambda row: row.tasks[task].auc.mean)
    bottom = _bottom([row.tasks[task].auc for row in result.rows if row.tasks[task].auc])
    for number, row in enumerate(rows):
        auc, x = row.tasks[task].auc, cost(row)
        below = bottom is not None and auc.mean < bottom
        y = bottom if below else auc.mean
        baseline = row.row.label == result.table.baseline
        colour = COLOURS[1] if baseline else COLOURS[0]
        if auc.interval and not below:
            axes.plot([x, x], auc.interval, "-", color=colour, lw=1.2, alpha=0.6)
        axes.plot([x], [y], "v" if below else "o", color=colour, ms=5, clip_on=False)
        axes.annotate(
            row.row.label.replace("$", r"\$") + (f" ({auc.mean:.4f})" if below else ""),
            (x, y),
            xytext=(1.03, (number + 0.5) / len(rows)),
            textcoords="axes fraction",
            va="center",
            fontsize=8,
            color=colour if baseline else INK,
            arrowprops={"arrowstyle": "-", "color": "#bbbbbb", "lw": 0.5, "shrinkA": 1},
            annotation_clip=False,
        )
    _levels(axes, [row for row in result.rows if cost(row) is None], task, bottom)
    speeds = np.array([cost(row) for row in rows])
    if len(speeds) and speeds.max() > 4 * speeds.min():
        axes.set_xscale("log")
    if bottom is not None:
        axes.set_ylim(bottom=bottom)
    axes.grid(color=PALE, lw=0.6)
    axes.set_axisbelow(True)


def _levels(axes: Axes, rows: Sequence[RowResult], task: str, bottom: float | None) -> None:
    """What has no speed of training, such as a regression, is a dashed line with its name."""
    names: dict[float, list[str]] = {}  # by the height where they stand
    for row in rows:
        if (auc := row.tasks[task].auc) is None:
            continue
        if bottom is not None and auc.mean < bottom:  # on the edge, without a line
            text = f"lower: {row.row.label} ({auc.mean:.4f})"
            names.setdefault(bottom, []).append(text)
        else:
            axes.axhline(auc.mean, color=INK, lw=0.9, ls="--")
            names.setdefault(auc.mean, []).append(row.row.label)
    for auc, labels in names.items():
        text = ", ".join(labels)
        axes.annotate(
            text.replace("$", r"\$"),
            (0.01, auc),
            xycoords=("axes fraction", "data"),
            fontsize=8,
            va="bottom",
        )


def _bottom(aucs: Sequence[Summary]) -> float | None:
    """The lower edge that leaves out means far below the others; None if there are none."""
    means = np.array([auc.mean for auc in aucs])
    low, high = np.percentile(means, [25, 75])
    near = [auc for auc in aucs if auc.mean >= low - 3 * (high - low)]
    if len(near) == len(aucs):
        return None
    lowest = min((auc.interval or (auc.mean,))[0] for auc in near)
    bottom = lowest - 0.1 * (means.max() - lowest)
    shown = [(auc.interval or (auc.mean,))[0] for auc in aucs if auc.mean >= bottom]
    return min(bottom, *shown)
