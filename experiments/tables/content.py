"""A table's result in words and printed figures."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from dcrnn_tf import metrics
from dcrnn_tf.metrics import Metric
from experiments.tables.result import RowResult, TableResult, TaskResult
from experiments.tables.spec import Column, Table, column
from experiments.tables.statistics import PairedDifference

NOT_AVAILABLE = "n/a"


@dataclasses.dataclass(frozen=True)
class Grid:
    """A titled table of printed cells; the first `texts` columns are words, the rest figures."""

    title: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    texts: int = 1

    def repeats(self, line: int) -> bool:
        """Whether a line is about the same thing as the one above, so says a first cell of many."""
        above = self.lines[line - 1] if line else None
        return self.texts == 2 and above is not None and above[0] == self.lines[line][0]


def number(value: float | None, form: str = ".4f") -> str:
    """A figure as printed; `n/a` where there is none."""
    return NOT_AVAILABLE if value is None else format(value, form)


def interval(ends: tuple[float, float] | None, form: str = ".4f") -> str:
    """An interval as printed."""
    return NOT_AVAILABLE if ends is None else f"{ends[0]:{form}} to {ends[1]:{form}}"


def p_value(value: float | None) -> str:
    """A p-value as printed, without its `p =`."""
    if value is None:
        return NOT_AVAILABLE
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def plain(value: object) -> str:
    """A setting's value as printed."""
    if value is None:
        return "not given"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def warning(result: TableResult) -> str | None:
    """The words that must stand above figures of made data; None for real data."""
    if not result.data["simulated"]:
        return None
    # Such as "labels planted on real features", for tasks that are made by definition.
    labels = (result.data["simulation"] or {}).get("labels")
    return labels.capitalize() if labels else f"Simulated data, not {result.table.dataset}"


def origin(table: Table) -> str:
    """What `source` is of a table."""
    return "Published figures" if table.published else "After"


def incomplete(result: TableResult) -> list[str]:
    """What the table lacks, a sentence for each row that lacks something."""
    sentences = []
    for row in result.rows:
        states = ((row.missing, "not run"), (row.unfinished, "not finished"))
        parts = [f"{_seeds(seeds)} {state}" for seeds, state in states if seeds]
        if parts:
            sentences.append(f"{row.row.label}: {', '.join(parts)}")
    return sentences


def verdicts(result: TableResult) -> list[tuple[str, str]]:
    """Sentences on each row against its baseline, never without an interval.

    One per task and metric that the table compares by.
    """
    compared = result.table.metrics
    return [
        (row.row.label, f"{task}: {name}{_verdict(result, row, task, metric)}")
        for row in result.rows
        if result.table.baseline_of(row.row) is not None
        for task in row.tasks
        for metric in compared
        for name in [f"{metric.label} " if len(compared) > 1 else ""]
    ]


def further_metrics(result: TableResult) -> list[Metric]:
    """The metrics and references whose means stand beside the primary metric."""
    return [metric for metric in result.metrics if metric.name != metrics.PRIMARY]


def means(task: TaskResult, shown: Sequence[Metric]) -> list[str]:
    """The means of metrics over seeds, as printed."""
    return [number(task.metrics[metric.name].mean, metric.form) for metric in shown]


def evaluated_metrics(splits: Mapping[str, Mapping[str, Mapping]]) -> tuple[Metric, ...]:
    """The metrics and references of a run's evaluations, `{split: {task: {metric: value}}}`."""
    return metrics.present(values for tasks in splits.values() for values in tasks.values())


def metric_cells(values: Mapping[str, float | None], shown: Sequence[Metric]) -> list[str]:
    """The metrics of one task, as printed."""
    return [number(values.get(metric.name), metric.form) for metric in shown]


def difference_cells(
    difference: PairedDifference | None, name: str = "difference"
) -> dict[str, float | None]:
    """A difference and the ends of its interval, `{column: value}`."""
    low, high = (difference and difference.interval) or (None, None)
    return {name: difference and difference.mean, f"{name}_low": low, f"{name}_high": high}


def metric_notes() -> str:
    """How the values of the metrics are to be read, in one sentence."""
    words = "; ".join(metric.note for metric in metrics.registered() if metric.note)
    return f"{words[:1].upper()}{words[1:]}."


def published(row: RowResult, task: str) -> Mapping[str, float]:
    """What the paper printed of a task, `{column: figure}`."""
    return (row.row.paper or {}).get(task, {})


def grids(result: TableResult) -> list[Grid]:
    """All tables of a report; the first has the paper's form."""
    table = result.table
    pairs = [(row, task) for row in result.rows for task in table.tasks]
    further = further_metrics(result)
    return [
        _main_grid(result),
        *(
            Grid(
                "Intervals and tests"
                + ("" if metric.name == metrics.PRIMARY else f" of {metric.label}"),
                (
                    *("model", "task", "seeds", "mean", "95 % interval", "std"),
                    *(f"minus {table.compared_with}", "95 % interval of it", "p"),
                ),
                tuple(
                    (table.compared(row.row), task, *_test_cells(row, task, metric))
                    for row, task in pairs
                ),
                texts=2,
            )
            for metric in table.metrics
        ),
        Grid(
            "Distance to the optimum, and quality of the probabilities",
            (
                *("model", "task", "Bayes-optimal AUC", "gap to it", "attained"),
                *(metric.label for metric in further),
            ),
            tuple(
                (row.row.label, task, *_quality_cells(row.tasks[task], further))
                for row, task in pairs
            ),
            texts=2,
        ),
        Grid(
            "Size and speed",
            ("model", "parameters", "embeddings", "other", "rows/s", "wall time (s)"),
            tuple((row.row.label, *_cost_cells(row)) for row in result.rows),
        ),
        Grid(
            "Settings beside the paper's",
            ("setting", "paper", "here", "differs"),
            tuple(_setting_lines(result)),
            texts=4,
        ),
    ]


