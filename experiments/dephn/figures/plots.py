"""Draws the figures of the DEPHN paper."""

import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from experiments.reports.plots import COLOURS, INK, MARKERS, PALE
from experiments.tables.statistics import PairedDifference

Gamma = Callable[[np.ndarray, np.ndarray], np.ndarray]
_EXTENT = (0, 1, 0, 1)


def figure_3a(gates: Mapping[str, np.ndarray], fields: Sequence[str]) -> Figure:
    """Heat maps of the trained `G_sg`, one for each structure.

    Args:
      gates: `{structure: (fields, dim)}`.
      fields: names, from the first row on.
    """
    height = 1.0 + 0.16 * len(fields)
    figure = Figure(figsize=(9.5, height), layout="constrained")
    axes = figure.subplots(1, len(gates), sharey=True)
    apart = max(float(np.abs(gate - 0.5).max()) for gate in gates.values()) or 0.5
    for panel, (name, gate) in zip(axes, gates.items(), strict=True):
        image = panel.imshow(gate, cmap="RdBu_r", vmin=0.5 - apart, vmax=0.5 + apart, aspect="auto")
        panel.set_title(name)
        panel.set_xlabel("dimension")
    axes[0].set_yticks(range(len(fields)), fields, fontsize=7)
    figure.colorbar(image, ax=axes, label="gate: 1 attended, 0 raw embedding", aspect=30)
    return figure


def figure_3b(shares: Mapping[str, tuple[float, float]]) -> Figure:
    """Shares of the absolute activation that come from public and from private experts.

    Args:
      shares: `{task: (public, private)}`, each pair summing to 1.
    """
    figure = Figure(figsize=(5.0, 1.3 + 0.35 * len(shares)), layout="constrained")
    axes = figure.subplots()
    public = np.array([pair[0] for pair in shares.values()])
    private = np.array([pair[1] for pair in shares.values()])
    positions = range(len(shares))
    axes.barh(positions, public, color=COLOURS[0], label="public experts")
    axes.barh(positions, private, left=public, color=COLOURS[1], label="private experts")
    for position, share in zip(positions, public, strict=True):
        label = functools.partial(axes.text, ha="center", va="center", color="white")
        label(share / 2, position, f"{share:.0%}")
        label(share + (1 - share) / 2, position, f"{1 - share:.0%}")
    axes.set_yticks(positions, shares)
    axes.set_ylim(len(shares) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the absolute activation before the sigmoid")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def figure_4(functions: Mapping[str, Gamma], points: int = 201) -> Figure:
    """Heat maps of gamma over the tasks' correlation x and the gates' difference y.

    Args:
      functions: `{label: gamma}`, gamma of two arrays; eight of them.
      points: Points of each axis.
    """
    figure = Figure(figsize=(9.5, 5.2), layout="constrained")
    axes = figure.subplots(2, 4, sharex=True, sharey=True)
    x, y = np.meshgrid(np.linspace(0, 1, points), np.linspace(0, 1, points))
    for panel, (label, gamma) in zip(axes.flat, functions.items(), strict=True):
        values = gamma(x, y)
        image = panel.imshow(
            values, cmap="RdYlBu_r", vmin=0, vmax=2, origin="lower", extent=_EXTENT
        )
        panel.contour(x, y, values, levels=[1.0], colors=INK, linewidths=0.7)
        panel.set_title(label)
        panel.set_xticks([0, 0.5, 1])
        panel.set_yticks([0, 0.5, 1])
    for panel in axes[1]:
        panel.set_xlabel("x, correlation of the labels")
    for panel in axes[:, 0]:
        panel.set_ylabel("y, difference of the gates")
    figure.colorbar(image, ax=axes, label="gamma; the line is 1, gradients unchanged", aspect=30)
    return figure


def figure_5(changes: Mapping[str, Mapping[str, Mapping[str, PairedDifference | None]]]) -> Figure:
    """Change of AUC over the baseline for each function of gamma, with 95 % intervals.

    Args:
      changes: `{title of a panel: {task: {function: paired difference}}}`.
    """
    columns = 2
    lines = -(-len(changes) // columns)
    figure = Figure(figsize=(9.5, 0.4 + 2.5 * lines), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False, sharey=True)
    for panel, (title, tasks) in zip(axes.flat, changes.items(), strict=True):
        panel.axhline(0, color=INK, lw=0.8)
        for number, (task, functions) in enumerate(tasks.items()):
            shift = (number - (len(tasks) - 1) / 2) * 0.22
            style = {"color": COLOURS[number], "lw": 1.4}
            panel.plot([], [], MARKERS[number], ms=5, label=task, **style)
            for position, difference in enumerate(functions.values()):
                if difference is None:
                    continue
                if difference.interval:
                    panel.plot([position + shift] * 2, difference.interval, "_-", **style)
                panel.plot(position + shift, difference.mean, MARKERS[number], ms=5, **style)
        panel.set_xticks(range(len(functions)), functions)
        panel.set_xlim(-0.5, len(functions) - 0.5)
        panel.set_title(title)
        _grid(panel)
        panel.legend(loc="best")
    for panel in axes[:, 0]:
        panel.set_ylabel("AUC minus MMoE's")
    return figure


def figure_6(losses: Mapping[str, Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]]]) -> Figure:
    """Training loss of each task under each kind of gate: mean and range over seeds.

    Args:
      losses: `{task: {gate: [(steps, loss) of each seed]}}`.
    """
    figure = Figure(figsize=(9.5, 3.0), layout="constrained")
    axes = figure.subplots(1, len(losses))
    for panel, (task, gates) in zip(np.atleast_1d(axes), losses.items(), strict=True):
        for number, (gate, seeds) in enumerate(gates.items()):
            steps = seeds[0][0]
            values = np.array([loss for _, loss in seeds])
            style = {"color": COLOURS[number], "ls": ("-", "--")[number % 2]}
            style["marker"] = MARKERS[number] if len(steps) < 12 else ""
            panel.plot(steps, values.mean(axis=0), lw=1.5, ms=4, label=gate, **style)
            if len(seeds) > 1:
                panel.fill_between(
                    steps,
                    values.min(axis=0),
                    values.max(axis=0),
                    color=COLOURS[number],
                    alpha=0.15,
                    lw=0,
                )
        panel.set_title(task)
        panel.set_xlabel("step")
        panel.set_ylabel("training loss")
        _grid(panel)
        panel.legend()
    return figure


def figure_7(
    activations: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    tasks: Sequence[str],
    planted: Callable[[np.ndarray], np.ndarray],
) -> Figure:
    """Predicted activations of both tasks over the planted confidence, with the planted relation.

    Left of each pair: activation of the second task against that of the first. Right: both against
    the confidence c that made the labels. Activations are logits as normal quantiles of their
    ranks, so that models whose logits have different scales can be compared with the planted
    values, which are put on the same footing.

    Args:
      activations: `{model: (confidence, logits of task 1, logits of task 2)}`, each `(rows,)`.
      tasks: names.
      planted: the second task's confidence as a function of the first's.
    """
    figure = Figure(figsize=(9.5, 3.6 * len(activations)), layout="constrained")
    axes = figure.subplots(len(activations), 2, squeeze=False)
    for (left, right), (model, (confidence, one, other)) in zip(
        axes, activations.items(), strict=True
    ):
        scale = _normal_scores(confidence)
        first, second = _normal_scores(one), _normal_scores(other)
        true_second = _normal_scores(planted(confidence))
        order = np.argsort(confidence)
        left.plot(first, second, ".", color=COLOURS[2], ms=1.5, alpha=0.35, rasterized=True)
        left.plot(scale[order], true_second[order], ".", color=COLOURS[1], ms=1.2, rasterized=True)
        left.set_xlabel(f"{tasks[0]}, predicted activation")
        left.set_ylabel(f"{tasks[1]}, predicted activation")
        left.set_title(f"{model}: {tasks[1]} against {tasks[0]}")
        for values, colour, task in ((first, COLOURS[0], tasks[0]), (second, COLOURS[2], tasks[1])):
            right.plot(
                confidence,
                values,
                ".",
                color=colour,
                ms=1.5,
                alpha=0.35,
                rasterized=True,
                label=f"{task}, predicted",
            )
        right.plot(confidence[order], scale[order], color=COLOURS[1], lw=1.2, label="planted")
        right.plot(confidence[order], true_second[order], ".", color=COLOURS[1], ms=1.2)
        right.set_xlabel("planted confidence c")
        right.set_ylabel("activation")
        right.set_title(f"{model}: both against c")
        right.legend(loc="upper left", markerscale=5)
        for panel in (left, right):
            _grid(panel)
    return figure


def _normal_scores(values: np.ndarray) -> np.ndarray:
    """Values by their ranks, on the scale of a normal distribution; ties share their mean rank."""
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts + 1) / 2 + 0.5
    return norm.ppf(ranks / len(values))[index]


def _grid(axes: Axes) -> None:
    axes.grid(color=PALE, lw=0.6)
    axes.set_axisbelow(True)
