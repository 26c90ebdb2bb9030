"""Figures of finished tables: makes the runs, writes the pictures, and one page of all of them.

Matplotlib is imported where pictures are written, after the runs, beside which this process shall
take little memory.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from absl import flags

from dcrnn_tf.system.whole_file import whole_file
from experiments.tables import make
from experiments.tables.spec import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments.tables.result import TableResult
    from experiments.tables.statistics import PairedDifference

Results: TypeAlias = "Mapping[str, TableResult]"
"""Results of tables, by the tables' names."""


@dataclasses.dataclass(frozen=True)
class Shown:
    """A figure, drawn, and what it shows; `data` is what its runs were made on."""

    name: str
    heading: str
    figure: Figure
    sentences: tuple[str, ...]
    data: str = ""


def define_flags(out_dir: str, data_dir: str | None = None) -> None:
    """Defines the flags that `make_runs` takes.

    Args:
      out_dir: default of `--out_dir`.
      data_dir: help of `--data_dir`; None if there are no real data to give.
    """
    flags.DEFINE_string("out_dir", out_dir, "Folder of the figures and of their runs.")
    flags.DEFINE_enum("preset", None, make.PRESETS, "Size of the runs; default small.")
    if data_dir is not None:
        flags.DEFINE_string("data_dir", None, data_dir)
    flags.DEFINE_string("work_dir", "data", "Folder of simulated and prepared data.")


def make_runs(tables: Sequence[Table], flag_values: flags.FlagValues) -> Results:
    """Makes the tables that figures are drawn from, in `--out_dir`/runs."""
    settings = make.settings_of(flag_values)
    return make.make_all(tables, settings, pathlib.Path(flag_values.out_dir, "runs"))


def write(
    out_dir: str | pathlib.Path,
    shown: Sequence[Shown],
    title: str,
    source: str,
    warning: str | None = None,
    file: str = "figures.html",
) -> pathlib.Path:
    """Writes each figure as PNG and SVG and all on one page; returns the page's path."""
    from experiments.reports import plots, report

    out_dir = pathlib.Path(out_dir)
    sections = []
    for one in shown:
        for suffix in ("png", "svg"):
            with whole_file(out_dir / f"{one.name}.{suffix}", "wb") as opened:
                one.figure.savefig(opened, format=suffix, dpi=150)
        words = ((one.data,) if one.data else ()) + one.sentences
        picture = plots.picture(one.figure, one.heading)
        sections.append(report.Section(one.heading, sentences=words, figures=[picture]))
    return report.write_page(
        out_dir / file,
        title=title,
        warning=warning,
        source=source,
        origin="Drawn after",
        incomplete=[],
        sections=sections,
    )


def difference_words(difference: PairedDifference | None) -> str:
    """A paired difference with its interval, as far as it has one."""
    if difference is None:
        return "not known, no seed is common"
    words = f"{difference.mean:+.4f}"
    if difference.interval is None:
        return f"{words} (paired seeds: {difference.pairs}, no interval)"
    low, high = difference.interval
    return f"{words} (95 % interval {low:+.4f} to {high:+.4f}, {difference.pairs} paired seeds)"


def made_on(result: TableResult) -> str:
    """A sentence on the data of a table's runs."""
    data = result.data
    planted = (data.get("simulation") or {}).get("labels")
    kind = planted or ("simulated" if data["simulated"] else "real")
    rows = data["rows"]
    return (
        f"Runs on {result.table.dataset} ({kind}): {rows['train']:,} training and "
        f"{rows['test']:,} test rows."
    )
