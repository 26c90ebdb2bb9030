"""Quality against cost: a panel per task."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots import COLOURS, INK, PALE
from experiments.tables import RowResult, TableResult

_LINE_INCHES = 0.17  # from one label to the next


def quality_against_cost(result: TableResult) -> Figure:
    """Mean test AUC with its interval over seeds, against rows a second of training.

    Names stand in a column beside each panel, at even distances, each tied to its dot: so they can
    be read however close the dots are.
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
    for number, row in enumerate(rows):
        auc, x = row.tasks[task].auc, cost(row)
        baseline = row.row.label == result.table.baseline
        colour = COLOURS[1] if baseline else COLOURS[0]
        if auc.interval:
            axes.plot([x, x], auc.interval, "-", color=colour, lw=1.2, alpha=0.6)
        axes.plot([x], [auc.mean], "o", color=colour, ms=5)
        axes.annotate(
            row.row.label.replace("$", r"\$"),
            (x, auc.mean),
            xytext=(1.03, (number + 0.5) / len(rows)),
            textcoords="axes fraction",
            va="center",
            fontsize=8,
            color=colour if baseline else INK,
            arrowprops={"arrowstyle": "-", "color": "#bbbbbb", "lw": 0.5, "shrinkA": 1},
            annotation_clip=False,
        )
    for row in result.rows:  # what has no speed of training, such as a regression, is a level
        auc = row.tasks[task].auc
        if auc is not None and cost(row) is None:
            axes.axhline(auc.mean, color=INK, lw=0.9, ls="--")
            axes.annotate(
                row.row.label.replace("$", r"\$"),
                (0.01, auc.mean),
                xycoords=("axes fraction", "data"),
                fontsize=8,
                va="bottom",
            )
    speeds = np.array([cost(row) for row in rows])
    if len(speeds) and speeds.max() > 4 * speeds.min():
        axes.set_xscale("log")
    axes.grid(color=PALE, lw=0.6)
    axes.set_axisbelow(True)
