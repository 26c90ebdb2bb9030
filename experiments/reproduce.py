"""Reproduces tables of the papers: data, all runs, statistics, reports.

Without --data_dir it simulates the data first; with it, it works on the real files. Runs that are
finished are not repeated, and a run that was interrupted goes on from its checkpoint.

Example:
  python -m experiments.reproduce --table=table4 --preset=small
  python -m experiments.reproduce --table=table4 --data_dir=path/to/ali_ccp

Several tables, separated by commas, are made one after the other, each in a folder of its own.
"""

import contextlib
import ctypes
import dataclasses
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import tqdm
from absl import flags

from dcrnn_tf.system import command_line
from experiments.dcrnn import tables as dcrnn_tables
from experiments.dcrnn.study import tables as dcrnn_study_tables
from experiments.dephn import tables as dephn_tables
from experiments.leaderboard import table as leaderboard_tables
from experiments.runs import reuse
from experiments.runs.run_folder import finished
from experiments.tables import datasets
from experiments.tables.spec import PROGRAMS, Preset, Table

FLAGS = flags.FLAGS


PRESETS = ("small", "smoke")
TABLES = {
    table.name: table
    for table in (
        *dcrnn_tables.TABLES,
        *dephn_tables.TABLES,
        *dcrnn_study_tables.TABLES,
        leaderboard_tables.LEADERBOARD,
    )
}
RAW_DATA = sorted({datasets.SOURCES[table.data].raw for table in TABLES.values()})

flags.DEFINE_list("table", ["table4"], f"Tables to reproduce, of {', '.join(TABLES)}.")
flags.DEFINE_string(
    "data_dir",
    None,
    "Folder of the real files; simulated if none. For tables of several datasets, a folder with "
    f"one of theirs for each ({', '.join(RAW_DATA)}).",
)
flags.DEFINE_list(
    "models", None, "Models to run beside the table's baseline, by name; all if not given."
)
flags.DEFINE_enum("preset", None, PRESETS, "Size of the simulated form; default small.")
flags.DEFINE_integer("seeds", None, "Runs per row; the preset's if not given.", lower_bound=1)
flags.DEFINE_integer("epochs", None, "Epochs; the preset's if not given.", lower_bound=1)
flags.DEFINE_integer("rows", None, "Rows of the data; the preset's if not given.", lower_bound=1000)
flags.DEFINE_string(
    "out_dir", None, "Folder of the table, or of the tables' folders; runs/TABLE if not given."
)
flags.DEFINE_string("work_dir", "data", "Folder of simulated and prepared data.")
flags.DEFINE_integer(
    "parallel_runs", 0, "Runs at a time, sharing the processor; 0 is one per core.", lower_bound=0
)


def main() -> None:
    """Runs the program."""
    if FLAGS.data_dir and FLAGS.preset:
        raise command_line.UsageError(
            "--preset is for simulated data, --data_dir for real data; give one of them"
        )
    unknown = [name for name in FLAGS.table if name not in TABLES]
    if unknown or not FLAGS.table:
        raise command_line.UsageError(
            f"--table={','.join(FLAGS.table)}: each must be one of {', '.join(TABLES)}"
        )
    tables = [TABLES[name] for name in dict.fromkeys(FLAGS.table)]
    name = None if FLAGS.data_dir else FLAGS.preset or "small"
    reports = []
    for table, data_dir, out_dir in zip(
        tables, _data_dirs(tables), _out_dirs(tables, name), strict=True
    ):
        started = time.monotonic()
        path = _reproduce(table, name, data_dir, out_dir)
        minutes = (time.monotonic() - started) / 60
        reports.append(f"Report: {path} ({minutes:.1f} minutes)")
    print("\n".join(reports))


