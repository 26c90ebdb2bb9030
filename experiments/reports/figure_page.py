"""Figures of finished tables: makes the runs, writes the pictures, and one page of all of them.

Matplotlib is imported where pictures are written: the runs are made by other processes, which may
take hours in which this one needs nothing of it.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from absl import flags

from dcrnn_tf.system import command_line
from dcrnn_tf.system.whole_file import whole_file
from experiments.runs import run_folder
from experiments.tables import datasets
from experiments.tables.spec import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments.tables.statistics import PairedDifference

Folders = Mapping[str, pathlib.Path]
"""Where the runs of each table lie, by the table's name."""


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
    flags.DEFINE_enum("preset", None, ["small", "smoke"], "Size of the runs; default small.")
    if data_dir is not None:
        flags.DEFINE_string("data_dir", None, data_dir)
    flags.DEFINE_string("work_dir", "data", "Folder of simulated and prepared data.")


def make_runs(tables: Sequence[Table], flag_values: flags.FlagValues) -> Folders:
    """Makes all runs of the tables, as far as they are not finished, in `--out_dir`/runs.

    Raises:
      UsageError: --data_dir and --preset are both given.
    """
    data_dir = getattr(flag_values, "data_dir", None)
    if data_dir and flag_values.preset:
        raise command_line.UsageError(
            "--preset is for simulated data, --data_dir for real data; give one of them"
        )
    runs = pathlib.Path(flag_values.out_dir, "runs")
    preset = None if data_dir else flag_values.preset or "small"
    datasets.call(
        "experiments.reproduce",
        f"--table={','.join(table.name for table in tables)}",
        f"--preset={preset}" if preset else f"--data_dir={data_dir}",
        f"--out_dir={runs}",
        f"--work_dir={flag_values.work_dir}",
    )
    return {table.name: runs / table.folder_name(preset) for table in tables}


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


def data_of(table: Table, folders: Folders) -> dict:
    """What the runs of a table say of their dataset."""
    folder = table.run_dir(folders[table.name], table.rows[0], 1)
    return run_folder.read_json(folder / run_folder.RUN_FILE)["dataset"]


def made_on(table: Table, folders: Folders) -> str:
    """A sentence on the data of a table's runs."""
    data = data_of(table, folders)
    planted = (data.get("simulation") or {}).get("labels")
    kind = planted or ("simulated" if data["simulated"] else "real")
    rows = data["rows"]
    return (
        f"Runs on {table.dataset} ({kind}): {rows['train']:,} training and {rows['test']:,} test "
        "rows."
    )
