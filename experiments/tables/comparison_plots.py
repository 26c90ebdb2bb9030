"""Pictures that compare many models: dot plots, quality against cost, critical differences."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from experiments.reports.plots import COLOURS, INK, label_axes, literal
from experiments.tables.comparison import Ranks, pareto_front
from experiments.tables.result import RowResult, TableResult

_LINE_INCHES = 0.2  # from one model to the next
_SHOWN = 3.0  # interquartile ranges below the quartile, beyond which a mean is off the panel


def dots(result: TableResult) -> Figure:
    """Returns a dot plot: a line for each model, a panel for each task, the best mean on top.

    Lines are in the order of the first task, so that a model is on one line in all panels. A model
    far from the others is a triangle at the panel's edge, with its value.
    """
    tasks = result.table.tasks
    rows = _sorted(result, tasks[0])
    height = 1.0 + _LINE_INCHES * len(rows)
    figure = Figure(figsize=(1.9 + 3.1 * len(tasks), height), layout="constrained")
    panels = figure.subplots(1, len(tasks), squeeze=False, sharey=True)[0]
    for axes, task in zip(panels, tasks, strict=True):
        _dots(axes, result, task, rows)
    panels[0].set_yticks(range(len(rows)), [literal(row.row.label) for row in rows])
    panels[0].set_ylim(len(rows) - 0.4, -0.6)
    return figure


def _dots(axes: Axes, result: TableResult, task: str, rows: Sequence[RowResult]) -> None:
    metric = result.primary(task)
    means = [mean for row in rows if (mean := row.tasks[task].primary.mean) is not None]
    low, high = _near(means)
    shown = [row.tasks[task].primary.summary for row in rows]
    near = [one.interval for one in shown if one and one.interval and low <= one.mean <= high]
    low, high = min([low, *(ends[0] for ends in near)]), max([high, *(ends[1] for ends in near)])
    for line, row in enumerate(rows):
        primary = row.tasks[task].primary
        if primary.summary is None:
            continue
        mean, ends = primary.summary.mean, primary.summary.interval
        colour = COLOURS[1] if row.row.label == result.table.baseline else COLOURS[0]
        if not low <= mean <= high:
            edge = low if mean < low else high
            axes.plot([edge], [line], "<" if mean < low else ">", color=colour, ms=5)
            words = f"   {mean:{metric.form}}" if mean < low else f"{mean:{metric.form}}   "
            side = "left" if mean < low else "right"
            axes.text(edge, line, words, ha=side, va="center", fontsize=7.5)
            continue
        if ends:
            axes.plot(ends, [line] * 2, "-", color=colour, lw=1.6, alpha=0.6)
        axes.plot([mean], [line], "o", color=colour, ms=5)
    room = 0.04 * (high - low)
    axes.set_xlim(low - room, high + room)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    label_axes(axes, f"test {metric.label}, mean and 95 % interval", "")
    axes.set_title(literal(task))


def pareto(result: TableResult, cost: str, cost_label: str) -> Figure:
    """Returns quality against cost, a panel for each task.

    Only the models on the Pareto front have names: no other is both better and cheaper.

    Args:
      result: The result.
      cost: Number of a run that is its cost, as `RowResult.median` takes it.
      cost_label: What the cost is, in words.
    """
    tasks = result.table.tasks
    figure = Figure(figsize=(4.4 * len(tasks), 3.4), layout="constrained")
    for axes, task in zip(figure.subplots(1, len(tasks), squeeze=False)[0], tasks, strict=True):
        _pareto(axes, result, task, cost)
        axes.set_xlabel(cost_label)
    return figure


def _pareto(axes: Axes, result: TableResult, task: str, cost: str) -> None:
    metric = result.primary(task)
    found = {row.row.label: (row.median(cost), row.tasks[task].primary.mean) for row in result.rows}
    points = {name: (x, y) for name, (x, y) in found.items() if x is not None and y is not None}
    front = pareto_front({name: (x, metric.penalty(y)) for name, (x, y) in points.items()})
    low, high = _near([y for _, y in points.values()])
    others = [(x, y) for name, (x, y) in points.items() if name not in front and low <= y <= high]
    if others:
        axes.plot(*zip(*others, strict=True), "o", color=COLOURS[0], alpha=0.45, ms=4)
    on_front = [points[name] for name in front]
    if on_front:
        axes.plot(*zip(*on_front, strict=True), "o-", color=COLOURS[1], ms=5, lw=1.0)
    for name in front:
        axes.annotate(
            literal(name),
            points[name],
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    left_out = sum(not low <= y <= high for _, y in points.values())
    costs = [x for x, _ in points.values() if x > 0]
    if costs and max(costs) > 4 * min(costs):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.15, y=0.12)
    label_axes(axes, "", f"test {metric.label}")
    axes.set_title(literal(task) + (f" ({left_out} far off, not shown)" if left_out else ""))


def critical_differences(ranks: Ranks) -> Figure:
    """Returns the critical-difference diagram: mean ranks on a line, bars over what is alike."""
    names, means = list(ranks.means), list(ranks.means.values())
    groups = ranks.alike()
    half = -(-len(names) // 2)
    bars = 0.16 * len(groups)
    height = 1.1 + bars + 0.2 * half
    figure = Figure(figsize=(7.2, height), layout="constrained")
    axes = figure.add_subplot()
    least, most = 1, max(len(names), 2)
    axes.set_xlim(least - 0.35 * (most - 1), most + 0.35 * (most - 1))
    axes.set_ylim(-(height - 0.7), 0.7)
    axes.axis("off")
    axes.plot([least, most], [0, 0], color=INK, lw=1.2)
    every = max(1, round((most - least) / 8))
    for rank in range(least, most + 1, every):
        axes.plot([rank, rank], [0, 0.08], color=INK, lw=1)
        axes.text(rank, 0.12, str(rank), ha="center", va="bottom", fontsize=8)
    if ranks.critical is not None:
        ends = [least, min(least + ranks.critical, most)]
        axes.plot(ends, [0.5, 0.5], "|-", color=COLOURS[1], lw=1.6)
        words = f"critical difference {ranks.critical:.2f}"
        axes.text(ends[1], 0.5, f"  {words}", va="center", fontsize=8, color=COLOURS[1])
    for number, group in enumerate(groups):
        depth = -0.12 - 0.16 * number
        ends = [ranks.means[group[0]] - 0.03, ranks.means[group[-1]] + 0.03]
        axes.plot(ends, [depth, depth], color=COLOURS[0], lw=3, solid_capstyle="round")
    for place, (name, mean) in enumerate(zip(names, means, strict=True)):
        left = place < half
        depth = -bars - 0.2 - 0.2 * (place if left else len(names) - 1 - place)
        x = least - 0.04 * (most - 1) if left else most + 0.04 * (most - 1)
        axes.plot([mean, mean, x], [0, depth, depth], color="#888888", lw=0.7)
        words = f"{literal(name)}  {mean:.2f} " if left else f" {mean:.2f}  {literal(name)}"
        axes.text(x, depth, words, ha="right" if left else "left", va="center", fontsize=8)
    return figure


def _sorted(result: TableResult, task: str) -> list[RowResult]:
    """Returns the rows that have a value, the best mean of a task first."""
    penalty = result.primary(task).penalty
    means = {row.row.label: row.tasks[task].primary.mean for row in result.rows}
    rows = [row for row in result.rows if means[row.row.label] is not None]
    return sorted(rows, key=lambda row: penalty(means[row.row.label] or 0.0))


def _near(means: Sequence[float]) -> tuple[float, float]:
    """Returns the range of the means that are not far from the middle half of them."""
    numbers = np.array(means)
    first, third = np.percentile(numbers, [25, 75])
    reach = _SHOWN * (third - first)
    near = numbers[(numbers >= first - reach) & (numbers <= third + reach)]
    low, high = float(near.min()), float(near.max())
    room = 0.15 * (high - low) or 0.01
    return low - room, high + room
