"""The picture of predicted probabilities beside observed shares."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import binomtest

from experiments.reports.blocks import Picture
from experiments.reports.plots import COLOURS, label_axes, literal, panel

_WIDE = 20.0  # quotient of the largest and the least probability from which axes are logarithmic


def reliability(label: str, task: str, bins: Mapping[str, Sequence[float]]) -> Picture:
    """Returns the observed share of positives of each bin over the predicted one.

    Axes are logarithmic where the probabilities differ by much, as those of rare events do. A bin
    without a positive then has its interval alone.

    Args:
      label: Title of the picture.
      task: Name of the task.
      bins: `rows`, `positives` and mean `predicted` probability of each bin.
    """
    rows, positives = (np.asarray(bins[name], np.int64) for name in ("rows", "positives"))
    predicted, observed = np.asarray(bins["predicted"], np.float64), positives / rows
    ends = np.array([_interval(*counts) for counts in zip(positives, rows, strict=True)])
    above_0 = np.concatenate([predicted[predicted > 0], observed[observed > 0]])
    logarithmic = len(above_0) > 0 and above_0.max() > _WIDE * above_0.min()
    low = 0.7 * above_0.min() if logarithmic else 0.0
    high = min(1.0, 1.1 * max(predicted.max(), ends.max()))

    def draw(axes: Axes) -> None:
        axes.plot([low, high], [low, high], color="#999999", lw=0.8)
        x, drawn = np.maximum(predicted, low), np.where(observed >= low, observed, np.nan)
        axes.vlines(x, *np.maximum(ends, low).T, color=COLOURS[0], lw=0.9)
        axes.plot(x, drawn, color=COLOURS[0], marker="o", ms=3.5, lw=1.0)
        if logarithmic:
            axes.set_xscale("log")
            axes.set_yscale("log")
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        label_axes(axes, f"predicted share of {literal(task)}", "observed share")

    return panel(draw, label, f"Reliability of {label}, {task}", 2.9, 2.7)


def _interval(positives: int, rows: int) -> tuple[float, float]:
    found = binomtest(int(positives), int(rows)).proportion_ci(method="wilson")
    return found.low, found.high
