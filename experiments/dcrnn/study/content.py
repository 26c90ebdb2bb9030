"""Content of the study of DCRNN's claims: results of its tables as figures and verdicts."""

from collections.abc import Mapping

from experiments.dcrnn.study import plots
from experiments.dcrnn.study import tables as study
from experiments.reports.grid import Column, Grid
from experiments.tables.figure_page import DrawnFigure, Results, made_on
from experiments.tables.result import TableResult
from experiments.tables.statistics import PairedDifference, paired_difference

Differences = Mapping[str, Mapping[str, PairedDifference | None]]
"""`{task: {comparison: difference of AUC}}`."""


def sharing(results: Results) -> DrawnFigure:
    """Returns hard and soft sharing minus partial sharing, at three correlations of the tasks."""
    parts = {
        f"correlation {correlation}": results[table.name]
        for correlation, table in study.SHARING.items()
    }
    found = _differences(parts)
    return DrawnFigure(
        "sharing",
        "Hard and soft sharing against partial sharing, by correlation of the tasks",
        plots.differences(found, "AUC minus partial sharing's"),
        (
            verdict("partial sharing predicts better than hard and soft sharing", found, -1),
            f"{_SEEDS} All with Ada, without which tasks share nothing but the embeddings. The "
            "correlation is of the utilities behind click and play; both labels are drawn for "
            "every exposure by themselves.",
            *_values(parts),
        ),
        _made_on(parts),
    )


def adaptation(results: Results) -> DrawnFigure:
    """Returns Ada minus no Ada, at three levels of noise in the numeric features."""
    parts = {f"noise {noise}": results[table.name] for noise, table in study.ADAPTATION.items()}
    found = _differences(parts)
    return DrawnFigure(
        "adaptation",
        "Feature adaptation (Ada), by noise of the numeric features",
        plots.differences(found, "AUC minus that without Ada"),
        (
            verdict("Ada helps, the more so the noisier statistical features are", found, +1),
            f"{_SEEDS} Noise is in units of each quantity's own standard deviation.",
            *_values(parts),
        ),
        _made_on(parts),
    )


def sequence(results: Results) -> DrawnFigure:
    """Returns other lengths and intervals minus the paper's."""
    result = results[study.SEQUENCE.name]
    found = _differences({"": result})
    chosen = f"L {study.LENGTH}, I {study.INTERVAL}"
    return DrawnFigure(
        "sequence",
        f"Subsequence length L and interval I, against the paper's {chosen}",
        plots.differences(found, f"AUC minus that of {chosen}"),
        (
            verdict(f"{chosen} is the best choice", found, -1),
            f"{_SEEDS} The whole sequence has S = L + I steps.",
            *_values({"": result}),
        ),
        made_on(result),
    )


def crossing(results: Results) -> DrawnFigure:
    """Returns DCN's, DCN-V2's and CIN's layers minus the recurrent network."""
    result = results[study.CROSSING.name]
    found = _differences({"": result})
    recurrent = {row.label for row in study.CROSSING.rows if row.model == "dcrnn"}
    other = {
        task: {name: one for name, one in rows.items() if name not in recurrent}
        for task, rows in found.items()
    }
    return DrawnFigure(
        "crossing",
        "Other crossings in the recurrent network's place, at equal parameters",
        plots.differences(found, f"AUC minus {study.CROSSING.baseline}'s"),
        (
            verdict("BiLSTM crosses features better than DCN, DCN-V2 and CIN", other, -1),
            f"{_SEEDS} No Ada. Parameters outside the embedding table: {_parameters(result)}.",
            *_values({"": result}),
        ),
        made_on(result),
    )


def size(results: Results) -> DrawnFigure:
    """Returns AUC over the number of parameters, of DCRNN and MMoE."""
    result = results[study.SIZE.name]
    large, *others = result.rows
    fewer = _smaller_minus_large(result)
    equal = {
        task: {
            row.row.label: row.tasks[task].metrics["auc"].difference
            for row in others
            if row.row.baseline
        }
        for task in study.SIZE.tasks
    }
    curves = {
        task: {
            family: [
                (parameters, auc)
                for row in result.rows
                if row.row.model == family.lower()
                and row.runs
                and (parameters := row.parameters("other")) is not None
                and (auc := row.tasks[task].metrics["auc"].summary) is not None
            ]
            for family in ("MMoE", "DCRNN")
        }
        for task in study.SIZE.tasks
    }
    return DrawnFigure(
        "size",
        "Test AUC by the number of parameters outside the embedding table",
        plots.size(curves),
        (
            verdict(f"DCRNN with fewer parameters beats {large.row.label}", fewer, +1),
            verdict("DCRNN beats the MMoE of about as many parameters", equal, +1),
            f"{_SEEDS} DCRNN is BiLSTM with Ada; its name gives the recurrent units, MMoE's the "
            f"units of its eight experts. Parameters: {_parameters(result)}.",
            *_values({"": result}),
        ),
        made_on(result),
    )


