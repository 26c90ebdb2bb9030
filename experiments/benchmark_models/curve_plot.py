"""The picture of learning curves: a test metric by the number of training rows."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from experiments.reports.plots import COLOURS, label_axes, literal, marker


def curves(lines: Sequence[Mapping]) -> Figure:
    """Returns a panel for each task with a curve for each model.

    Args:
      lines: What is drawn: `rows`, `model`, `task`, `value` and the ends `low` and `high`.
    """
    tasks = list(dict.fromkeys(line["task"] for line in lines))
    models = list(dict.fromkeys(line["model"] for line in lines))
    counts = sorted({line["rows"] for line in lines})
    figure = Figure(figsize=(4.2 * len(tasks), 3.4), layout="constrained")
    for axes, task in zip(figure.subplots(1, len(tasks), squeeze=False)[0], tasks, strict=True):
        for number, model in enumerate(models):
            of_model = [x for x in lines if x["task"] == task and x["model"] == model]
            of_model.sort(key=lambda line: line["rows"])
            x, y, low, high = (
                [line[key] for line in of_model] for key in ("rows", "value", "low", "high")
            )
            colour = COLOURS[number % len(COLOURS)]
            axes.plot(x, y, marker=marker(number), ms=4, color=colour, label=literal(model))
            axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
        axes.set_xscale("log")
        axes.set_xticks(counts, [f"{count:,}" for count in counts])
        axes.xaxis.set_minor_formatter(NullFormatter())
        label_axes(axes, "training rows", "test metric, mean and range over seeds")
        axes.set_title(literal(task))
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure
