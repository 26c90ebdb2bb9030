"""The content of the benchmark's page: sentences, grids and notes, from run folders alone."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from experiments.benchmark_models.row_intervals import Intervals
from experiments.reports.grid import Grid, Interval, Number, Text
from experiments.reports.words import interval, p_value
from experiments.tables.comparison import ERROR, Ranks, holm, mean_ranks
from experiments.tables.result import RowResult, TableResult
from experiments.tables.statistics import PairedDifference
from experiments.tune.study import ROW_VISITS
from experiments.tune.trials import SECONDS


@dataclasses.dataclass(frozen=True)
class DatasetResult:
    """What the benchmark says on one dataset.

    Attributes:
      name: Name of the dataset.
      result: Results of the runs of the best settings.
      trials: Trials of the tunings by the models' labels.
      left_out: Sentences on models that the dataset does not suit.
      by_rows: Intervals of differences to the baseline over test rows.
    """

    name: str
    result: TableResult
    trials: Mapping[str, Sequence[FrozenTrial]]
    left_out: Sequence[str] = ()
    by_rows: Intervals = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Compared:
    """A model beside the baseline on one task.

    Attributes:
      row: The model.
      task: Name of the task.
      difference: Its metric minus the baseline's, seed by seed; None for the baseline.
      corrected: P-value of the difference, corrected for all comparisons on the dataset.
      by_rows: Interval of the difference over test rows.
    """

    row: RowResult
    task: str
    difference: PairedDifference | None
    corrected: float | None
    by_rows: tuple[float, float] | None = None


def compared(one: DatasetResult) -> list[Compared]:
    """Returns all models on all tasks, with p-values corrected by Holm over the whole dataset."""
    result = one.result
    pairs = [(row, task) for task in result.table.tasks for row in result.rows]
    differences = [row.tasks[task].primary.difference for row, task in pairs]
    tested = {
        number: difference.p_value
        for number, difference in enumerate(differences)
        if difference is not None and difference.p_value is not None
    }
    corrected = dict(zip(tested, holm([*tested.values()]), strict=True))
    return [
        Compared(
            row,
            task,
            differences[number],
            corrected.get(number),
            one.by_rows.get((row.row.label, task)),
        )
        for number, (row, task) in enumerate(pairs)
    ]


def sentences(one: DatasetResult) -> list[str]:
    """Returns a sentence for each task: the highest mean, and who differs from the baseline."""
    result, found = one.result, compared(one)
    lines = []
    for task in result.table.tasks:
        metric = result.primary(task)
        of_task = [c for c in found if c.task == task and c.row.tasks[task].primary.summary]
        best = min(of_task, key=lambda c: metric.penalty(c.row.tasks[task].primary.mean or 0.0))
        summary = best.row.tasks[task].primary.summary
        if summary is None:
            continue
        words = f"{one.name}, {task}: the best mean {metric.label} is that of "
        words += f"{best.row.row.label}, {summary.mean:{metric.form}}"
        words += f" (95 % interval {interval(summary.interval)})" if summary.interval else ""
        differ = [c for c in of_task if c.corrected is not None and c.corrected < ERROR]
        baseline = result.table.baseline
        if differ:
            each = [f"{c.row.row.label} by {_ends(c)}" for c in differ if c.difference]
            words += f"; told apart from {baseline} after Holm's correction: {', '.join(each)}"
        elif baseline is not None:
            words += f"; none is told apart from {baseline} after Holm's correction"
        lines.append(f"{words}.")
    return lines


def comparison_grid(one: DatasetResult, task: str) -> Grid:
    """Returns a line for each model on a task, the best mean first."""
    metric = one.result.primary(task)
    baseline = one.result.table.baseline

    def mean(c: Compared) -> float | None:
        return c.row.tasks[task].primary.mean

    def ends(c: Compared) -> object:
        summary = c.row.tasks[task].primary.summary
        return None if summary is None else summary.interval

    lines = [c for c in compared(one) if c.task == task and mean(c) is not None]
    lines.sort(key=lambda c: metric.penalty(mean(c) or 0.0))
    columns = [
        Text("model", lambda c: c.row.row.label),
        Number(metric.label, mean, metric.form),
        Interval("95 % interval", ends, ".4f"),
        Number(f"minus {baseline}", lambda c: c.difference and c.difference.mean, "+.4f"),
        Interval("95 % interval of it", lambda c: c.difference and c.difference.interval, "+.4f"),
        Interval("by test rows", lambda c: c.by_rows, "+.4f"),
        Number("p", lambda c: c.difference and c.difference.p_value, p_value),
        Number("p after Holm", lambda c: c.corrected, p_value),
        Number("seeds", lambda c: len(c.row.tasks[task].primary.by_seed)),
    ]
    return Grid.of(f"{one.name}, {task}, test split", columns, lines)


def cost_grid(one: DatasetResult) -> Grid:
    """Returns what tuning and training have cost, and how values spread over trials and seeds."""

    def of_trials(row: RowResult, key: str) -> float:
        return sum(trial.user_attrs.get(key, 0.0) for trial in one.trials.get(row.row.label, ()))

    def spread(row: RowResult) -> float | None:
        values = _values(one.trials.get(row.row.label, ()))
        return float(np.std(values, ddof=1)) if len(values) > 1 else None

    def over_seeds(row: RowResult) -> float | None:
        stds = [
            summary.std
            for task in row.tasks.values()
            if (summary := task.primary.summary) is not None and summary.std is not None
        ]
        return max(stds) if stds else None

    def best(row: RowResult) -> float | None:
        return max(_values(one.trials.get(row.row.label, ())), default=None)

    columns = [
        Text("model", lambda row: row.row.label),
        Number("trials", lambda row: len(one.trials.get(row.row.label, ()))),
        Number("complete", lambda row: len(_values(one.trials.get(row.row.label, ())))),
        Number("best validation value", best, ".4f"),
        Number("std over trials", spread, ".4f"),
        Number("std over seeds", over_seeds, ".4f"),
        Number("rows read in tuning", lambda row: of_trials(row, ROW_VISITS), ",.0f"),
        Number("minutes of tuning", lambda row: of_trials(row, SECONDS) / 60, ".1f"),
        Number("parameters outside of embeddings", lambda row: row.parameters("other"), ","),
        Number("rows/s of training", lambda row: row.median("result.rows_per_second"), ",.0f"),
        Number("seconds of a run", lambda row: row.median("result.wall_seconds"), ".1f"),
    ]
    return Grid.of(f"{one.name}, cost and spread", columns, one.result.rows)


def settings_grid(one: DatasetResult) -> Grid:
    """Returns the best settings of each model."""
    columns = [
        Text("model", lambda row: row.row.label),
        Text("best settings", lambda row: _settings(row)),
    ]
    return Grid.of(f"{one.name}, best settings", columns, one.result.rows)


def ranks(results: Sequence[DatasetResult]) -> Ranks | None:
    """Returns mean ranks of the models that are on all datasets, by the mean over the tasks.

    None for fewer than two datasets or models.
    """
    penalties: dict[str, list[float]] = {}
    for one in results:
        for row in one.result.rows:
            means = [
                one.result.primary(task).penalty(mean)
                for task, found in row.tasks.items()
                if (mean := found.primary.mean) is not None
            ]
            if len(means) == len(row.tasks):
                penalties.setdefault(row.row.label, []).append(float(np.mean(means)))
    everywhere = {label: each for label, each in penalties.items() if len(each) == len(results)}
    return mean_ranks(everywhere) if len(results) > 1 and len(everywhere) > 1 else None


def ranks_grid(found: Ranks) -> Grid:
    """Returns the mean ranks."""
    columns = (Text("model"), Number("mean rank", form=".2f"))
    return Grid("Mean ranks", columns, list(found.means.items()))


def ranks_sentence(found: Ranks) -> str:
    """Returns what the ranks say."""
    words = f"Mean ranks over {found.datasets} datasets of {len(found.means)} models"
    if found.p_value is None or found.critical is None:
        return f"{words}; too few of them for a test."
    return (
        f"{words}: Friedman's test that all rank alike has p {p_value(found.p_value)}; by "
        f"Nemenyi's test, ranks that are {found.critical:.2f} apart differ."
    )


NOTES = (
    "Every model has the same number of trials of the same sampler with the same seed, on the same "
    "shared space, and stops early by the validation split (docs/tuning.md). The test split is "
    "read once, by the runs of the best settings.",
    "Runs of the best settings are trained anew; the same seed means the same order of rows for "
    "every model. Intervals are t intervals of the mean over seeds, of differences over pairs of "
    "the same seed: they say how training varies, not what other test rows would give, nor what "
    "another tuning would find.",
    "By test rows: DeLong's 95 % interval of the same difference of means, which takes the runs as "
    "they are, and test rows as a sample of independent ones.",
    f"P-values are of paired t-tests; Holm's correction is over all models and tasks of a dataset, "
    f"so that the probability of any false difference there is at most {ERROR:g}.",
    "Mean ranks are by the mean over a dataset's tasks, of the models that are on all datasets.",
    "A model that no seed changes has one run, which stands for every seed.",
)


def _ends(c: Compared) -> str:
    """Returns a difference with its intervals."""
    if c.difference is None:
        return "n/a"
    words = f"{c.difference.mean:+.4f}"
    ends = [f"seeds {interval(c.difference.interval, '+.4f')}"] if c.difference.interval else []
    ends += [f"test rows {interval(c.by_rows, '+.4f')}"] if c.by_rows else []
    return f"{words} ({'; '.join(ends)})" if ends else words


def _values(trials: Sequence[FrozenTrial]) -> list[float]:
    return [trial.values[0] for trial in trials if trial.state == TrialState.COMPLETE]


def _settings(row: RowResult) -> str:
    if not row.runs:
        return ""
    config = row.runs[0].config
    shown = {"learning_rate": config.get("learning_rate")} | dict(config["settings"])
    return ", ".join(
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in shown.items()
        if value is not None
    )
