"""Measures the preparation of a made log of 500,000 users and 200,000 items: time and memory.

  python -m benchmarks.own_log --work_dir=runs/own_log

All data is synthetic.
"""

import dataclasses
import json
import pathlib
import shutil

from benchmarks.preparation import gib, measured
from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting
from experiments.reports.grid import Grid, Number

COLUMNS = (
    Number("rows", "rows", ","),
    Number("seconds", "seconds", ".1f"),
    Number("rows/s", "rows_per_second", ",.0f"),
    Number("processor seconds", "cpu_seconds", ".1f"),
    Number("peak memory", "peak_bytes", gib(2)),
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The sizes that are measured, and what is prepared of each."""

    work_dir: str = required("Folder of made logs and datasets, which are removed again.")
    rows: tuple[int, ...] = setting(
        (1_000_000, 3_000_000, 10_000_000), "Numbers of rows of the logs."
    )
    entities: bool = setting(True, "Whether users and items are entity tables.")
    histories: bool = setting(True, "Whether rows have a history of their user's items.")


def measure(folder: pathlib.Path, rows: int, entities: bool, histories: bool) -> dict:
    """Makes a log in a folder, and prepares it with a program of its own."""
    from benchmarks.own_log import made_log

    try:
        made_log.write(folder, rows)
        declaration = folder / "films.json"
        content = made_log.declaration(entities, histories)
        declaration.write_text(json.dumps(content), encoding="utf-8")
        flags = (f"--declaration={declaration}", f"--raw_dir={folder}")
        found = measured("data_prep.own_log", *flags, f"--out_dir={folder / 'prepared'}")
        return {"rows": rows, "rows_per_second": rows / found["seconds"], **found}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(settings: Settings) -> None:
    """Runs the program."""
    work_dir = pathlib.Path(settings.work_dir)
    points = [
        measure(work_dir / f"rows_{rows}", rows, settings.entities, settings.histories)
        for rows in settings.rows
    ]
    print(Grid.of("Preparation of an own log", COLUMNS, points).markdown())


if __name__ == "__main__":
    command_line.run(main, Settings)
