"""The page of a walk through the days: metrics and cost by day and way of keeping up."""

import datetime
import functools
import operator
import pathlib
import statistics
from collections.abc import Iterator, Sequence

from data_prep.simulation.folder import read_simulation
from dcrnn_tf import metrics
from experiments.daily.settings import FULL, WARM, WINDOW, Settings
from experiments.reports import plots
from experiments.reports.blocks import Picture, Pictures
from experiments.reports.document import Document, Section
from experiments.reports.grid import Column, Grid, Interval, Number, Text
from experiments.tables.statistics import paired_difference

WORDS = {FULL: "full retraining", WARM: "warm start", WINDOW: "warm start, window"}
_COST = {
    "learned_rows": ("rows learned", ","),
    "preparation_seconds": ("preparation, s", ".1f"),
    "training_seconds": ("training, s", ".1f"),
    "processor_seconds": ("processor, s", ".1f"),
}


def write(settings: Settings, records: Sequence[dict]) -> list[pathlib.Path]:
    """Writes the page of all records as HTML, Markdown and CSV; returns the paths."""
    folder = pathlib.Path(settings.out_dir)
    paths = [folder / f"daily.{suffix}" for suffix in ("html", "md", "csv")]
    simulation = read_simulation(pathlib.Path(settings.raw_dir)) or {}
    document(settings, records, simulation.get("bayes_auc_by_day", {})).write(*paths)
    return paths


def document(settings: Settings, records: Sequence[dict], optima: dict) -> Document:
    """Returns the page.

    Args:
      settings: The log, and the ways to keep up.
      records: Records of the steps, as `walk.record_of` returns them.
      optima: AUC of the true probabilities of simulated rows, by day and task.
    """
    measured = list(_measured(records))
    pictures = [
        _picture(task, metric, records, optima if metric.name == metrics.PRIMARY else {})
        for task, metric in measured
    ]
    simulated = records[0]["simulated"]
    return Document(
        f"{settings.model} from {settings.first_day} to {settings.last_day}",
        Section.of(_means(records, measured)),
        [
            *([Section.of(_differences(records, measured))] if len(settings.policies) > 1 else []),
            Section("By day", [Pictures(pictures, "Each day is evaluated before it is learned.")]),
            Section.of(_by_day(records, measured)),
        ],
        warning="Simulated data" if simulated else "",
        data=_by_day(records, list(_measured(records, every=True))),
    )


def _measured(records: Sequence[dict], every: bool = False) -> Iterator[tuple[str, metrics.Metric]]:
    """Yields tasks and metrics that have values: those that are shown, or every one."""
    shown = {*metrics.PRIMARIES.values(), "gauc", "calibration"}
    for task in records[0]["metrics"]:
        for metric in metrics.registered():
            if (every or metric.name in shown) and any(
                _value(r, task, metric) is not None for r in records
            ):
                yield task, metric


def _value(record: dict, task: str, metric: metrics.Metric) -> float | None:
    return record["metrics"].get(task, {}).get(metric.name)


def _picture(task: str, metric: metrics.Metric, records: Sequence[dict], optima: dict) -> Picture:
    days = sorted({record["day"] for record in records})
    curves: dict[str, list[tuple[list[float], list[float]]]] = {}
    for policy in dict.fromkeys(record["policy"] for record in records):
        points = [
            (days.index(record["day"]) + 1, value)
            for record in records
            if record["policy"] == policy and (value := _value(record, task, metric)) is not None
        ]
        if points:
            curves[WORDS[policy]] = [_curve(points)]
    known = [(n, auc) for n, d in enumerate(days, 1) if (auc := optima.get(d, {}).get(task))]
    if known:
        curves["true probabilities"] = [_curve(known)]
    return plots.lines(f"{task}: {metric.label}", curves, "day", metric.label)


def _curve(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _by_day(records: Sequence[dict], measured: Sequence[tuple[str, metrics.Metric]]) -> Grid:
    columns: list[Column] = [
        Text("day", "day"),
        Text("kept up to date by", lambda record: WORDS[record["policy"]], key="policy"),
    ]
    for task, metric in measured:
        columns.append(
            Number(
                f"{task}: {metric.label}",
                functools.partial(_value, task=task, metric=metric),
                form=metric.form,
                key=f"{task}_{metric.name}",
            )
        )
    for name, (label, form) in _COST.items():
        columns.append(Number(label, name, form=form, key=name))
    return Grid.of("Each day", columns, records)


def _differences(records: Sequence[dict], measured: Sequence[tuple[str, metrics.Metric]]) -> Grid:
    """Returns the mean differences from the first way, paired by the days after the first."""
    later = _after_the_first_day(records)
    baseline, *others = dict.fromkeys(record["policy"] for record in later)
    lines = []
    for policy in others:
        for task, metric in measured:
            ours, theirs = (
                {
                    datetime.date.fromisoformat(record["day"]).toordinal(): value
                    for record in later
                    if record["policy"] == one
                    and (value := _value(record, task, metric)) is not None
                }
                for one in (policy, baseline)
            )
            if (found := paired_difference(ours, theirs)) is not None:
                names = (WORDS[policy], f"{task}: {metric.label}")
                lines.append((*names, found.mean, found.interval, found.pairs))
    columns = (
        Text("kept up to date by"),
        Text("metric"),
        Number("difference", form="+.4f"),
        Interval("95 % interval", form="+.4f"),
        Number("days"),
    )
    return Grid(f"Differences from {WORDS[baseline]}, t intervals over days", columns, lines)


def _after_the_first_day(records: Sequence[dict]) -> Sequence[dict]:
    """Returns the records of the days on which the ways have different models, if there are any."""
    first = min(record["day"] for record in records)
    return [record for record in records if record["day"] != first] or records


def _means(records: Sequence[dict], measured: Sequence[tuple[str, metrics.Metric]]) -> Grid:
    """Returns the means over days, the first left out, where all ways have the same model."""
    later = _after_the_first_day(records)
    policies = list(dict.fromkeys(record["policy"] for record in later))

    def mean(policy, get):
        values = [v for r in later if r["policy"] == policy and (v := get(r)) is not None]
        return statistics.fmean(values) if values else None

    columns: list[Column] = [Text("kept up to date by", lambda policy: WORDS[policy])]
    for task, metric in measured:
        columns.append(
            Number(
                f"{task}: {metric.label}",
                functools.partial(mean, get=functools.partial(_value, task=task, metric=metric)),
                form=metric.form,
            )
        )
    for name, (label, form) in _COST.items():
        columns.append(
            Number(
                label,
                functools.partial(mean, get=operator.itemgetter(name)),
                form=".0f" if form == "," else form,
            )
        )
    return Grid.of("Means over the days after the first", columns, policies)
