"""What a leaderboard says: places that are told apart, cost, and what is left out."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from dcrnn_tf import metrics
from experiments.tables.content import (
    Grid,
    difference_cells,
    further_metrics,
    interval,
    means,
    metric_notes,
    number,
    p_value,
)
from experiments.tables.result import RowResult, TableResult, for_every_seed
from experiments.tables.statistics import PairedDifference, paired_difference

TOLERANCE = 0.02  # of sizes, relative
Latencies = Mapping[str, Mapping[int, float]]
"""Milliseconds of a call, `{row label: {rows of the call: time}}`."""


@dataclasses.dataclass(frozen=True)
class Place:
    """A row's place for one task.

    Attributes:
      row: the row.
      number: 1 for the highest mean; None for a row without an interval, which has no place.
      to_first: its value minus that of the first, seed by seed; None for the first itself, and
        where there is no place.
    """

    row: RowResult
    number: int | None
    to_first: PairedDifference | None = None

    @property
    def resolved(self) -> bool | None:
        """Whether the first is ahead of it by more than chance.

        None for the first, where there is no place, where no seed changes either of them, and
        where they have less than two seeds in common.
        """
        if self.to_first is None or self.to_first.interval is None:
            return None
        return self.to_first.interval[1] < 0

    @property
    def told_apart(self) -> str:
        """`resolved` in a word."""
        if self.number is None:
            return "no place"
        return (
            "first" if self.number == 1 else {None: "n/a", True: "yes", False: "no"}[self.resolved]
        )


def places(result: TableResult, task: str) -> list[Place]:
    """The rows of a task, the highest mean first; those without an interval last, unplaced.

    The mean is that of the primary metric.

    A model that no seed changes has a place among others that have intervals.
    """
    primary = {row.row.label: row.tasks[task].primary for row in result.rows}
    rows = [row for row in result.rows if primary[row.row.label].summary is not None]
    fixed = {row.row.label for row in rows if primary[row.row.label].summary.interval}
    placed = [r for r in rows if r.row.label in fixed or (fixed and r.row.deterministic)]
    placed.sort(key=lambda row: -primary[row.row.label].mean)

    def by_seed(row: RowResult) -> Mapping[int, float]:
        return for_every_seed(row.row, primary[row.row.label].by_seed, result.seeds)

    return [
        *(
            Place(row, n, paired_difference(by_seed(row), by_seed(placed[0])) if n > 1 else None)
            for n, row in enumerate(placed, start=1)
        ),
        *(Place(row, None) for row in rows if row not in placed),
    ]


def summary(result: TableResult, task: str) -> str:
    """One sentence on a task: who is first, and whom the seeds do not tell apart from it."""
    found = places(result, task)
    first = found[0] if found and found[0].number else None
    if first is None:
        return f"{task}: no places, since no model has an interval; give more seeds."
    summary, metric = first.row.tasks[task].primary.summary, metrics.get(metrics.PRIMARY)
    ends = f" (95 % interval {interval(summary.interval)})" if summary.interval else ""
    words = f"{task}: the highest mean {metric.label} is that of {first.row.row.label}, "
    words += f"{summary.mean:{metric.form}}{ends}"
    if len(found) > 1 and found[1].to_first is not None:
        second, difference = found[1].row.row.label, found[1].to_first
        words += (
            f"; {second} minus it is {difference.mean:+.4f} "
            f"(95 % interval {interval(difference.interval, '+.4f')})"
        )
    alike = [place.row.row.label for place in found if place.resolved is False]
    unknown = [place.row.row for place in found[1:] if place.resolved is None]
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


def task_grid(result: TableResult, task: str) -> Grid:
    """All rows of a task, best first."""
    baseline, further = result.table.baseline, further_metrics(result)
    metric = metrics.get(metrics.PRIMARY)
    lines = []
    for place in places(result, task):
        primary = place.row.tasks[task].primary
        against, to_first = primary.difference, place.to_first
        ends = primary.summary.interval
        if place.row.row.deterministic and place.number:
            of_mean = "the same for every seed"
        else:
            of_mean = interval(ends)
        lines.append(
            (
                str(place.number or ""),
                place.row.row.label,
                place.told_apart,
                number(primary.mean, metric.form),
                of_mean,
                *_difference_cells(to_first),
                *_difference_cells(against),
                p_value(against and against.p_value),
                *means(place.row.tasks[task], further),
                str(primary.summary.count),
            )
        )
    header = ("", "model", "told apart from the first", metric.label, "95 % interval")
    header += ("minus the first", "95 % interval of it")
    header += (f"minus {baseline}", "95 % interval of it", "p")
    header += (*(metric.label for metric in further), "seeds")
    return Grid(f"{task}, test split", header, tuple(lines), texts=3)


def cost_grid(result: TableResult, latencies: Latencies) -> Grid:
    """Size, speed of training and of the exported model."""
    target = _parameters(result)
    batches = sorted({rows for times in latencies.values() for rows in times})
    lines = []
    for row in result.rows:
        other = row.parameters("other")
        times = latencies.get(row.row.label, {})
        lines.append(
            (
                row.row.label,
                number(other, ","),
                number(None if None in (other, target) else other / target, ".2f"),
                number(row.parameters("embedding"), ","),
                number(row.median("result.rows_per_second"), ",.0f"),
                number(row.median("result.wall_seconds"), ",.0f"),
                number(row.median("result.processor_seconds"), ",.0f"),
                *(number(times.get(rows), ".2f") for rows in batches),
            )
        )
    header = ("model", "parameters outside of embeddings", f"of {result.table.baseline}'s")
    header += ("embeddings", "rows/s of training", "wall time (s)", "processor time (s)")
    header += tuple(f"call of {rows:,} rows (ms)" for rows in batches)
    return Grid("Size and speed", header, tuple(lines))


def notes(result: TableResult) -> list[str]:
    """How the figures are to be read."""
    baseline, primary = result.table.baseline, metrics.get(metrics.PRIMARY).label
    lines = [
        f"Places are by the mean {primary} over seeds. A model is told apart from the first if the "
        "95 % interval of their paired difference lies below 0; the first was chosen by these very "
        "figures, and no interval is corrected for the number of models.",
        "Seeds are paired: the same seed means the same order of rows for every model. Intervals "
        "say how a configuration varies from run to run on this test split, not what other rows "
        "would give.",
        f"One width of each model is chosen so that it has about as many parameters outside of the "
        f"embeddings as {baseline}; single-task models have a table of embeddings per task. "
        "Nothing else was tuned for any model.",
        metric_notes(),
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


def csv_lines(result: TableResult, latencies: Latencies) -> Iterator[dict[str, object]]:
    """One line per task and row, best first; a figure that does not exist is None."""
    target = _parameters(result)
    for task in result.table.tasks:
        for place in places(result, task):
            row, figures = place.row, place.row.tasks[task]
            summary, difference = figures.primary.summary, figures.primary.difference
            low, high = summary.interval or (None, None)
            other = row.parameters("other")
            yield {
                "task": task,
                "place": place.number,
                "row": row.row.label,
                "model": row.row.model,
                "simulated": result.data["simulated"],
                "seeds": summary.count,
                f"{metrics.PRIMARY}_mean": summary.mean,
                f"{metrics.PRIMARY}_low": low,
                f"{metrics.PRIMARY}_high": high,
                **difference_cells(place.to_first, "to_first"),
                "told_apart_from_first": place.resolved,
                "baseline": result.table.baseline_of(row.row),
                **difference_cells(difference),
                "p_value": difference and difference.p_value,
                **{m.name: figures.metrics[m.name].mean for m in further_metrics(result)},
                "bayes_auc": figures.bayes_auc,
                "parameters_other": other,
                "of_baselines": None if None in (other, target) else other / target,
                "parameters_embedding": row.parameters("embedding"),
                "rows_per_second": row.median("result.rows_per_second"),
                "wall_seconds": row.median("result.wall_seconds"),
                "processor_seconds": row.median("result.processor_seconds"),
                **{
                    f"call_{rows}_ms": latencies.get(row.row.label, {}).get(rows)
                    for rows in sorted({n for times in latencies.values() for n in times})
                },
                "fingerprint": result.data["fingerprint"],
            }


def _other_sizes(result: TableResult) -> Iterator[tuple[str, float]]:
    """Trained models whose size is not the baseline's, and how many times it they are."""
    target = _parameters(result)
    for row in result.rows:
        size = row.parameters("other")
        if row.row.deterministic or None in (size, target):
            continue
        if abs(size / target - 1) > TOLERANCE:
            yield row.row.label, size / target


def _parameters(result: TableResult) -> int | None:
    """The baseline's, outside of the embeddings."""
    for row in result.rows:
        if row.row.label == result.table.baseline:
            return row.parameters("other")
    return None


def _difference_cells(difference: PairedDifference | None) -> tuple[str, str]:
    if difference is None:
        return "", ""
    return number(difference.mean, "+.4f"), interval(difference.interval, "+.4f")


def settings_of(rows: Sequence[RowResult]) -> list[str]:
    """What each model was built with, a sentence each."""
    sentences = []
    for row in rows:
        settings = (row.runs[0].value("config.settings") or {}) if row.runs else {}
        words = ", ".join(f"{name}={value}" for name, value in settings.items())
        sentences.append(f"{row.row.label}: {words or 'no settings'}")
    return sentences
