"""A table's result as files: a CSV for machines, a Markdown page for readers."""

import csv
import pathlib
import re
from collections.abc import Iterator

from dcrnn_tf.system.whole_file import whole_file
from experiments.tables.content import (
    Grid,
    difference_cells,
    further_metrics,
    grids,
    incomplete,
    notes,
    origin,
    published,
    verdicts,
    warning,
)
from experiments.tables.result import MetricResult, TableResult


def write_csv(result: TableResult, path: str | pathlib.Path) -> None:
    """Writes one line per row and task; a figure that does not exist is an empty cell."""
    lines = list(_csv_lines(result))
    with whole_file(path, newline="") as file:
        writer = csv.DictWriter(file, lines[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def write_markdown(result: TableResult, path: str | pathlib.Path) -> None:
    """Writes the paper's table with our figures, then what is needed to judge them."""
    table = result.table
    first, *others = grids(result)
    parts = []
    if words := warning(result):
        other = f"The published figures are of {table.dataset}." if table.published else ""
        parts.append(f"**{escape(words)}.** {escape(other)}".rstrip())
    parts.append(f"# {escape(table.title)}")
    if lacking := incomplete(result):
        parts.append(f"**Incomplete.** {escape('; '.join(lacking))}.")
    parts += [markdown_grid(first), f"{origin(table)}: {escape(table.source)}."]
    sentences = [f"- {escape(f'{label}, {sentence}')}." for label, sentence in verdicts(result)]
    parts += [f"## Against {escape(table.compared_with)}", "\n".join(sentences)]
    for grid in others:
        parts += [f"## {escape(grid.title)}", markdown_grid(grid)]
    name, fingerprint = result.data["name"], result.data["fingerprint"]
    parts.append(f"Dataset {escape(name)}, fingerprint {escape(fingerprint)}.")
    parts += ["## Reading the figures", "\n".join(f"- {escape(note)}" for note in notes(result))]
    with whole_file(path) as file:
        file.write("\n\n".join(parts) + "\n")


def _csv_lines(result: TableResult) -> Iterator[dict[str, object]]:
    for row in result.rows:
        for task, figures in row.tasks.items():
            primary, *others = result.table.metrics
            summary, difference = figures.primary.summary, figures.primary.difference
            low, high = (summary and summary.interval) or (None, None)
            paper = published(row, task)
            yield {
                "table": result.table.name,
                "row": row.row.label,
                "model": row.row.model,
                "task": task,
                "simulated": result.data["simulated"],
                "seeds": summary.count if summary else 0,
                f"{primary.name}_best": summary and summary.best,
                f"{primary.name}_mean": summary and summary.mean,
                f"{primary.name}_std": summary and summary.std,
                f"{primary.name}_low": low,
                f"{primary.name}_high": high,
                **{f"paper_{name}": paper.get(name) for name in result.table.columns},
                "baseline": result.table.baseline_of(row.row),
                **difference_cells(difference),
                "p_value": difference and difference.p_value,
                "pairs": difference.pairs if difference else 0,
                **{
                    f"{metric.name}_{name}": value
                    for metric in others
                    for name, value in _comparison_cells(figures.metrics[metric.name]).items()
                },
                "bayes_auc": figures.bayes_auc,
                "gap_to_bayes": figures.gap,
                "attained": figures.attained,
                **{m.name: figures.metrics[m.name].mean for m in further_metrics(result)},
                "parameters_total": row.parameters("total"),
                "parameters_embedding": row.parameters("embedding"),
                "parameters_other": row.parameters("other"),
                "rows_per_second": row.median("result.rows_per_second"),
                "wall_seconds": row.median("result.wall_seconds"),
                "seeds_lacking": len(row.missing) + len(row.unfinished),
                "fingerprint": result.data["fingerprint"],
            }


def _comparison_cells(result: MetricResult) -> dict[str, float | None]:
    """What a table has of a metric that it compares by beside the primary one."""
    summary, difference = result.summary, result.difference
    low, high = (summary and summary.interval) or (None, None)
    return {
        "std": summary and summary.std,
        "low": low,
        "high": high,
        **difference_cells(difference),
        "p_value": difference and difference.p_value,
    }


def markdown_grid(grid: Grid) -> str:
    """A Markdown table, padded so that it reads well as plain text too."""
    lines = [[escape(cell) for cell in line] for line in (grid.header, *grid.lines)]
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


def escape(text: str) -> str:
    """Text that Markdown takes literally, on one line."""
    text = re.sub(r"([\\|*`\[\]]|[<&](?=\S)|\b_|_\b)", r"\\\1", " ".join(str(text).split()))
    return text