def _reproduce(
    table: Table, name: str | None, data_dir: pathlib.Path | None, out_dir: pathlib.Path
) -> pathlib.Path:
    """Makes one table, of a preset or for None of the real data; returns its report's path."""
    given = {key: getattr(FLAGS, key) for key in ("rows", "epochs", "seeds")}
    given = {key: value for key, value in given.items() if value is not None}
    if (name or "paper") not in table.presets:
        raise command_line.UsageError(
            f"--table={table.name} is for simulated data alone; leave --data_dir out"
            if name is None
            else f"--table={table.name} has no preset {name}; it has {', '.join(table.presets)}"
        )
    preset = dataclasses.replace(table.presets[name or "paper"], **given)
    prepared = datasets.make(table.data, preset, data_dir, FLAGS.work_dir)
    from dcrnn_tf.dataset.schema import load_schema
    from experiments.reports import report
    from experiments.runs import run_folder
    from experiments.tables import files
    from experiments.tables.result import aggregate

    schema = load_schema(prepared)
    try:
        table = table.complete(schema, FLAGS.models)
        table = table.of_tasks([task.name for task in schema.tasks])
    except ValueError as error:
        raise command_line.UsageError(f"{prepared}: {error}") from None
    if data_dir and datasets.SOURCES[table.data].private:
        table = table.unpublished()
    if any(row.free for row in table.rows):
        from experiments.tables import equal_size

        table, remarks = equal_size.of_equal_size(table, schema)
        print("\n".join(remarks))
    config = {
        "table": table.name,
        "preset": name or "paper",
        "data_dir": str(prepared),
        "dataset_fingerprint": schema.fingerprint,
        **{key: value for key, value in dataclasses.asdict(preset).items() if key != "seeds"},
    }
    run_folder.open_run(out_dir, config)
    steps = -(-schema.split("train").rows // preset.batch_size) * preset.epochs
    runs = _runs(table, preset, prepared, out_dir)
    _check_finished(runs)
    _take_over(runs, schema.fingerprint)
    _run_all(runs, steps, preset.batch_size)
    result = aggregate(table, out_dir, range(1, preset.seeds + 1))
    files.write_csv(result, out_dir / f"{table.name}.csv")
    files.write_markdown(result, out_dir / f"{table.name}.md")
    print((out_dir / f"{table.name}.md").read_text(encoding="utf-8"))
    return report.render_table_report(result, out_dir / "report.html")


def _data_dirs(tables: Sequence[Table]) -> list[pathlib.Path | None]:
    """Where each table's real files lie; None for simulated data."""
    if not FLAGS.data_dir:
        return [None] * len(tables)
    raw = [datasets.SOURCES[table.data].raw for table in tables]
    folder = pathlib.Path(FLAGS.data_dir)
    if len(set(raw)) == 1:
        return [folder] * len(tables)
    if missing := [name for name in dict.fromkeys(raw) if not (folder / name).is_dir()]:
        raise command_line.UsageError(
            f"these tables are of {' and '.join(dict.fromkeys(raw))}, so --data_dir={folder} must "
            f"hold a folder of each, and lacks {' and '.join(missing)}"
        )
    return [folder / name for name in raw]


def _out_dirs(tables: Sequence[Table], preset: str | None) -> list[pathlib.Path]:
    if FLAGS.out_dir and len(tables) == 1:
        return [pathlib.Path(FLAGS.out_dir)]
    folder = pathlib.Path(FLAGS.out_dir or "runs")
    return [folder / table.folder_name(preset) for table in tables]


@dataclasses.dataclass
class _Run:
    """One training to be done: its command, its folder, its number of steps."""

    command: list[str]
    folder: pathlib.Path
    trains: bool  # in steps, with checkpoints
    process: subprocess.Popen | None = None

    def done(self) -> bool:
        return finished(self.folder)

    def steps(self) -> int:
        """Steps that the run has logged so far."""
        path = self.folder / "metrics.jsonl"
        # What stands behind the last line end is being written right now.
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        return json.loads(lines[-1])["step"] if lines else 0

    def start(self, threads: int) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        command = [*self.command, *([f"--threads={threads}"] if self.trains else [])]
        with open(self.folder.with_suffix(".log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent
            )

    def last_words(self) -> str:
        text = self.folder.with_suffix(".log").read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        free = shutil.disk_usage(self.folder.parent).free / 2**20
        return lines[-1] if lines else f"it said nothing, with {free:,.1f} MiB free on the disk"


def _runs(
    table: Table, preset: Preset, prepared: pathlib.Path, out_dir: pathlib.Path
) -> list[_Run]:
    """All runs of a table, seed by seed, so that every row has as many seeds at any time."""
    runs = []
    for seed in range(1, preset.seeds + 1):
        for row in table.rows:
            if row.deterministic and seed > 1:
                continue
            if preset.labels and row.label not in preset.labels:
                continue
            program = PROGRAMS.get(row.model)
            folder = table.run_dir(out_dir, row, seed)
            command = [sys.executable, "-m", program or "experiments.train"]
            command += [f"--data_dir={prepared}", f"--run_dir={folder}"]
            if not program:
                command += [
                    f"--model={row.model}",
                    *(f"--set={key}={json.dumps(value)}" for key, value in row.settings.items()),
                    f"--seed={seed}",
                    f"--epochs={preset.epochs}",
                    f"--batch_size={preset.batch_size}",
                    f"--learning_rate={preset.learning_rate}",
                    f"--log_every={20 if (preset.rows or math.inf) < 1_000_000 else 500}",
                    *(f"--{flag}={value}" for flag, value in table.run_flags.items()),
                ]
            runs.append(_Run(command, folder, trains=not program))
    return runs


def _check_finished(runs: list[_Run]) -> None:
    """Refuses finished runs that another command has made, before this table had these settings."""
    for run in runs:
        if run.done() and not reuse.made_by(run.folder, run.command):
            raise command_line.UserError(
                f"{run.folder} was made with other settings than the table has now; remove that "
                "folder, or choose another --out_dir"
            )


def _take_over(runs: list[_Run], fingerprint: str) -> None:
    """Takes over what tables beside this one have made; see `run_reuse`."""
    new = [run for run in runs if not run.folder.exists()]
    taken = sum(reuse.take_over(run.command, run.folder.absolute(), fingerprint) for run in new)
    if taken:
        print(f"{taken} of {len(runs)} runs are copied from other tables, which made the same.")


def _run_all(runs: list[_Run], steps: int, batch_size: int) -> None:
    """Runs what is not finished, several at a time, under one progress bar.

    Args:
      runs: all of a table.
      steps: of one run.
      batch_size: rows of a step.
    """
    cores = os.cpu_count() or 1
    waiting = [run for run in runs if not run.done()]
    parallel = min(FLAGS.parallel_runs or cores, max(len(waiting), 1))
    trainings = [run for run in waiting if run.trains]
    active: list[_Run] = []
    shown = len(runs) - len(waiting)
    with (
        tqdm.tqdm(
            total=steps * len(trainings) * batch_size,
            unit=" rows",
            unit_scale=True,
            desc=f"{shown}/{len(runs)} runs",
        ) as bar,
        _ending(active),
    ):
        while waiting or active:
            while waiting and len(active) < parallel:
                run = waiting.pop(0)
                run.start(threads=max(1, cores // parallel))
                active.append(run)
            time.sleep(0.5)
            for run in [run for run in active if run.process.poll() is not None]:
                active.remove(run)
                if run.process.returncode:
                    raise command_line.UserError(
                        f"{run.folder} failed: {run.last_words()} "
                        f"(see {run.folder.with_suffix('.log')})"
                    )
                shown += 1
                bar.set_description(f"{shown}/{len(runs)} runs")
            bar.n = batch_size * sum(run.steps() for run in trainings)
            bar.refresh()


@contextlib.contextmanager
def _ending(active: Sequence[_Run]) -> Iterator[None]:
    """Lets the runs write their checkpoints and end, where an error or a signal ends this."""
    try:
        yield
    finally:
        for run in active:
            run.process.terminate()
        for run in active:
            run.process.wait()


def _die_with_parent() -> None:
    """Asks Linux to end this process when the one that started it is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


if __name__ == "__main__":
    command_line.run(main)