def _main_grid(result: TableResult) -> Grid:
    """Ours and, where there is any, the paper's."""
    table = result.table
    columns = [(task, name, column(name)) for task in table.tasks for name in table.columns]
    header = [f"{task} {printed.label}" for task, _, printed in columns]
    if table.published:
        header += [f"paper: {task} {printed.label}" for task, _, printed in columns]
    lines = []
    for row in result.rows:
        cells = [number(_value(row, task, printed), printed.form) for task, _, printed in columns]
        if table.published:
            cells += [
                number(published(row, task).get(name), printed.form)
                for task, name, printed in columns
            ]
        lines.append((row.row.label, *cells))
    names = [metric.label for metric in table.metrics]
    return Grid(f"{' and '.join(names)} on the test split", ("model", *header), tuple(lines))


def notes(result: TableResult) -> list[str]:
    """How the figures are to be read."""
    baseline = result.table.compared_with
    lines = [
        "Intervals and tests are over seeds: they say how one configuration varies from run to run "
        "on this test split, not what another sample of rows would give.",
        f"Differences are those of a row to {baseline} with the same seed; p is of the two-sided "
        "paired t-test, not corrected for the number of comparisons.",
        metric_notes(),
        "Rows/s and wall time are medians over the runs.",
    ]
    signs = {"high": "above", "low": "below"}
    good = [
        f"one of {metric.label} {signs[metric.better]} 0"
        for metric in result.table.metrics
        if metric.better in signs
    ]
    if len(good) > 1:
        lines.insert(2, f"Of differences, {' and '.join(good)} speak for the model.")
    if any(row.row.deterministic for row in result.rows):
        lines.append("A model that no seed changes is run once and compared with every seed.")
    if result.data["simulated"]:
        lines.append(
            "The Bayes-optimal AUC is that of the simulator's true probabilities, which no model "
            "beats but by chance; attained is the share of the way there from 0.5."
        )
    return lines


def _verdict(result: TableResult, row: RowResult, task: str, metric: Metric) -> str:
    baseline = result.table.baseline_of(row.row)
    difference, form = row.tasks[task].metrics[metric.name].difference, metric.difference_form
    if difference is None:
        article = "an" if metric.label[0].lower() in "aeiou" else "a"
        return f"not compared, no seed has {article} {metric.label} here and of {baseline}"
    against = f"{difference.mean:+{form}} against {baseline}"
    if difference.interval is None:
        pairs = "1 seed" if difference.pairs == 1 else f"{difference.pairs} seeds without spread"
        return f"{against} ({pairs}: no interval, no test)"
    p = p_value(difference.p_value)
    words = (
        f"{against} (95 % interval {interval(difference.interval, form)}, "
        f"p {p if p.startswith('<') else f'= {p}'}, {difference.pairs} paired seeds)"
    )
    low, high = difference.interval
    return words + ("; the interval holds 0, no difference is shown" if low <= 0 <= high else "")


def _test_cells(row: RowResult, task: str, metric: Metric) -> tuple[str, ...]:
    result, form = row.tasks[task].metrics[metric.name], metric.difference_form
    summary, difference = result.summary, result.difference
    return (
        str(summary.count if summary else 0),
        number(summary and summary.mean, form),
        interval(summary and summary.interval, form),
        number(summary and summary.std, form),
        number(difference and difference.mean, f"+{form}"),
        interval(difference and difference.interval, f"+{form}"),
        p_value(difference and difference.p_value),
    )


def _quality_cells(task: TaskResult, further: Sequence[Metric]) -> tuple[str, ...]:
    return (
        number(task.bayes_auc),
        number(task.gap),
        number(task.attained, ".0%"),
        *means(task, further),
    )


def _cost_cells(row: RowResult) -> tuple[str, ...]:
    return (
        *(number(row.parameters(part), ",") for part in ("total", "embedding", "other")),
        number(row.median("result.rows_per_second"), ",.0f"),
        number(row.median("result.wall_seconds"), ",.0f"),
    )


def _setting_lines(result: TableResult) -> Iterator[tuple[str, ...]]:
    for setting in result.table.settings:
        paper = plain(setting.paper)
        ours = _by_value(result.values(setting.key))
        differs = setting.paper is not None and ours not in (paper, NOT_AVAILABLE)
        yield setting.label, paper, ours, "differs" if differs else ""
    yield "seeds", plain(None), ", ".join(str(seed) for seed in result.seeds), ""


def _by_value(values: Mapping[str, object]) -> str:
    """One value where all rows agree, else each value with the rows that have it."""
    groups: dict[str, list[str]] = {}
    for label, value in values.items():
        groups.setdefault(plain(value), []).append(label)
    if len(groups) < 2:
        return next(iter(groups), NOT_AVAILABLE)
    return "; ".join(f"{value} ({', '.join(labels)})" for value, labels in groups.items())


def _value(row: RowResult, task: str, printed: Column) -> float | None:
    summary = row.tasks[task].metrics[printed.metric].summary
    return summary and getattr(summary, printed.statistic)


def _seeds(seeds: Sequence[int]) -> str:
    return ("seed " if len(seeds) == 1 else "seeds ") + ", ".join(str(seed) for seed in seeds)
