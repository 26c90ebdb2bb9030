"""Draws the figures of the study of DCRNN's claims."""

from collections.abc import Mapping, Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.reports.plots import COLOURS, INK, MARKERS, PALE
from experiments.tables.statistics import PairedDifference, Summary


def differences(
    by_task: Mapping[str, Mapping[str, PairedDifference | None]], x_label: str
) -> Figure:
    """A panel per task: mean differences with their intervals, hollow where 0 is inside.

    Args:
      by_task: `{task: {comparison: difference}}`, the same comparisons for all tasks.
      x_label: Label of the x axis.
    """
    names = list(next(iter(by_task.values())))
    figure = Figure(figsize=(9.5, 1.3 + 0.3 * len(names)), layout="constrained")
    axes = figure.subplots(1, len(by_task), sharey=True, squeeze=False)[0]
    for panel, (task, values) in zip(axes, by_task.items(), strict=True):
        panel.axvline(0, color=INK, lw=1)
        for line, difference in enumerate(values.values()):
            if difference is None:
                continue
            low, high = difference.interval or (difference.mean,) * 2
            significant = difference.interval is not None and not low <= 0 <= high
            panel.plot([low, high], [line] * 2, "-", color=COLOURS[0], lw=1.6)
            panel.plot(
                [difference.mean],
                [line],
                "o",
                color=COLOURS[0],
                mfc=None if significant else "white",
            )
        panel.set_title(task)
        panel.set_xlabel(x_label)
        panel.locator_params(axis="x", nbins=5)
        _grid(panel, "x")
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    return figure


def size(curves: Mapping[str, Mapping[str, Sequence[tuple[int, Summary]]]]) -> Figure:
    """A panel per task: mean AUC with its interval over the number of parameters.

    Args:
      curves: `{task: {model: [(parameters, AUC)]}}`.
    """
    figure = Figure(figsize=(9.5, 3.4), layout="constrained")
    axes = figure.subplots(1, len(curves), squeeze=False)[0]
    for panel, (task, families) in zip(axes, curves.items(), strict=True):
        for index, (family, points) in enumerate(families.items()):
            points = sorted(points, key=lambda point: point[0])
            colour = COLOURS[index]
            sizes = [parameters for parameters, _ in points]
            means = [auc.mean for _, auc in points]
            panel.plot(sizes, means, f"-{MARKERS[index]}", color=colour, lw=1, ms=5, label=family)
            for parameters, auc in points:
                if auc.interval:
                    panel.plot([parameters] * 2, auc.interval, "-", color=colour, lw=1.4, alpha=0.6)
        panel.set_xscale("log")
        panel.set_title(task)
        panel.set_xlabel("parameters outside the embedding table")
        _grid(panel, "both")
    axes[0].set_ylabel("test AUC")
    axes[0].legend()
    return figure


def _grid(axes: Axes, which: Literal["both", "x", "y"]) -> None:
    axes.grid(axis=which, color=PALE, lw=0.6)
    axes.set_axisbelow(True)
