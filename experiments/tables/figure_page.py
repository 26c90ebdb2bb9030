"""Writes the figures of finished tables, and one page of all of them."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from experiments.reports import plots
from experiments.reports.blocks import Bullets, Pictures
from experiments.reports.document import Document, Section
from experiments.reports.grid import Grid
from experiments.tables.result import TableResult
from experiments.tables.statistics import PairedDifference

Results = Mapping[str, TableResult]
"""Results of tables, by the tables' names."""


@dataclasses.dataclass(frozen=True)
class DrawnFigure:
    """A figure that is drawn, and what is said of it.

    Attributes:
      name: Name of the figure's files, without a suffix.
      heading: Heading above the figure.
      figure: The figure.
      sentences: What the figure shows.
      data: Sentence on the data that the figure's runs were made on.
    """

    name: str
    heading: str
    figure: Figure
    sentences: tuple[str, ...]
    data: str = ""


def write(
    path: pathlib.Path,
    shown: Sequence[DrawnFigure],
    title: str,
    source: str,
    warning: str = "",
    data: Grid | None = None,
) -> None:
    """Writes each figure as PNG and SVG, all of them on one page, and their data as CSV beside it.

    Args:
      path: HTML file of the page.
      shown: The figures.
      title: Heading of the page.
      source: What the figures are drawn after.
      warning: Words that must stand above the figures.
      data: Values behind the figures; without them there is no CSV.
    """
    sections = []
    for one in shown:
        words = ((one.data,) if one.data else ()) + one.sentences
        picture = plots.save(one.figure, path.with_name(one.name), one.heading)
        sections.append(Section(one.heading, [Bullets(words), Pictures([picture])]))
    first, *others = sections
    page = Document(title, first, others, warning, source=f"Drawn after: {source}", data=data)
    page.write(path, *([path.with_suffix(".csv")] if data else []))


def difference_words(difference: PairedDifference | None) -> str:
    """Returns a paired difference in words, with its interval if it has one."""
    if difference is None:
        return "not known, no seed is common"
    words = f"{difference.mean:+.4f}"
    if difference.interval is None:
        return f"{words} (paired seeds: {difference.pairs}, no interval)"
    low, high = difference.interval
    return f"{words} (95 % interval {low:+.4f} to {high:+.4f}, {difference.pairs} paired seeds)"


def made_on(result: TableResult) -> str:
    """Returns a sentence on the data of a table's runs."""
    data = result.data
    planted = (data.get("simulation") or {}).get("labels")
    kind = planted or ("simulated" if data["simulated"] else "real")
    rows = data["rows"]
    return (
        f"Runs on {result.table.dataset} ({kind}): {rows['train']:,} training and "
        f"{rows['test']:,} test rows."
    )
