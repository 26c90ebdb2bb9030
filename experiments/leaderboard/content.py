"""The content of a leaderboard: ranks, cost, and sentences."""

import dataclasses
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence

from dcrnn_tf import metrics
from experiments.reports.grid import Column, Grid, Interval, Number, Text
from experiments.reports.words import interval, p_value
from experiments.tables.grids import mean_columns, median, parameters, value_of
from experiments.tables.result import RowResult, TableResult, TaskResult, for_every_seed
from experiments.tables.sentences import metric_notes
from experiments.tables.statistics import PairedDifference, paired_difference

TOLERANCE = 0.02  # of sizes, relative
Latencies = Mapping[str, Mapping[int, float]]
"""Milliseconds of a call, `{row label: {rows of the call: time}}`."""


@dataclasses.dataclass(frozen=True)
class Ranked:
    """A row with its rank for one task.

    Attributes:
      row: The row.
      task: Metrics of the row for the task.
      rank: Rank of the row's mean, 1 for the best one; None for a row without an interval.
      to_first: Its value minus that of the first, seed by seed; None for the first itself, and
        where there is no rank.
      behind: How much worse its value is than that of the first, seed by seed.
    """

    row: RowResult
    task: TaskResult
    rank: int | None
    to_first: PairedDifference | None = None
    behind: PairedDifference | None = None

    @property
    def fixed(self) -> bool:
        """Whether it has a rank though no seed changes its model."""
        return self.row.row.deterministic and self.rank is not None

    @property
    def resolved(self) -> bool | None:
        """Whether the first is ahead of it by more than chance.

        None for the first, where there is no rank, where no seed changes either of them, and
        where they have less than two seeds in common.
        """
        if self.behind is None or self.behind.interval is None:
            return None
        return self.behind.interval[0] > 0

    @property
    def told_apart(self) -> str:
        """`resolved` in a word."""
        if self.rank is None:
            return "no rank"
        return "first" if self.rank == 1 else {None: "n/a", True: "yes", False: "no"}[self.resolved]


def ranking(result: TableResult, task: str) -> list[Ranked]:
    """Returns the rows of a task, the best mean of the primary metric first.

    Rows without an interval are last and have no rank; a model that no seed changes has a rank
    among others that have intervals.
    """
    penalty = result.primary(task).penalty
    results = {row.row.label: row.tasks[task].primary for row in result.rows}
    summaries = {label: one.summary for label, one in results.items() if one.summary is not None}
    rows = [row for row in result.rows if row.row.label in summaries]
    varying = {label for label, one in summaries.items() if one.interval}
    with_rank = [r for r in rows if r.row.label in varying or (varying and r.row.deterministic)]
    with_rank.sort(key=lambda row: penalty(summaries[row.row.label].mean))

    def by_seed(row: RowResult) -> Mapping[int, float]:
        return for_every_seed(row.row, results[row.row.label].by_seed, result.seeds)

    def penalties(row: RowResult) -> Mapping[int, float]:
        return {seed: penalty(value) for seed, value in by_seed(row).items()}

    ranked = [Ranked(row, row.tasks[task], rank) for rank, row in enumerate(with_rank, start=1)]
    for index, row in enumerate(with_rank[1:], start=1):
        to_first = paired_difference(by_seed(row), by_seed(with_rank[0]))
        behind = paired_difference(penalties(row), penalties(with_rank[0]))
        ranked[index] = dataclasses.replace(ranked[index], to_first=to_first, behind=behind)
    return ranked + [Ranked(row, row.tasks[task], None) for row in rows if row not in with_rank]


def summary(result: TableResult, task: str) -> str:
    """One sentence on a task: who is first, and whom the seeds do not tell apart from it."""
    ranked = ranking(result, task)
    first = ranked[0] if ranked and ranked[0].rank else None
    if first is None or (summary := first.task.primary.summary) is None:
        return f"{task}: no ranks, since no model has an interval; give more seeds."
    metric = result.primary(task)
    ends = f" (95 % interval {interval(summary.interval)})" if summary.interval else ""
    words = f"{task}: {_best_mean(metric)} is that of {first.row.row.label}, "
    words += f"{summary.mean:{metric.form}}{ends}"
    if len(ranked) > 1 and ranked[1].to_first is not None:
        second, difference = ranked[1].row.row.label, ranked[1].to_first
        words += (
            f"; {second} minus it is {difference.mean:+.4f} "
            f"(95 % interval {interval(difference.interval, '+.4f')})"
        )
    alike = [one.row.row.label for one in ranked if one.resolved is False]
    unknown = [one.row.row for one in ranked[1:] if one.resolved is None]
    fixed = [row.label for row in unknown if first.row.row.deterministic and row.deterministic]
    few = [row.label for row in unknown if row.label not in fixed]
    if alike:
        words += f"; not told apart from it by these seeds: {', '.join(alike)}"
    elif not unknown:
        words += "; every other model is told apart from it"
    if fixed:
        words += f"; no seed changes it or {', '.join(fixed)}"
    if few:
        words += f"; too few seeds to compare it with {', '.join(few)}"
    return f"{words}."


