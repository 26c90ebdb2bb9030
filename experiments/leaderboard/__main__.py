"""Every registered model on one dataset: about the same size, paired seeds, quality beside cost.

  python -m experiments.leaderboard --data_dir=data/census_income
  python -m experiments.leaderboard --preset=smoke

Without --data_dir the data are a simulated Ali-CCP. Runs that are finished are not repeated. Writes
`leaderboard.csv`, `leaderboard.md`, `report.html` and `quality_cost.png` and `.svg`; the runs, and
a table of all their figures, lie in `runs/` beside them.
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING

from absl import flags, logging

from dcrnn_tf.system import command_line
from experiments.leaderboard.table import LEADERBOARD, SMOKE_MODELS
from experiments.runs import run_folder
from experiments.tables import make

if TYPE_CHECKING:
    from experiments.tables.result import RowResult

FLAGS = flags.FLAGS


def _define_flags() -> None:
    flags.DEFINE_string(
        "data_dir",
        None,
        "A prepared dataset, a log of your own with its declaration, or the real Ali-CCP's files; "
        "simulated if none.",
    )
    flags.DEFINE_enum("preset", None, make.PRESETS, "Size of the simulated form.")
    flags.DEFINE_list("models", None, "Models beside MMoE, by name; all if not given.")
    flags.DEFINE_integer("seeds", None, "Runs per model; 5 if not given.", lower_bound=1)
    flags.DEFINE_integer("epochs", None, "Epochs; 1 if not given.", lower_bound=1)
    flags.DEFINE_integer(
        "rows", None, "Rows of Ali-CCP; the preset's if not given.", lower_bound=1000
    )
    flags.DEFINE_string(
        "out_dir", None, "Folder of what is written; runs/leaderboard-DATASET if not given."
    )
    flags.DEFINE_string("work_dir", "data", "Folder of simulated and prepared data.")
    flags.DEFINE_integer("parallel_runs", 0, "Runs at a time; 0 is one per core.", lower_bound=0)


def main() -> None:
    """Runs the program."""
    settings = make.settings_of(FLAGS)
    if settings.size == "smoke" and not settings.models:
        settings = dataclasses.replace(settings, models=SMOKE_MODELS)
    out_dir = pathlib.Path(FLAGS.out_dir or _default_folder(settings))
    result = make.make(LEADERBOARD, settings, out_dir / "runs" / LEADERBOARD.name)
    command_line.use_threads(0)
    logging.set_verbosity(logging.ERROR)  # TensorFlow tells of every file it writes
    from experiments.leaderboard import files
    from experiments.runs.report import REPORT_FILE

    latencies = {row.row.label: _latency(result.folder, row) for row in result.rows}
    print(files.write(out_dir, result, latencies, result.left_out).markdown())
    print(f"Report: {out_dir / REPORT_FILE}")


def _default_folder(settings: make.Settings) -> pathlib.Path:
    """The folder of what is written: runs/leaderboard for the small form, as with other tables."""
    if settings.raw_dir:
        return pathlib.Path("runs", f"{LEADERBOARD.name}-{pathlib.Path(settings.raw_dir).name}")
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
    return {int(rows): time for rows, time in run_folder.read_json(path).items()}


if __name__ == "__main__":
    _define_flags()
    command_line.run(main)
