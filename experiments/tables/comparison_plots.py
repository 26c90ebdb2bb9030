"""Pictures that compare many models: dot plots, quality against cost, critical differences."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from dcrnn_tf.metrics import Metric
from experiments.reports.plots import COLOURS, INK, label_axes, literal
from experiments.tables.comparison import Ranks, pareto_front
from experiments.tables.result import TableResult

_LINE_INCHES = 0.2  # from one model to the next
_NAME_POINTS = 10.0  # from one name to the next
_LETTERS = 62.0  # of a name, as wide as a panel of quality and cost
_SHOWN = 3.0  # interquartile ranges below the quartile, beyond which a mean is off the panel


class Dot(NamedTuple):
    """A model in a panel.

    Attributes:
      label: Name of the model.
      mean: Its metric.
      interval: Ends of the metric's interval; None where there is none.
      cost: What it costs; None where that is not known.
    """

    label: str
    mean: float
    interval: tuple[float, float] | None = None
    cost: float | None = None


class Panel(NamedTuple):
    """The models on one task.

    Attributes:
      task: Name of the task.
      metric: Metric of the dots.
      dots: The models.
    """

    task: str
    metric: Metric
    dots: Sequence[Dot]


def panels(result: TableResult, cost: str | None = None) -> list[Panel]:
    """Returns a panel for each task of a table.

    Args:
      result: The result.
      cost: Number of a run that is its cost, as `RowResult.median` takes it.
    """
    found = []
    for task in result.table.tasks:
        dots = [
            Dot(
                row.row.label,
                summary.mean,
                summary.interval,
                row.median(cost) if cost else None,
            )
            for row in result.rows
            if (summary := row.tasks[task].primary.summary) is not None
        ]
        found.append(Panel(task, result.primary(task), dots))
    return found


def dots(shown: Sequence[Panel], baseline: str | None = None) -> Figure:
    """Returns a dot plot: a line for each model, a panel for each task, the best mean on top.

    Lines are in the order of the first task, so that a model is on one line in all panels. A model
    far from the others is a triangle at the panel's edge, with its value.

    Args:
      shown: The panels.
      baseline: Name of the model that has another colour.
    """
    first = shown[0]
    in_order = sorted(first.dots, key=lambda dot: first.metric.penalty(dot.mean))
    names = [dot.label for dot in in_order]
    height = 1.0 + _LINE_INCHES * len(names)
    figure = Figure(figsize=(1.9 + 3.1 * len(shown), height), layout="constrained")
    axes = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
    for one, panel in zip(axes, shown, strict=True):
        _dots(one, panel, names, baseline)
    axes[0].set_yticks(range(len(names)), [literal(name) for name in names])
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    return figure


def _dots(axes: Axes, panel: Panel, names: Sequence[str], baseline: str | None) -> None:
    low, high = _near([dot.mean for dot in panel.dots])
    near = [dot.interval for dot in panel.dots if dot.interval and low <= dot.mean <= high]
    low, high = min([low, *(ends[0] for ends in near)]), max([high, *(ends[1] for ends in near)])
    for label, mean, ends, _ in panel.dots:
        if label not in names:  # without a value on the first task
            continue
        line, colour = names.index(label), COLOURS[1] if label == baseline else COLOURS[0]
        if not low <= mean <= high:
            edge = low if mean < low else high
            axes.plot([edge], [line], "<" if mean < low else ">", color=colour, ms=5)
            form = panel.metric.form
            words = f"   {mean:{form}}" if mean < low else f"{mean:{form}}   "
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
    label_axes(axes, f"test {panel.metric.label}, mean and 95 % interval", "")
    axes.set_title(literal(panel.task))


def pareto(shown: Sequence[Panel], cost_label: str) -> Figure:
    """Returns quality against cost, a panel for each task.

    Only the models on the Pareto front have names: no other is both better and cheaper.

    Args:
      shown: The panels, whose dots have costs.
      cost_label: What the cost is, in words.
    """
    figure = Figure(figsize=(4.4 * len(shown), 3.4), layout="constrained")
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    fronts = [_pareto(axes, panel) for axes, panel in zip(panels, shown, strict=True)]
    for axes, front in zip(panels, fronts, strict=True):
        axes.set_xlabel(cost_label)
        _make_room(axes, front)
    figure.draw_without_rendering()  # from here on it is known where points are
    for axes, front in zip(panels, fronts, strict=True):
        _name(axes, front)
    return figure


def _pareto(axes: Axes, panel: Panel) -> dict[str, tuple[float, float]]:
    """Draws the points of a panel, and returns those of the front."""
    metric = panel.metric
    points = {dot.label: (dot.cost, dot.mean) for dot in panel.dots if dot.cost is not None}
    front = pareto_front({name: (x, metric.penalty(y)) for name, (x, y) in points.items()})
    low, high = _near([y for _, y in points.values()])
    others = [(x, y) for name, (x, y) in points.items() if name not in front and low <= y <= high]
    if others:
        axes.plot(*zip(*others, strict=True), "o", color=COLOURS[0], alpha=0.45, ms=4)
    on_front = [points[name] for name in front]
    if on_front:
        axes.plot(*zip(*on_front, strict=True), "o-", color=COLOURS[1], ms=5, lw=1.0)
    left_out = len(points) - len(front) - len(others)
    costs = [x for x, _ in points.values() if x > 0]
    if costs and max(costs) > 4 * min(costs):
        axes.set_xscale("log")
        several = (1, 2, 5) if max(costs) < 30 * min(costs) else (1,)
        axes.xaxis.set_major_locator(LogLocator(subs=several))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.15, y=0.12)
    label_axes(axes, "", f"test {metric.label}")
    axes.set_title(literal(panel.task) + (f" ({left_out} far off, not shown)" if left_out else ""))
    return {name: points[name] for name in front}


def _make_room(axes: Axes, front: Mapping[str, tuple[float, float]]) -> None:
    """Makes room on the left for the names of a front."""
    low, high = axes.get_xlim()
    width = min(max(map(len, front), default=0) / _LETTERS, 0.7)  # of the panel
    room = width / (1 - width)
    ticks = axes.get_xticks()
    if axes.get_xscale() == "log":
        axes.set_xlim(low * (low / high) ** room, high)
        axes.set_xticks([tick for tick in ticks if low <= tick <= high])  # none below the names
        return
    axes.set_xlim(low - room * (high - low), high)
    axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= high])


def _name(axes: Axes, front: Mapping[str, tuple[float, float]]) -> None:
    """Names the points of a front on the left of them and above, where no point is."""
    above = np.inf  # height of the name before, in points
    for name, point in sorted(front.items(), key=lambda one: -one[1][1]):
        height = axes.transData.transform(point)[1] * 72 / axes.figure.dpi
        above = min(height + 3, above - _NAME_POINTS)
        axes.annotate(
            literal(name),
            point,
            xytext=(-6, above - height),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=8,
        )


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


def _near(means: Sequence[float]) -> tuple[float, float]:
    """Returns the range of the means that are not far from the middle half of them."""
    numbers = np.array(means)
    first, third = np.percentile(numbers, [25, 75])
    reach = _SHOWN * (third - first)
    near = numbers[(numbers >= first - reach) & (numbers <= third + reach)]
    low, high = float(near.min()), float(near.max())
    room = 0.15 * (high - low) or 0.01
    return low - room, high + room
