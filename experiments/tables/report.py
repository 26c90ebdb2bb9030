"""The page of a paper table: an HTML page to look at, a Markdown page, and CSV for machines."""

import os
import pathlib
from collections.abc import Sequence

from experiments.reports.blocks import Bullets, Links, Pictures
from experiments.reports.document import Document, Section
from experiments.reports.plots import MANY
from experiments.runs.pages import curves, origin
from experiments.runs.pages.report import REPORT_FILE
from experiments.tables import grids, plots, sentences
from experiments.tables.result import RowResult, TableResult


def write(result: TableResult, folder: pathlib.Path) -> Document:
    """Writes `NAME.csv` and `NAME.md` of the table's name, then `report.html`; returns the page.

    The first two have no pictures: they are there even where a picture cannot be drawn.
    """
    name = result.table.name
    document(result, folder, pictures=False).write(folder / f"{name}.csv", folder / f"{name}.md")
    page = document(result, folder)
    page.write(folder / REPORT_FILE)
    return page


def document(result: TableResult, folder: pathlib.Path, pictures: bool = True) -> Document:
    """Returns the page of a table.

    Args:
      result: The result of the table.
      folder: Folder of the page, from which links lead to the runs' reports.
      pictures: Whether pictures are drawn, which only the HTML page has.
    """
    table, data = result.table, result.data
    runs = {row.row.label: row.drawn for row in result.ranking or result.rows if row.drawn}
    first, *others, cost, settings = grids.grids(result)
    caption = "Dots are seeds, the bar is the 95 % interval of their mean."
    primary = " and ".join(dict.fromkeys(result.primary(task).label for task in table.tasks))
    by_seed = Pictures([plots.by_seed(result, t) for t in table.tasks if pictures], caption)
    dataset = f"Dataset {data['name']}, fingerprint {data['fingerprint']}."
    links = Links([(row.row.label, found) for row in result.rows if (found := _links(row, folder))])
    return Document(
        table.title,
        Section.of(first),
        [
            *_verdict_sections(result, pictures),
            Section(f"{primary} by seed", [by_seed]),
            *map(Section.of, others),
            *(curves.sections(runs) if pictures and runs else ()),
            *map(Section.of, (cost, settings)),
            *origin.sections(result.runs),
            Section("", [dataset], only="markdown"),
            Section("The runs", [links]),
            Section("Reading the figures", [Bullets(sentences.notes(result), small=True)]),
        ],
        warning=sentences.warning(result),
        remark=f"The published figures are of {table.dataset}." if table.published else "",
        source=sentences.source(table),
        incomplete=sentences.incomplete(result),
        data=grids.records(result),
    )


def _verdict_sections(result: TableResult, drawn: bool) -> list[Section]:
    """Returns the differences to the baseline: sentences, or pictures where they are many."""
    heading, table = f"Against {result.table.compared_with}", result.table
    verdicts = Bullets([f"{label}, {words}." for label, words in sentences.verdicts(result)])
    if len(result.rows) < MANY:
        return [Section(heading, [verdicts])]
    if not drawn:
        return [Section(heading, [verdicts], only="markdown")]
    pictures = Pictures(
        [
            plots.differences(result, task, metric)
            for metric in table.metrics
            for task in table.tasks
        ],
        "Bars are 95 % intervals over seeds. A hollow dot has an interval that holds 0, or none: "
        "no difference is shown. The figures stand under Intervals and tests.",
    )
    return [Section(heading, [verdicts], only="markdown"), Section(heading, [pictures])]


def _links(row: RowResult, folder: pathlib.Path) -> Sequence[tuple[str, str]]:
    """Returns the seeds of a row's reports, and their addresses as seen from a folder."""
    reports = {run.seed: run.folder / REPORT_FILE for run in row.runs}
    return [
        (
            "any seed" if row.row.deterministic else f"seed {seed}",
            pathlib.PurePath(os.path.relpath(report, folder)).as_posix(),
        )
        for seed, report in reports.items()
        if report.exists()
    ]
