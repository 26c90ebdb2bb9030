"""Pictures of one panel each, as SVG in a data URI; a page needs no other file."""

import base64
import contextlib
import functools
import io
import logging
import math
import pathlib
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dcrnn_tf.system.whole_file import whole_file
from experiments.reports.blocks import Picture

# Okabe and Ito's colours, which readers with a colour vision deficiency can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES = ("-", "--", "-.", ":")
MANY = len(COLOURS) + 1  # models that are too many to be drawn and named within one panel
MARKERS = "osD^vP*"
INK, PALE = "#333333", "#d8d8d8"
_MOST_NUMBERS = 80  # cells of a heat map that says its values
_LABEL_INCHES = 0.16  # from one label to the next at least
_LETTERS_PER_INCH = 10  # of a title or a label of an axis, before it is broken
_FONT = "DejaVu Sans"  # comes with Matplotlib
# Fonts with the characters of Chinese, Japanese and Korean, as Linux, Windows and macOS have them.
_WIDER_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Micro Hei"),
    *("Microsoft YaHei", "SimHei", "PingFang SC", "Hiragino Sans GB", "Arial Unicode MS"),
)
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "report",  # the same picture has the same bytes
    "font.size": 9,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.formatter.useoffset": False,  # whole numbers at ticks, not differences from one
    "legend.framealpha": 0.8,
    "legend.edgecolor": "none",
    "legend.fontsize": 8,
}


@functools.cache
def families() -> list[str]:
    """Returns the fonts of pictures: Matplotlib's own, then installed ones with more characters."""
    installed = set(font_manager.get_font_names())
    return [_FONT, *(name for name in _WIDER_FONTS if name in installed)]


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Makes the context in which pictures are drawn."""
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    log.setLevel(logging.ERROR)  # less than that, it tells of fonts that have no bold face
    try:
        with matplotlib.rc_context({**_STYLE, "font.family": families()}):
            yield
    finally:
        log.setLevel(level)


Curves = Mapping[str, Sequence[tuple[Sequence[float], Sequence[float]]]]
"""`{label: (x, y) of each seed}`."""


def lines(title: str, curves: Curves, x_label: str, y_label: str) -> Picture:
    """Returns each label's mean curve over seeds, with the band from lowest to highest seed."""

    def draw(axes: Axes) -> None:
        for index, (label, seeds) in enumerate(curves.items()):
            common = sorted(set.intersection(*(set(x) for x, _ in seeds)))
            by_x = [dict(zip(x, y, strict=True)) for x, y in seeds]
            values = np.array([[seed[x] for x in common] for seed in by_x])
            colour, dashes = COLOURS[index % len(COLOURS)], _DASHES[index % len(_DASHES)]
            style: dict[str, Any] = {"color": colour, "ls": dashes}
            style |= {"marker": marker(index), "ms": 4} if len(common) < 12 else {}
            axes.plot(common, values.mean(0), lw=1.6, label=literal(label), **style)
            if len(seeds) > 1 and len(curves) < MANY:
                axes.fill_between(
                    common, values.min(0), values.max(0), color=colour, alpha=0.15, lw=0
                )
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
        low, high = axes.dataLim.intervalx
        if low == high:
            axes.set_xlim(low - 1, high + 1)
        label_axes(axes, x_label, y_label)
        _legend(axes, len(curves))

    height = 2.8 + _legend_height(len(curves))
    return panel(draw, title, f"{title}, over {x_label}s", height=height)


def roc(title: str, curves: Curves) -> Picture:
    """Returns ROC curves: the mean over seeds of the true positive rate at each false one."""
    grid = np.linspace(0.0, 1.0, 201)

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color="#999999", lw=0.8)
        for index, (label, seeds) in enumerate(curves.items()):
            mean = np.mean([np.interp(grid, x, y) for x, y in seeds], axis=0)
            colour, dashes = COLOURS[index % len(COLOURS)], _DASHES[index % len(_DASHES)]
            axes.plot(grid, mean, lw=1.4, color=colour, ls=dashes, label=literal(label))
        axes.set_aspect("equal")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        label_axes(axes, "false positive rate", "true positive rate")
        _legend(axes, len(curves), "lower right")

    height = 3.6 + _legend_height(len(curves))
    return panel(draw, title, f"ROC curves of {title}", 3.5, height)


def score_histogram(label: str, task: str, scores: Mapping[str, Sequence[float]]) -> Picture:
    """Returns the spread of the logits of positives and of negatives, each with area 1."""

    def draw(axes: Axes) -> None:
        edges = np.asarray(scores["edges"], np.float64)
        for name, colour, dashes in (("negatives", "#0072B2", "-"), ("positives", "#D55E00", "--")):
            counts = np.asarray(scores[name], np.float64)
            density = counts / (max(counts.sum(), 1.0) * np.diff(edges))
            words = f"{name} ({int(counts.sum()):,})"
            axes.stairs(density, edges, color=colour, ls=dashes, lw=1.4, label=words)
            axes.stairs(density, edges, color=colour, fill=True, alpha=0.12)
        axes.set_ylim(bottom=0)
        axes.set_yticks([])
        label_axes(axes, f"logit of {literal(task)}", "density")
        axes.legend()
        axes.set_ylim(top=axes.get_ylim()[1] * 1.45)  # so that the legend hides no step

    return panel(draw, label, f"Spread of the scores of {label}, {task}", 2.55, 2.1)


