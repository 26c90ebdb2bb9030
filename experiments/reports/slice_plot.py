"""The picture of a metric by slices of the rows."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from experiments.reports.blocks import Picture
from experiments.reports.plots import COLOURS, INK, PALE, literal, panel

_LINE = 0.2  # inches from one slice to the next


def slices(
    title: str,
    name: str,
    values: Mapping[str, float | None],
    rows: Mapping[str, int],
    overall: float | None,
    intervals: Mapping[str, Sequence[float] | None] | None = None,
) -> Picture:
    """Returns a point for each slice, beside a bar of its rows.

    Args:
      title: Name of the metric and the task.
      name: Name of the field whose values tell the slices apart.
      values: Value of the metric by slice; None where it is not defined.
      rows: Number of rows by slice.
      overall: Value over all rows, drawn as a line.
      intervals: Ends of the value's interval by slice, drawn through the point.
    """
    places = np.arange(len(values))
    points = np.array([np.nan if v is None else v for v in values.values()], np.float64)

    def draw(axes: Axes) -> None:
        share = np.array(list(rows.values())) / max(rows.values())
        across = axes.get_yaxis_transform()  # the longest bar takes a third of the panel
        axes.barh(places, share / 3, height=0.8, color=PALE, transform=across, zorder=0)
        if overall is not None:
            axes.axvline(overall, color=INK, lw=0.8, ls="--")
        for place, label in enumerate(values):
            if ends := (intervals or {}).get(label):
                axes.hlines(place, ends[0], ends[1], color=COLOURS[0], lw=1.0)
        axes.plot(points, places, "o", ms=4.5, color=COLOURS[0])
        axes.set_yticks(places, [literal(label) for label in values])
        axes.set_ylim(len(places) - 0.5, -0.5)
        axes.margins(x=0.12)
        axes.set_ylabel(literal(name))

    height = 0.75 + _LINE * len(values)
    return panel(draw, title, f"{title} by {name}", 3.5, max(height, 1.3))