def _best_mean(metric: metrics.Metric) -> str:
    if metric.better in ("high", "low"):
        return f"the {metric.better}est mean {metric.label}"
    return f"the mean {metric.label} nearest to {metric.better:g}"


def ranking_grid(result: TableResult, task: str) -> Grid:
    """Returns the metric that a task's rows are ranked by, with its tests, best first."""
    metric = result.primary(task)
    mean, ends = _mean(metric)
    words = "the same for every seed"
    columns = [
        _RANK,
        _MODEL,
        Text("told apart from the first", lambda ranked: ranked.told_apart),
        mean,
        dataclasses.replace(ends, of=lambda ranked: words if ranked.fixed else ends.value(ranked)),
        *_difference("minus the first", lambda ranked: ranked.to_first, "to_first"),
        *_to_baseline(result),
        _SEEDS,
    ]
    return Grid.of(f"{task}, test split", columns, ranking(result, task))


def further_metrics_grid(result: TableResult, task: str) -> Grid:
    """Returns the means of the metrics that a task's rows are not ranked by, in the same order."""
    columns = [_RANK, _MODEL, *mean_columns(result, task)]
    return Grid.of(f"{task}, further metrics", columns, ranking(result, task))


def cost_grid(result: TableResult, latencies: Latencies) -> Grid:
    """Returns the size of all rows, the speed of their training, and of their exported models."""
    columns = [Text("model", lambda row: row.row.label), *_cost(result, latencies)]
    return Grid.of("Size and speed", columns, result.rows)


def records(result: TableResult, latencies: Latencies) -> Grid:
    """Returns all values, a line per task and row, best first."""
    columns = [
        Column("rank", lambda ranked: ranked.rank),
        Column("row", lambda ranked: ranked.row.row.label),
        Column("model", lambda ranked: ranked.row.row.model),
        Column("simulated", lambda _: result.data["simulated"]),
        _SEEDS,
        *_mean(metrics.get(metrics.PRIMARY)),
        *_difference("", lambda ranked: ranked.to_first, "to_first"),
        Column("told_apart_from_first", lambda ranked: ranked.resolved),
        Column("baseline", lambda ranked: result.table.baseline_of(ranked.row.row)),
        *_to_baseline(result),
        *mean_columns(result),
        Column("bayes_auc", lambda ranked: ranked.task.bayes_auc),
        *(column.through(operator.attrgetter("row")) for column in _cost(result, latencies)),
        Column("fingerprint", lambda _: result.data["fingerprint"]),
    ]
    lines = [(task, ranked) for task in result.table.tasks for ranked in ranking(result, task)]
    task = Column("task", operator.itemgetter(0))
    columns = [task, *(column.through(operator.itemgetter(1)) for column in columns)]
    return Grid.of("Leaderboard", columns, lines)


_RANK = Text("", lambda ranked: ranked.rank, missing="")
_MODEL = Text("model", lambda ranked: ranked.row.row.label)
_SEEDS = Number("seeds", lambda ranked: ranked.task.primary.summary.count)


def _mean(metric: metrics.Metric) -> tuple[Column, Column]:
    """Returns the columns of a primary metric's mean over seeds, and of its interval."""
    mean, ends = (value_of(metric, "summary", name) for name in ("mean", "interval"))
    return (
        Number(metric.label, mean, metric.form, key=f"{metric.name}_mean"),
        Interval("95 % interval", ends, ".4f", key=metric.name),
    )


