"""Sections of pictures of runs: training curves, ROC curves, scores, and models' explanations.

They are drawn from `metrics.jsonl`, `curves.json` and `explanation.json` of run folders.
"""

import functools
from collections.abc import Callable, Mapping, Sequence

from dcrnn_tf import metrics
from dcrnn_tf.training import metrics_log
from experiments.reports import plots, reliability_plot
from experiments.reports.blocks import Picture, Pictures
from experiments.reports.document import Section
from experiments.runs import run_folder
from experiments.runs.run import Run

RELIABILITY_CAPTION = (
    "Observed over predicted shares of positives, in bins of equally many rows, with their 95 % "
    "intervals (Wilson's). On the line, what is predicted is what happens."
)


def read_metrics(run: Run) -> list[dict]:
    """Returns the lines of a run's `metrics.jsonl`, as `metrics_log.read` does."""
    return metrics_log.read(run.folder / metrics_log.METRICS_FILE)


def sections(runs: Mapping[str, Sequence[Run]], statistics: bool = False) -> list[Section]:
    """Returns sections of pictures; those without data are left out.

    Args:
      runs: Runs by their label, those of one label with different seeds.
      statistics: Whether to draw what the models say of their training steps too.
    """
    logs = {label: [read_metrics(run) for run in row_runs] for label, row_runs in runs.items()}
    curves = {
        label: [
            found
            for run in row_runs
            if (found := run_folder.read_if_there(run.folder, run_folder.CURVES_FILE)) is not None
        ]
        for label, row_runs in runs.items()
    }
    first = next(run for row_runs in runs.values() for run in row_runs)
    tasks = list(dict.fromkeys([*first.record["positive_weights"], *_evaluated(logs, curves)]))
    several = any(len(row_runs) > 1 for row_runs in runs.values())
    many = len(runs) >= plots.MANY
    seeds = f", mean {'' if many else 'and range '}over seeds" if several else ""
    one = {} if many else curves  # the runs' own reports show what is drawn of one seed
    found = {
        "Training" + seeds: _training(logs, tasks, statistics),
        "ROC curves" + (", mean over seeds" if several else ""): _rocs(curves, tasks),
        "Scores" + (", of the lowest seed" if several else ""): _scores(one, tasks),
        "Reliability" + (", of the lowest seed" if several else ""): _reliability(one, tasks),
    }
    captions = {"Reliability": RELIABILITY_CAPTION}
    return [
        Section(heading, [Pictures(pictures, captions.get(heading.partition(",")[0], ""))])
        for heading, pictures in found.items()
        if pictures
    ]


def explanations(run: Run) -> list[Section]:
    """Returns a section of heat maps of what the model says of itself, or nothing."""
    found = run_folder.read_if_there(run.folder, run_folder.EXPLANATION_FILE)
    if not found:
        return []
    split = list((run.result or {}).get("metrics") or ["evaluation"])[-1]
    caption = "The same for every example."
    if any(one.get("std") is not None for one in found.values()):
        caption = f"Means over a sample of the {split} split, ± the standard deviation."
    pictures = [
        plots.heat_map(name, one["mean"], one["rows"], one["columns"], one.get("std"))
        for name, one in found.items()
    ]
    return [Section("Inside the model", [Pictures(pictures, caption)])]


Logs = Mapping[str, Sequence[list[dict]]]
"""Lines of `metrics.jsonl`, `{label: lines of each seed}`."""


def _training(logs: Logs, tasks: Sequence[str], statistics: bool) -> list[Picture]:
    pictures = []
    if losses := _lines(logs, _loss):
        pictures.append(plots.lines("training loss, sum over tasks", losses, "step", "loss"))
    for task in tasks:
        if points := _lines(logs, functools.partial(_validation, task)):
            primary = _primary(logs, task).label
            pictures.append(plots.lines(f"validation {primary}, {task}", points, "epoch", primary))
    for name in _statistic_names(logs) if statistics else ():
        values = _lines(logs, functools.partial(_statistic, name))
        pictures.append(plots.lines(name, values, "step", "mean"))
    return pictures


def _rocs(curves: Mapping[str, Sequence[Mapping]], tasks: Sequence[str]) -> list[Picture]:
    pictures = []
    for task in tasks:
        rocs = {
            label: [tuple(seed[task]["roc"].values()) for seed in seeds if task in seed]
            for label, seeds in curves.items()
        }
        if rocs := {label: seeds for label, seeds in rocs.items() if seeds}:
            pictures.append(plots.roc(task, rocs))
    return pictures


def _scores(curves: Mapping[str, Sequence[Mapping]], tasks: Sequence[str]) -> list[Picture]:
    return [
        plots.score_histogram(label, task, seeds[0][task]["scores"])
        for task in tasks
        for label, seeds in curves.items()
        if seeds and task in seeds[0]
    ]


def _reliability(curves: Mapping[str, Sequence[Mapping]], tasks: Sequence[str]) -> list[Picture]:
    return [
        reliability_plot.reliability(label, task, found)
        for task in tasks
        for label, seeds in curves.items()
        if seeds and (found := (seeds[0].get(task) or {}).get("reliability"))
    ]


def _lines(logs: Logs, point: Callable) -> plots.Curves:
    """Returns `{label: (x, y) of each seed}`, where `point` gives an entry's `(x, y)` or None."""
    curves: dict[str, list] = {}
    for label, seeds in logs.items():
        for entries in seeds:
            points = [xy for entry in entries if (xy := point(entry)) is not None]
            if points:
                curves.setdefault(label, []).append(tuple(zip(*points, strict=True)))
    return curves


def _loss(entry: dict) -> tuple[int, float] | None:
    return (entry["step"], entry["loss"]) if entry["kind"] == "train" else None


def _statistic(name: str, entry: dict) -> tuple[int, float] | None:
    value = (entry.get("statistics") or {}).get(name) if entry["kind"] == "train" else None
    return None if value is None else (entry["step"], value)


def _validation(task: str, entry: dict) -> tuple[int, float] | None:
    """Returns the epoch of an evaluation, and the primary metric of a task in it."""
    if entry["kind"] != "evaluation" or entry["split"] != "validation":
        return None
    values = entry["metrics"].get(task, {})
    value = values.get(metrics.primary_of(values).name)
    return None if value is None else (entry["epoch"], value)


def _primary(logs: Logs, task: str) -> metrics.Metric:
    """Returns the primary metric of a task that was evaluated."""
    entries = [entry for seeds in logs.values() for lines in seeds for entry in lines]
    found = [entry["metrics"].get(task, {}) for entry in entries if entry["kind"] == "evaluation"]
    return metrics.primary_of(set().union(*found))


def _statistic_names(logs: Logs) -> list[str]:
    entries = [entry for seeds in logs.values() for lines in seeds for entry in lines]
    return list(dict.fromkeys(n for entry in entries for n in entry.get("statistics") or {}))


def _evaluated(logs: Logs, curves: Mapping[str, Sequence[Mapping]]) -> list[str]:
    """Returns the tasks and derived outputs that were evaluated."""
    entries = [entry for seeds in logs.values() for lines in seeds for entry in lines]
    found = [entry["metrics"] for entry in entries if entry["kind"] == "evaluation"]
    found += [seed for seeds in curves.values() for seed in seeds]
    return [task for tasks in found for task in tasks]
