"""The sentences of a paper table's page: warnings, verdicts, and notes."""

from collections.abc import Sequence

from dcrnn_tf.metrics import Metric
from experiments.reports.words import interval, p_value
from experiments.tables.result import RowResult, TableResult
from experiments.tables.spec import Table


def warning(result: TableResult) -> str:
    """Returns the words that must stand above simulated data; none for real data."""
    if not result.data["simulated"]:
        return ""
    # Such as "labels planted on real features", for tasks that are made by definition.
    labels = (result.data["simulation"] or {}).get("labels")
    return labels.capitalize() if labels else f"Simulated data, not {result.table.dataset}"


def source(table: Table) -> str:
    """Returns what the table is made after."""
    return f"{'Published figures' if table.published else 'After'}: {table.source}"


def incomplete(result: TableResult) -> list[str]:
    """Returns what the table lacks, a clause for each row that lacks something."""
    sentences = []
    for row in result.rows:
        states = ((row.missing, "not run"), (row.unfinished, "not finished"))
        parts = [f"{_seeds(seeds)} {state}" for seeds, state in states if seeds]
        if parts:
            sentences.append(f"{row.row.label}: {', '.join(parts)}")
    return sentences + result.failures


def verdicts(result: TableResult) -> list[tuple[str, str]]:
    """Returns sentences on each row against its baseline, never without an interval.

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


def metric_notes(result: TableResult) -> str:
    """Returns how the values of a table's metrics are to be read, in one sentence."""
    words = "; ".join(metric.note for metric in result.metrics if metric.note)
    return f"{words[:1].upper()}{words[1:]}."


def notes(result: TableResult) -> list[str]:
    """Returns how the values are to be read."""
    baseline = result.table.compared_with
    lines = [
        "Intervals and tests are over seeds: they say how one configuration varies from run to run "
        "on this test split, not what another sample of rows would give.",
        f"Differences are those of a row to {baseline} with the same seed; p is of the two-sided "
        "paired t-test, not corrected for the number of comparisons.",
        metric_notes(result),
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


def _seeds(seeds: Sequence[int]) -> str:
    return ("seed " if len(seeds) == 1 else "seeds ") + ", ".join(str(seed) for seed in seeds)
