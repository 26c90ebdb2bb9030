"""Writes the files of a leaderboard: CSV, Markdown, an HTML page, and its picture."""

import pathlib
from collections.abc import Sequence

from experiments.leaderboard import content
from experiments.reports import plots
from experiments.reports.blocks import Bullets, Links, Picture, Pictures
from experiments.reports.document import Document, Section
from experiments.runs.pages.report import REPORT_FILE
from experiments.tables import comparison_plots, sentences
from experiments.tables.result import TableResult

_COST = "result.wall_seconds"
COST_WORDS = "seconds of a run, median"
"""What the pictures' cost is, in words."""
_CAPTION = (
    "Dots are means over seeds, bars their 95 % intervals; a triangle is far off. Against cost, "
    "names are those of the Pareto front: no model is both better and cheaper."
)


def write(
    out_dir: str | pathlib.Path, result: TableResult, latencies: content.Latencies
) -> Document:
    """Writes all files and returns the page; those without pictures first.

    Args:
      out_dir: Folder of the files.
      result: Result of the finished runs.
      latencies: Times of calls of the exported models.
    """
    out_dir = pathlib.Path(out_dir)
    write_numbers(out_dir, result, latencies)
    shown = comparison_plots.panels(result, _COST)
    with plots.styled():
        labels = dict.fromkeys(result.primary(task).label for task in result.table.tasks)
        words = f"Test {' and '.join(labels)}"
        pictures = [
            plots.save(figure, out_dir / name, described)
            for name, figure, described in (
                (
                    "models",
                    comparison_plots.dots(shown, result.table.baseline),
                    f"{words} by model, the best on top",
                ),
                (
                    "quality_cost",
                    comparison_plots.pareto(shown, COST_WORDS),
                    f"{words} over the time of a run, the Pareto front named",
                ),
            )
        ]
    page = _document(out_dir, result, latencies, pictures)
    page.write(out_dir / REPORT_FILE)
    return page


def write_numbers(out_dir: pathlib.Path, result: TableResult, latencies: content.Latencies) -> None:
    """Writes the CSV and the Markdown file, which have no pictures; arguments as of `write`."""
    page = _document(out_dir, result, latencies, [])
    page.write(out_dir / "leaderboard.csv", out_dir / "leaderboard.md")


def _document(
    out_dir: pathlib.Path,
    result: TableResult,
    latencies: content.Latencies,
    pictures: Sequence[Picture],
) -> Document:
    """Returns the page with these pictures."""
    runs = pathlib.PurePath(result.folder / REPORT_FILE).relative_to(out_dir).as_posix()
    tasks, data = result.table.tasks, result.data
    rows = ", ".join(f"{n:,} {split}" for split, n in data["rows"].items())
    dataset = f"Dataset {data['name']}, fingerprint {data['fingerprint']}; rows: {rows}."
    return Document(
        f"Leaderboard on {data['name']}",
        Section("In short", [Bullets([content.summary(result, task) for task in tasks])]),
        [
            Section("Quality and cost", [Pictures(pictures, _CAPTION)]),
            *(
                Section.of(grid(result, task))
                for task in tasks
                for grid in (content.ranking_grid, content.further_metrics_grid)
            ),
            Section.of(content.cost_grid(result, latencies)),
            Section("Not on the board", [Bullets(result.left_out)] if result.left_out else []),
            Section("Settings", [Bullets(content.settings_of(result.rows), small=True)]),
            Section("All figures", [Links([("of every run", [("the table", runs)])])]),
            Section("", [dataset], only="markdown"),
            Section("Reading the figures", [Bullets(content.notes(result), small=True)]),
        ],
        warning=sentences.warning(result),
        incomplete=sentences.incomplete(result),
        data=content.records(result, latencies),
    )
