"""A table's result in words and figures: a CSV for machines, a Markdown page for readers."""

import csv
import dataclasses
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence

from experiments.tables import RowResult, TableResult

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
    """The words that must stand above simulated figures; None for real data."""
    return f"Simulated data, not {result.table.dataset}" if result.data["simulated"] else None


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
    """A sentence per row and task on the row against the baseline, never without its interval."""
    return [
        (row.row.label, f"{task}: {_verdict(result, row, task)}")
        for row in result.rows
        if row.row.label != result.table.baseline
        for task in row.tasks
    ]


def grids(result: TableResult) -> list[Grid]:
    """All tables of a report; the first has the paper's form."""
    table = result.table
    columns = [(task, name) for task in table.tasks for name in table.columns]
    pairs = [(row, task) for row in result.rows for task in table.tasks]
    return [
        Grid(
            "AUC on the test split",
            (
                "model",
                *(f"{task} {name}" for task, name in columns),
                *(f"paper: {task} {name}" for task, name in columns),
            ),
            tuple(
                (
                    row.row.label,
                    *(number(_auc(row, task, name)) for task, name in columns),
                    *(number(_published(row, task).get(name)) for task, name in columns),
                )
                for row in result.rows
            ),
        ),
        Grid(
            "Intervals and tests",
            (
                *("model", "task", "seeds", "mean", "95 % interval", "std"),
                *(f"minus {table.baseline}", "95 % interval of it", "p"),
            ),
            tuple((row.row.label, task, *_test_cells(row, task)) for row, task in pairs),
            texts=2,
        ),
        Grid(
            "Distance to the optimum, and quality of the probabilities",
            (
                *("model", "task", "Bayes-optimal AUC", "gap to it", "attained"),
                *("logloss", "constant's logloss", "calibration"),
            ),
            tuple((row.row.label, task, *_quality_cells(row, task)) for row, task in pairs),
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


def notes(result: TableResult) -> list[str]:
    """How the figures are to be read."""
    baseline = result.table.baseline
    lines = [
        "Intervals and tests are over seeds: they say how one configuration varies from run to run "
        "on this test split, not what another sample of rows would give.",
        f"Differences are to {baseline} with the same seed; p is of the two-sided paired t-test, "
        "not corrected for the number of comparisons.",
        "Logloss stands beside that of the best constant prediction; calibration is predicted over "
        "observed positives, 1 is right.",
        "Rows/s and wall time are medians over the runs.",
    ]
    if any(row.row.deterministic for row in result.rows):
        lines.append("A model that no seed changes is run once and compared with every seed.")
    if result.data["simulated"]:
        lines.append(
            "The Bayes-optimal AUC is that of the simulator's true probabilities, which no model "
            "beats but by chance; attained is the share of the way there from 0.5."
        )
    return lines


def write_csv(result: TableResult, path: str | pathlib.Path) -> None:
    """Writes one line per row and task; a figure that does not exist is an empty cell."""
    lines = list(_csv_lines(result))
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, lines[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def write_markdown(result: TableResult, path: str | pathlib.Path) -> None:
    """Writes the paper's table with our figures, then what is needed to judge them."""
    table = result.table
    first, *others = grids(result)
    parts = []
    if words := warning(result):
        parts.append(f"**{words}.** The published figures are of {table.dataset}.")
    parts.append(f"# {_escape(table.title)}")
    if lacking := incomplete(result):
        parts.append(f"**Incomplete.** {_escape('; '.join(lacking))}.")
    parts += [_markdown_grid(first), f"Published figures: {_escape(table.source)}."]
    sentences = [f"- {_escape(f'{label}, {sentence}')}." for label, sentence in verdicts(result)]
    parts += [f"## Against {_escape(table.baseline)}", "\n".join(sentences)]
    for grid in others:
        parts += [f"## {grid.title}", _markdown_grid(grid)]
    name, fingerprint = result.data["name"], result.data["fingerprint"]
    parts.append(f"Dataset {_escape(name)}, fingerprint {fingerprint}.")
    parts += ["## Reading the figures", "\n".join(f"- {_escape(note)}" for note in notes(result))]
    pathlib.Path(path).write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _verdict(result: TableResult, row: RowResult, task: str) -> str:
    baseline, difference = result.table.baseline, row.tasks[task].difference
    if difference is None:
        return f"not compared, no seed has an AUC here and of {baseline}"
    against = f"{difference.mean:+.4f} against {baseline}"
    if difference.interval is None:
        pairs = "1 seed" if difference.pairs == 1 else f"{difference.pairs} seeds without spread"
        return f"{against} ({pairs}: no interval, no test)"
    p = p_value(difference.p_value)
    words = (
        f"{against} (95 % interval {interval(difference.interval)}, "
        f"p {p if p.startswith('<') else f'= {p}'}, {difference.pairs} paired seeds)"
    )
    low, high = difference.interval
    return words + ("; the interval holds 0, no difference is shown" if low <= 0 <= high else "")


def _test_cells(row: RowResult, task: str) -> tuple[str, ...]:
    auc, difference = row.tasks[task].auc, row.tasks[task].difference
    return (
        str(auc.count if auc else 0),
        number(auc and auc.mean),
        interval(auc and auc.interval),
        number(auc and auc.std),
        number(difference and difference.mean, "+.4f"),
        interval(difference and difference.interval, "+.4f"),
        p_value(difference and difference.p_value),
    )


def _quality_cells(row: RowResult, task: str) -> tuple[str, ...]:
    figures = row.tasks[task]
    return (
        number(figures.bayes_auc),
        number(figures.gap),
        number(figures.attained, ".0%"),
        number(figures.logloss, ".5f"),
        number(figures.constant_logloss, ".5f"),
        number(figures.calibration, ".3f"),
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


def _csv_lines(result: TableResult) -> Iterator[dict[str, object]]:
    for row in result.rows:
        for task, figures in row.tasks.items():
            auc, difference = figures.auc, figures.difference
            low, high = (auc and auc.interval) or (None, None)
            difference_low, difference_high = (difference and difference.interval) or (None, None)
            published = _published(row, task)
            yield {
                "table": result.table.name,
                "row": row.row.label,
                "model": row.row.model,
                "task": task,
                "simulated": result.data["simulated"],
                "seeds": auc.count if auc else 0,
                "auc_best": auc and auc.best,
                "auc_mean": auc and auc.mean,
                "auc_std": auc and auc.std,
                "auc_low": low,
                "auc_high": high,
                **{f"paper_{name}": published.get(name) for name in result.table.columns},
                "baseline": result.table.baseline,
                "difference": difference and difference.mean,
                "difference_low": difference_low,
                "difference_high": difference_high,
                "p_value": difference and difference.p_value,
                "pairs": difference.pairs if difference else 0,
                "bayes_auc": figures.bayes_auc,
                "gap_to_bayes": figures.gap,
                "attained": figures.attained,
                "logloss": figures.logloss,
                "constant_logloss": figures.constant_logloss,
                "calibration": figures.calibration,
                "parameters_total": row.parameters("total"),
                "parameters_embedding": row.parameters("embedding"),
                "parameters_other": row.parameters("other"),
                "rows_per_second": row.median("result.rows_per_second"),
                "wall_seconds": row.median("result.wall_seconds"),
                "seeds_lacking": len(row.missing) + len(row.unfinished),
                "fingerprint": result.data["fingerprint"],
            }


def _auc(row: RowResult, task: str, name: str) -> float | None:
    auc = row.tasks[task].auc
    return auc and getattr(auc, name)


def _published(row: RowResult, task: str) -> Mapping[str, float]:
    return (row.row.paper or {}).get(task, {})


def _seeds(seeds: Sequence[int]) -> str:
    return ("seed " if len(seeds) == 1 else "seeds ") + ", ".join(str(seed) for seed in seeds)


def _markdown_grid(grid: Grid) -> str:
    """A Markdown table, padded so that it reads well as plain text too."""
    lines = [[_escape(cell) for cell in line] for line in (grid.header, *grid.lines)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(grid.header))]
    rule = [
        "-" * width if column < grid.texts else "-" * (width - 1) + ":"
        for column, width in enumerate(widths)
    ]
    lines.insert(1, rule)
    return "\n".join(
        "| "
        + " | ".join(
            cell.ljust(width) if column < grid.texts else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in lines
    )


def _escape(text: str) -> str:
    """Text that Markdown takes literally, on one line."""
    text = re.sub(r"([\\|*`\[\]]|[<&](?=\S)|\b_|_\b)", r"\\\1", " ".join(str(text).split()))
    return text