def _to_baseline(result: TableResult) -> list[Column]:
    """Returns the columns of the difference to the baseline, with its test."""

    def p_of(ranked: Ranked) -> float | None:
        difference = ranked.task.primary.difference
        return None if difference is None else difference.p_value

    p = Number("p", p_of, p_value, key="p_value")
    label = f"minus {result.table.baseline}"
    return [*_difference(label, lambda ranked: ranked.task.primary.difference, "difference"), p]


def _difference(
    label: str, get: Callable[[Ranked], PairedDifference | None], key: str
) -> list[Column]:
    """Returns the columns of a difference and its interval, empty where there is no difference."""

    def mean(ranked: Ranked) -> float | None:
        difference = get(ranked)
        return None if difference is None else difference.mean

    def ends(ranked: Ranked) -> object:
        difference = get(ranked)
        return "" if difference is None else difference.interval

    return [
        Number(label, mean, "+.4f", key=key, missing=""),
        Interval("95 % interval of it", ends, "+.4f", key=key),
    ]


def _cost(result: TableResult, latencies: Latencies) -> list[Column]:
    """Returns the columns of a row's size and speed."""
    target = _parameters(result)

    def ratio(row: RowResult) -> float | None:
        other = row.parameters("other")
        return None if other is None or target is None else other / target

    calls = {
        rows: lambda row, rows=rows: latencies.get(row.row.label, {}).get(rows)
        for rows in sorted({n for times in latencies.values() for n in times})
    }
    return [
        parameters("parameters outside of embeddings", "other"),
        Number(f"of {result.table.baseline}'s", ratio, ".2f", key="of_baselines"),
        parameters("embeddings", "embedding"),
        median("rows/s of training", "rows_per_second"),
        median("wall time (s)", "wall_seconds"),
        median("processor time (s)", "processor_seconds"),
        *(
            Number(f"call of {rows:,} rows (ms)", time, ".2f", key=f"call_{rows}_ms")
            for rows, time in calls.items()
        ),
    ]


def notes(result: TableResult) -> list[str]:
    """Returns how the values are to be read."""
    baseline = result.table.baseline
    primaries = dict.fromkeys(map(result.primary, result.table.tasks))
    sides: dict[object, str] = {"high": "below 0", "low": "above 0"}
    side = " or ".join(
        dict.fromkeys(sides.get(one.better, "on the worse side of 0") for one in primaries)
    )
    labels = " or ".join(one.label for one in primaries)
    lines = [
        f"Ranks are by the mean {labels} over seeds. A model is told apart from the first "
        f"if the 95 % interval of their paired difference lies {side}; the first was chosen by "
        "these very values, and no interval is corrected for the number of models.",
        "Seeds are paired: the same seed means the same order of rows for every model. Intervals "
        "say how a configuration varies from run to run on this test split, not what other rows "
        "would give.",
        f"One width of each model is chosen so that it has about as many parameters outside of the "
        f"embeddings as {baseline}; single-task models have a table of embeddings per task. "
        "Nothing else was tuned for any model.",
        metric_notes(result),
        "Rows/s, wall and processor time are medians over the runs, of which several may have "
        "shared the processor; calls are medians of one exported model, one after the other.",
    ]
    if other := [f"{label} ({ratio:.2f} times)" for label, ratio in _other_sizes(result)]:
        lines.insert(
            3,
            f"No width makes these as large as {baseline}, they are larger or smaller: "
            f"{', '.join(other)}.",
        )
    if result.data["simulated"]:
        lines.insert(0, "The data are simulated: they say nothing about the log they imitate.")
    return lines


def _other_sizes(result: TableResult) -> Iterator[tuple[str, float]]:
    """Trained models whose size is not the baseline's, and how many times it they are."""
    target = _parameters(result)
    for row in result.rows:
        size = row.parameters("other")
        if row.row.deterministic or size is None or target is None:
            continue
        if abs(size / target - 1) > TOLERANCE:
            yield row.row.label, size / target


def _parameters(result: TableResult) -> int | None:
    """The baseline's, outside of the embeddings."""
    for row in result.rows:
        if row.row.label == result.table.baseline:
            return row.parameters("other")
    return None


def settings_of(rows: Sequence[RowResult]) -> list[str]:
    """What each model was built with, a sentence each."""
    sentences = []
    for row in rows:
        settings = (row.runs[0].value("config.settings") or {}) if row.runs else {}
        words = ", ".join(f"{name}={value}" for name, value in settings.items())
        sentences.append(f"{row.row.label}: {words or 'no settings'}")
    return sentences
