"""Makes a leaderboard: every registered model on one dataset, of about the same size.

  python -m experiments.leaderboard --data_dir=data/census_income
  python -m experiments.leaderboard --preset=smoke

`--raw_dir` takes an own log with its declaration, or the real Ali-CCP's files; without it and
`--data_dir` the data are a simulated Ali-CCP. Runs that are finished are not repeated. Writes
`leaderboard.csv`, `leaderboard.md`, `report.html`, the pictures `models` and `quality_cost`; the
runs, and a table of all their figures, lie in `runs/` beside them.
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING

from absl import logging

from dcrnn_tf.system import command_line, json_form
from dcrnn_tf.system.errors import UserError
from dcrnn_tf.system.settings import setting
from experiments.leaderboard.table import LEADERBOARD, SMOKE_MODELS
from experiments.runs import run_folder
from experiments.tables import make

if TYPE_CHECKING:
    from experiments.tables.result import RowResult


@dataclasses.dataclass(frozen=True)
class Output:
    """Where the leaderboard is written."""

    out_dir: str | None = setting(
        None, "Folder of what is written; runs/leaderboard-DATASET by default."
    )


def main(output: Output, settings: make.Settings) -> None:
    """Runs the program."""
    if settings.size == "smoke" and not settings.models:
        settings = dataclasses.replace(settings, models=SMOKE_MODELS)
    out_dir = pathlib.Path(output.out_dir or _default_folder(settings))
    result = make.attempt(LEADERBOARD, settings, out_dir / "runs" / LEADERBOARD.name)
    command_line.use_threads(0)
    logging.set_verbosity(logging.ERROR)  # TensorFlow tells of every file it writes
    from experiments.leaderboard import files
    from experiments.runs.pages.report import REPORT_FILE

    files.write_numbers(out_dir, result, {})  # what there is before exports are timed
    latencies: dict[str, dict[int, float]] = {}
    untimed: list[str] = []
    for row in result.rows:
        try:
            latencies[row.row.label] = _latency(result.folder, row)
        except UserError as error:
            untimed.append(f"{row.row.label}: no call is timed ({error})")
    print(files.write(out_dir, result, latencies).markdown())
    print(f"Report: {out_dir / REPORT_FILE}")
    make.refuse_failures([result], untimed)


def _default_folder(settings: make.Settings) -> pathlib.Path:
    """The folder of what is written: runs/leaderboard for the small form, as with other tables."""
    if settings.folder:
        return pathlib.Path("runs", f"{LEADERBOARD.name}-{pathlib.Path(settings.folder).name}")
    return pathlib.Path("runs", LEADERBOARD.folder_name(settings.size))


def _latency(folder: pathlib.Path, row: RowResult) -> dict[int, float]:
    """Of the exported model of a row's first run, measured once; empty where none is exported."""
    from experiments.runs import latency

    if row.row.deterministic or not row.runs:
        return {}
    path = folder / "latency" / f"{row.row.slug}.json"
    if not path.exists():
        print(f"Timing calls of {row.row.label}, exported.", flush=True)
        times = latency.measure(row.runs[0].folder)
        path.parent.mkdir(exist_ok=True)
        run_folder.write_json(path, {str(rows): time for rows, time in times.items()})
    times = json_form.read(path, json_form.Named(json_form.FROM_0), "remove it to measure again")
    return {int(rows): time for rows, time in times.items()}


if __name__ == "__main__":
    command_line.run(main, Output, make.Settings)