_SEEDS = (
    "Dots are means over seeds, bars 95 % t intervals over paired seeds: they speak of these data, "
    "of which there is one draw, and of each comparison by itself."
)


def verdict(claim: str, differences: Differences, sign: int) -> str:
    """Returns how many intervals speak for a claim, and how many against it.

    Args:
      claim: The claim in words.
      differences: Differences of AUC.
      sign: Sign of every difference if the claim is true, +1 or -1.
    """
    found = [one for task in differences.values() for one in task.values()]
    intervals = [one.interval for one in found if one is not None and one.interval is not None]
    if not intervals:
        return f"Claim: {claim}. Verdict: unknown, intervals take two seeds that differ."
    above = sum(low > 0 for low, _ in intervals)
    below = sum(high < 0 for _, high in intervals)
    agree, against = (above, below) if sign > 0 else (below, above)
    if agree and against:
        word = "mixed"
    elif agree:
        word = "holds here" if agree == len(intervals) else "holds in part"
    elif against:
        word = "contradicted" + ("" if against == len(intervals) else " in part, nowhere shown")
    else:
        word = "not shown here"
    open_ones = len(intervals) - agree - against
    means = [one.mean for one in found if one is not None]
    return (
        f"Claim: {claim}. Verdict: {word}. Of {len(intervals)} comparisons {agree} speak for it, "
        f"{against} against it, and {open_ones} have an interval with 0 inside; mean differences "
        f"are from {min(means):+.4f} to {max(means):+.4f}."
    )


def records(differences: Mapping[str, Differences]) -> Grid:
    """Returns a line for each difference of each table, for a file."""
    keys = ("table", "task", "comparison", "pairs", "mean", "low", "high", "p_value")
    lines = [
        (table, task, comparison, one.pairs, one.mean, *(one.interval or (None, None)), one.p_value)
        for table, tasks in differences.items()
        for task, comparisons in tasks.items()
        for comparison, one in comparisons.items()
        if one is not None
    ]
    return Grid("Differences", [Column(key) for key in keys], lines)


def differences_by_table(results: Results) -> dict[str, Differences]:
    """Returns all paired differences of the study."""
    found = {name: _differences({"": result}) for name, result in results.items()}
    large, size = study.SIZE.baseline, dict(found[study.SIZE.name])
    for task, rows in _smaller_minus_large(results[study.SIZE.name]).items():
        more = {f"{label}, minus {large}": difference for label, difference in rows.items()}
        size[task] = {**size[task], **more}
    return found | {study.SIZE.name: size}


def _smaller_minus_large(result: TableResult) -> Differences:
    """Returns every DCRNN that is smaller than the largest MMoE, the baseline, minus that."""
    large, *others = result.rows
    limit = large.parameters("other") or 0
    small = [
        row
        for row in others
        if row.row.model == "dcrnn" and row.runs and (row.parameters("other") or limit) < limit
    ]
    return {
        task: {
            row.row.label: paired_difference(
                *(one.tasks[task].metrics["auc"].by_seed for one in (row, large))
            )
            for row in small
        }
        for task in result.table.tasks
    }


def _differences(results: Mapping[str, TableResult]) -> Differences:
    """Returns every row minus its baseline; the row, its own baseline and the part name it."""
    tasks = next(iter(results.values())).table.tasks
    rows = {
        ", ".join(filter(None, (result.table.compared(row.row), part))): row
        for part, result in results.items()
        for row in result.rows
        if row.row.label != result.table.baseline
    }
    return {
        task: {name: row.tasks[task].metrics["auc"].difference for name, row in rows.items()}
        for task in tasks
    }


def _values(results: Mapping[str, TableResult]) -> tuple[str, ...]:
    """Returns sentences with the mean AUC of every row."""
    sentences = []
    for part, result in results.items():
        for task in result.table.tasks:
            rows = [row for row in result.rows if row.tasks[task].metrics["auc"].summary]
            bayes = rows[0].tasks[task].bayes_auc if rows else None
            aucs = {row.row.label: row.tasks[task].metrics["auc"].mean for row in rows}
            words = [f"{label} {auc:.4f}" for label, auc in aucs.items()]
            words += [] if bayes is None else [f"Bayes-optimal {bayes:.4f}"]
            where = ", ".join(filter(None, (part, task)))
            sentences.append(f"Mean test AUC, {where}: {', '.join(words)}.")
    return tuple(sentences)


def _parameters(result: TableResult) -> str:
    return ", ".join(f"{r.row.label} {r.parameters('other'):,}" for r in result.rows if r.runs)


def _made_on(results: Mapping[str, TableResult]) -> str:
    return " ".join(dict.fromkeys(made_on(result) for result in results.values()))
