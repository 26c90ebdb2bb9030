"""Reproduces tables of the papers: data, all runs, statistics, reports.

Without --raw_dir it simulates the data first; with it, it works on the real files. Runs that are
finished are not repeated, and a run that was interrupted goes on from its checkpoint.

Example:
  python -m experiments.reproduce --table=table4 --preset=small
  python -m experiments.reproduce --table=table4 --raw_dir=path/to/ali_ccp

Several tables, separated by commas, are made one after the other, each in a folder of its own.
"""

import dataclasses

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import setting
from experiments.table_registry import TABLES
from experiments.tables import make


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which tables are made, and where."""

    table: tuple[str, ...] = setting(
        ("table4",),
        f"Tables to reproduce, of {', '.join(TABLES)}.",
    )
    out_dir: str | None = setting(
        None, "Folder of the table, or of the tables' folders; runs/TABLE by default."
    )


def main(chosen: Settings, settings: make.Settings) -> None:
    """Runs the program."""
    unknown = [name for name in chosen.table if name not in TABLES]
    if unknown or not chosen.table:
        raise command_line.UsageError(
            f"--table={','.join(chosen.table)}: each must be one of {', '.join(TABLES)}"
        )
    tables = [TABLES[name] for name in dict.fromkeys(chosen.table)]
    if chosen.out_dir and len(tables) == 1:
        make.make(tables[0], settings, chosen.out_dir)
    else:
        make.make_all(tables, settings, chosen.out_dir or "runs")


if __name__ == "__main__":
    command_line.run(main, Settings, make.Settings)