def heat_map(
    title: str,
    values: Sequence[Sequence[float]],
    rows: Sequence[str],
    columns: Sequence[str],
    spread: Sequence[Sequence[float]] | None = None,
) -> Picture:
    """Returns a matrix in colours, with its values in the cells if they can be read.

    Args:
      title: Title above the matrix.
      values: The matrix; a cell that is NaN is empty.
      rows: Names of the rows.
      columns: Names of the columns.
      spread: Standard deviations, which stand beneath the values.
    """
    matrix = np.asarray(values, np.float64)
    numbers = matrix.size <= _MOST_NUMBERS
    # Two digits of the largest value behind the point at least, three where it is above 10.
    magnitude = math.floor(math.log10(np.nanmax(np.abs(matrix)) or 1.0))
    decimals = max(1 - magnitude, 2) if magnitude < 1 else max(2 - magnitude, 0)
    # Without numbers in the cells the colours alone tell values apart, so they take all the range.
    low = float(min(np.nanmin(matrix), 0.0)) if numbers else float(np.nanmin(matrix))
    high = float(np.nanmax(matrix))
    colours = "Blues"
    if low < 0:  # white is zero, and the two signs have a colour each
        high = max(-low, high)
        low, colours = -high, "RdBu_r"
    if high == low:
        high = low + 1.0

    def draw(axes: Axes) -> None:
        image = axes.imshow(
            matrix,
            cmap=colours,
            aspect="auto",
            interpolation="nearest",
            rasterized=True,
            vmin=low,
            vmax=high,
        )
        for axis, names, room in ((axes.xaxis, columns, cell), (axes.yaxis, rows, line)):
            every = max(1, math.ceil(_LABEL_INCHES / room))  # labels that do not overlap
            ticks = range(0, len(names), every)
            axis.set_ticks(ticks, [literal(names[tick]) for tick in ticks])
        axes.tick_params(length=0)
        if turned:
            axes.tick_params(axis="x", labelrotation=90)
        axes.spines[:].set_visible(False)
        if numbers:
            axes.set_xticks(np.arange(0.5, matrix.shape[1] - 1), minor=True)
            axes.set_yticks(np.arange(0.5, matrix.shape[0] - 1), minor=True)
            axes.grid(which="minor", color="white", lw=1.5)
            axes.tick_params(which="minor", length=0)
            for (row, column), value in np.ndenumerate(matrix):
                if np.isnan(value):
                    continue
                words = f"{value:.{decimals}f}"
                if spread is not None:
                    words += f"\n±{spread[row][column]:.{decimals}f}"
                    if value == spread[row][column] == 0:  # a gate that does not exist, say
                        words = "0"
                red, green, blue, _ = image.to_rgba(value)
                dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
                ink = "white" if dark else INK
                axes.text(column, row, words, ha="center", va="center", fontsize=7.5, color=ink)
        axes.figure.colorbar(image, ax=axes, aspect=12, pad=0.02).outline.set_visible(False)

    longest = max(len(name) for name in columns)
    cell = line = 0.2
    if numbers:
        cell = min(max(0.62, 0.078 * longest), 0.95)
        line = 0.42 if spread is not None else 0.32
    cell, line = min(cell, 8.0 / matrix.shape[1]), min(line, 8.0 / matrix.shape[0])
    turned = 0.078 * longest > cell
    beside = 0.075 * max(len(name) for name in rows)
    width = beside + max(cell * matrix.shape[1] + 1.0, 0.085 * len(title) + 0.2)
    height = line * matrix.shape[0] + (0.075 * longest if turned else 0.2) + 0.4
    return panel(draw, title, f"Heat map of {title}", max(width, 2.6), max(height, 1.4))


def label_axes(axes: Axes, x_label: str, y_label: str) -> None:
    """Labels both axes of a panel, and draws a pale grid behind it."""
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(color=PALE, lw=0.6)
    axes.set_axisbelow(True)


def _legend(axes: Axes, curves: int, corner: Literal["best", "lower right"] = "best") -> None:
    """Draws the legend in the panel, or under it where it would hide the curves."""
    if curves >= MANY:
        axes.figure.legend(loc="outside lower left", ncols=2, columnspacing=1.0)
    elif curves > 1:
        axes.legend(loc=corner)


def _legend_height(curves: int) -> float:
    """Returns the height of a legend under the panel, in inches."""
    return 0.2 + 0.17 * -(-curves // 2) if curves >= MANY else 0.0


def panel(
    draw: Callable[[Axes], None],
    title: str,
    description: str,
    width: float = 3.5,
    height: float = 2.8,
) -> Picture:
    """Returns a picture of one panel, whose sizes are in inches."""
    with styled():
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        letters = int(width * _LETTERS_PER_INCH)
        axes.set_title(textwrap.fill(literal(title), letters))
        axes.set_xlabel(textwrap.fill(axes.get_xlabel(), letters))
        return picture(figure, description)


def picture(figure: Figure, description: str) -> Picture:
    """Returns a figure as a picture; both are to be made within `styled`."""
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    encoded = base64.b64encode(file.getvalue()).decode()
    return Picture(description, f"data:image/svg+xml;base64,{encoded}")


def save(figure: Figure, path: pathlib.Path, description: str) -> Picture:
    """Writes a figure as `PATH.png` and `PATH.svg`, and returns its picture."""
    for suffix in ("png", "svg"):
        with whole_file(path.with_name(f"{path.name}.{suffix}"), "wb") as file:
            figure.savefig(file, format=suffix, dpi=150)
    return picture(figure, description)


def marker(index: int) -> str:
    """Returns the marker of a panel's curve."""
    return MARKERS[index % len(MARKERS)]


def literal(label: str) -> str:
    """Returns a label that Matplotlib draws as it is: without formulas, and in every legend."""
    label = label.replace("$", r"\$")
    return f" {label}" if label.startswith("_") else label
