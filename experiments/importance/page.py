"""The page of a run's permutation importances: pictures, tables, and all numbers as CSV."""

import pathlib
from collections.abc import Sequence

from matplotlib.figure import Figure

from dcrnn_tf import metrics
from experiments.importance.measure import Importance
from experiments.reports import plots
from experiments.reports.blocks import Pictures
from experiments.reports.document import Document, Section
from experiments.reports.grid import Grid, Interval, Number, Text
from experiments.runs.trained_runs import TrainedRun

SHOWN_FIELDS = 30  # in a picture


def write(
    out_dir: str | pathlib.Path,
    run: TrainedRun,
    split: str,
    rows: int,
    parts: int,
    found: Sequence[Importance],
) -> str:
    """Writes importance.html, importance.md and importance.csv; returns the tables as Markdown.

    Args:
      out_dir: Folder of the files, which is made if need be.
      run: The run.
      split: Name of the split that was scored.
      rows: Number of its rows.
      parts: Number of parts that they were divided in.
      found: The importances.
    """
    out_dir = pathlib.Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    schema = run.dataset.schema
    sections, pictures = [], []
    for task in schema.task_names:
        of_task = [one for one in found if one.task == task]
        primary = metrics.primary_of({one.metric.name for one in of_task})
        ranked = sorted(
            (one for one in of_task if one.metric.name == primary.name), key=lambda one: -one.loss
        )
        if not ranked:
            continue
        sections.append(Section.of(_grid(f"{task}, {primary.label}", ranked)))
        with plots.styled():
            words = f"What permuting each field costs {primary.label} of {task}, with intervals"
            pictures.append(plots.picture(_figure(task, primary, ranked[:SHOWN_FIELDS]), words))
    lead = Section(
        "In short",
        [
            f"Model {run.config['model']}, step {run.step}, {rows:,} rows of the {split} split of "
            f"{schema.name} in {parts} parts. A field's values are exchanged among the rows of a "
            "part; the loss is how much worse the metric gets, mean over the parts with its 95 % t "
            "interval. Fields that say the same stand in for each other: each may look dispensable."
        ],
    )
    page = Document(
        f"Importance of the fields of {schema.name}",
        lead,
        [Section("Pictures", [Pictures(pictures)]), *sections],
        warning="Simulated data" if schema.simulated else "",
        data=Grid.of("all", [Text("task", lambda one: one.task), *_columns(True)], found),
    )
    page.write(*(out_dir / f"importance.{form}" for form in ("html", "md", "csv")))
    return "\n\n".join(section.markdown() for section in sections) + f"\n\nWritten to {out_dir}."


def _columns(all_metrics: bool) -> list:
    name = [Text("metric", lambda one: one.metric.name)] if all_metrics else []
    return [
        Text("field", lambda one: one.field),
        *name,
        Number("value", lambda one: one.value, form=".5f"),
        Number("loss", lambda one: one.loss, form=".5f"),
        Interval("95 % interval", lambda one: one.interval, form=".5f", key="loss"),
        Number("parts", lambda one: one.parts),
    ]


def _grid(title: str, ranked: Sequence[Importance]) -> Grid:
    return Grid.of(title, _columns(False), ranked)


def _figure(task: str, metric: metrics.Metric, ranked: Sequence[Importance]) -> Figure:
    figure = Figure(figsize=(6.2, 1.2 + 0.26 * len(ranked)), layout="constrained")
    axes = figure.subplots()
    for height, one in enumerate(reversed(ranked)):
        axes.barh(height, one.loss, color=plots.COLOURS[0], height=0.7)
        if one.interval:
            axes.plot(one.interval, [height, height], color=plots.INK, lw=1.4)
    axes.set_yticks(range(len(ranked)), [plots.literal(one.field) for one in reversed(ranked)])
    axes.axvline(0, color=plots.INK, lw=0.8)
    axes.set_title(plots.literal(task))
    axes.set_xlabel(f"loss of {metric.label} when the field is permuted, 95 % interval")
    return figure
