"""Draws the picture of DCRNN's Table 3."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from experiments.dcrnn.online.statistics import Estimate
from experiments.reports.plots import COLOURS, INK, PALE


def improvements(
    arm: str,
    baseline: str,
    estimates: Mapping[str, tuple[Estimate | None, Estimate | None]],
    by_seed: Mapping[str, Sequence[float]],
    paper: Mapping[str, float | None],
) -> Figure:
    """Relative improvements with 95 % intervals, beside the paper's.

    Args:
      arm: the model.
      baseline: Policy that it is compared with.
      estimates: `{metric: (of outcomes, of true probabilities)}`.
      by_seed: `{metric: of each training}`, of outcomes.
      paper: `{metric: published}`.
    """
    figure = Figure(figsize=(7.5, 1.3 + 0.75 * len(estimates)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color=INK, lw=1)
    series = (
        ("clicks and plays, 95 % interval over users", "o", COLOURS[0], -0.2),
        ("true probabilities, 95 % interval over users", "s", COLOURS[2], 0.0),
    )
    for line, metric in enumerate(estimates):
        for (_, marker, colour, shift), estimate in zip(series, estimates[metric], strict=True):
            if estimate is None:
                continue
            if estimate.interval:
                ends = [100 * end for end in estimate.interval]
                axes.plot(ends, [line + shift] * 2, "|-", color=colour, lw=1.6, ms=8)
            axes.plot([100 * estimate.value], [line + shift], marker, color=colour, ms=6)
        values = [100 * value for value in by_seed[metric]]
        axes.plot(values, [line + 0.2] * len(values), ".", color=COLOURS[0], alpha=0.5, ms=7)
        if (published := paper[metric]) is not None:
            axes.plot([100 * published], [line], "X", color=COLOURS[1], ms=7)
    for label, marker, colour, _ in series:
        axes.plot([], [], f"{marker}-", color=colour, label=label)
    axes.plot([], [], ".", color=COLOURS[0], alpha=0.5, label="each training, clicks and plays")
    if any(published is not None for published in paper.values()):
        axes.plot([], [], "X", color=COLOURS[1], label="paper, real users")
    axes.set_yticks(range(len(estimates)), estimates)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(estimates) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=PALE, lw=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(f"{arm} over {baseline}, relative improvement in % (simulated users)")
    figure.legend(loc="outside lower left", ncols=2, columnspacing=1.0)
    return figure
