"""Draws the pictures of a paper table, each one panel."""

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from dcrnn_tf import metrics
from dcrnn_tf.metrics import Metric
from experiments.reports.blocks import Picture
from experiments.reports.plots import COLOURS, INK, PALE, label_axes, literal, marker, panel
from experiments.tables.result import TableResult
from experiments.tables.spec import COLUMNS

_PUBLISHED_MEANS = [  # columns of paper tables
    name
    for name, column in COLUMNS.items()
    if (column.metric, column.statistic) == (metrics.PRIMARY, "mean")
]


def by_seed(result: TableResult, task: str) -> Picture:
    """Returns the primary metric: a dot per seed, the mean with its interval, and the optimum."""
    metric = result.primary(task)

    def draw(axes: Axes) -> None:
        # The published figures are of other data than simulated ones: they would mislead here.
        published = not result.data["simulated"]
        for line, row in enumerate(result.ranking):
            primary, colour = row.tasks[task].primary, COLOURS[line % len(COLOURS)]
            values = list(primary.by_seed.values())
            heights = [line + 0.14] * len(values)
            axes.plot(values, heights, "o", color=colour, alpha=0.5, ms=5, mew=0)
            words = f"{row.row.label}: no finished run"
            if primary.summary:
                mean, ends = primary.summary.mean, primary.summary.interval
                words = f"{row.row.label}: mean {mean:{metric.form}}"
                axes.plot([mean], [line - 0.1], marker(line), color=colour, ms=6)
                if ends:
                    words += f", {ends[0]:.4f} to {ends[1]:.4f}"
                    axes.plot(ends, [line - 0.1] * 2, "|-", color=colour, lw=1.6, ms=9)
            axes.annotate(
                literal(words), (0.01, line - 0.29), xycoords=("axes fraction", "data"), fontsize=8
            )
            of_task = (row.row.paper or {}).get(task, {})
            paper = next((of_task[name] for name in _PUBLISHED_MEANS if name in of_task), None)
            if published and paper is not None:
                axes.plot([paper], [line - 0.1], "x", color=INK, ms=6)
        known = [row.tasks[task].bayes_auc for row in result.ranking if row.tasks[task].bayes_auc]
        optimum = known[0] if known else None
        if optimum is not None:
            axes.axvline(optimum, color=INK, lw=1, ls="--")
            axes.annotate(
                f"Bayes-optimal {optimum:.4f} ",
                (optimum, 1.0),
                xycoords=("data", "axes fraction"),
                ha="right",
                va="top",
                fontsize=8,
            )
        axes.set_yticks([])
        axes.set_ylim(len(result.ranking) - 0.6, -1.0)
        axes.margins(x=0.08)
        axes.grid(axis="x", color=PALE, lw=0.6)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"test {metric.label}" + (" (x: published mean)" if published else ""))

    height = 1.1 + 0.6 * len(result.ranking)
    return panel(draw, task, f"Test {metric.label} of {task} by model and seed", 4.6, height)


def differences(result: TableResult, task: str, metric: Metric) -> Picture:
    """Returns each model minus its baseline with its 95 % interval, hollow where it holds 0."""
    name, baseline = metric.label, result.table.compared_with
    rows = [row for row in result.ranking if result.table.baseline_of(row.row) is not None]

    def draw(axes: Axes) -> None:
        axes.axvline(0, color=INK, lw=1)
        for line, row in enumerate(rows):
            difference = row.tasks[task].metrics[metric.name].difference
            if difference is None:
                continue
            low, high = difference.interval or (difference.mean, difference.mean)
            axes.plot([low, high], [line] * 2, "-", color=COLOURS[0], lw=1.6)
            shown = difference.interval is not None and not low <= 0 <= high
            fill = COLOURS[0] if shown else "white"
            axes.plot([difference.mean], [line], "o", color=COLOURS[0], mfc=fill, ms=5)
        labels = [literal(result.table.compared(row.row)) for row in rows]
        axes.set_yticks(range(len(rows)), labels)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.spines["left"].set_visible(False)
        label_axes(axes, f"test {name} minus that of {literal(baseline)}", "")

    description = f"Test {name} of {task}, difference to {baseline} by model"
    return panel(draw, f"{task}, {name}", description, 4.9, 0.9 + 0.23 * len(rows))
