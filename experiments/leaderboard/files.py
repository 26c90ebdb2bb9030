"""A leaderboard as files: CSV, Markdown, one page, and its figure as PNG and SVG."""

import csv
import pathlib
from collections.abc import Iterable, Sequence

import matplotlib

from dcrnn_tf import metrics
from dcrnn_tf.system.whole_file import whole_file
from experiments.leaderboard import content as content
from experiments.leaderboard.plots import quality_against_cost
from experiments.reports import plots, report
from experiments.tables import content as table_text
from experiments.tables.files import escape, markdown_grid
from experiments.tables.result import TableResult

MARKDOWN = "leaderboard.md"
_FIGURE = "quality_cost"


def write(
    out_dir: str | pathlib.Path,
    result: TableResult,
    latencies: content.Latencies,
    left_out: Sequence[str],
) -> pathlib.Path:
    """Writes all files; returns the page's path.

    Args:
      out_dir: folder of the files.
      result: the finished runs.
      latencies: of the exported models.
      left_out: a sentence for each model that is not on the board.
    """
    out_dir = pathlib.Path(out_dir)
    _write_csv(result, latencies, out_dir / "leaderboard.csv")
    _write_markdown(result, latencies, left_out, out_dir / MARKDOWN)
    with matplotlib.rc_context(plots.STYLE):
        figure = quality_against_cost(result)
        for suffix in ("png", "svg"):
            with whole_file(out_dir / f"{_FIGURE}.{suffix}", "wb") as file:
                figure.savefig(file, format=suffix, dpi=150)
        words = f"Test {metrics.get(metrics.PRIMARY).label} over rows a second of training"
        picture = plots.picture(figure, f"{words}, a dot per model")
    tasks = result.table.tasks
    cost = content.cost_grid(result, latencies)
    runs = pathlib.PurePath(result.folder / report.REPORT_FILE).relative_to(out_dir).as_posix()
    sections = [
        report.Section("In short", sentences=[content.summary(result, task) for task in tasks]),
        report.Section("Quality and cost", figures=[picture]),
        *(report.Section(grid.title, grid) for grid in _task_grids(result)),
        report.Section(cost.title, cost),
        report.Section("Not on the board", sentences=left_out) if left_out else None,
        report.Section("Settings", sentences=content.settings_of(result.rows), small=True),
        report.Section("All figures", links=[("of every run", [("the table", runs)])]),
        report.Section("Reading the figures", sentences=content.notes(result), small=True),
    ]
    return report.write_page(
        out_dir / report.REPORT_FILE,
        title=_title(result),
        warning=table_text.warning(result),
        source=None,
        origin=None,
        incomplete=table_text.incomplete(result),
        sections=[section for section in sections if section],
    )


def _write_csv(result: TableResult, latencies: content.Latencies, path: pathlib.Path) -> None:
    lines = list(content.csv_lines(result, latencies))
    with whole_file(path, newline="") as file:
        writer = csv.DictWriter(file, lines[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def _write_markdown(
    result: TableResult,
    latencies: content.Latencies,
    left_out: Sequence[str],
    path: pathlib.Path,
) -> None:
    parts = [f"**{escape(words)}.**"] if (words := table_text.warning(result)) else []
    parts.append(f"# {escape(_title(result))}")
    if lacking := table_text.incomplete(result):
        parts.append(f"**Incomplete.** {escape('; '.join(lacking))}.")
    parts.append(_list(content.summary(result, task) for task in result.table.tasks))
    for grid in (*_task_grids(result), content.cost_grid(result, latencies)):
        parts += [f"## {escape(grid.title)}", markdown_grid(grid)]
    if left_out:
        parts += ["## Not on the board", _list(left_out)]
    parts += ["## Settings", _list(content.settings_of(result.rows))]
    rows = ", ".join(f"{n:,} {split}" for split, n in result.data["rows"].items())
    data = f"Dataset {result.data['name']}, fingerprint {result.data['fingerprint']}; rows: {rows}."
    parts += [escape(data), "## Reading the figures", _list(content.notes(result))]
    with whole_file(path) as file:
        file.write("\n\n".join(parts) + "\n")


def _task_grids(result: TableResult) -> list[table_text.Grid]:
    return [content.task_grid(result, task) for task in result.table.tasks]


def _title(result: TableResult) -> str:
    return f"Leaderboard on {result.data['name']}"


def _list(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {escape(sentence)}" for sentence in sentences)
