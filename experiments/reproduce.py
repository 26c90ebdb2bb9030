"""Reproduces a table of a paper: data, all runs, statistics, report.

Without --data_dir it makes a simulated Ali-CCP first; with it, it works on the real files. Runs
that are finished are not repeated, and a run that was interrupted goes on from its checkpoint.

Example:
  python -m experiments.reproduce --table=table4 --preset=small
  python -m experiments.reproduce --table=table4 --data_dir=path/to/ali_ccp
"""

import ctypes
import dataclasses
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import tqdm
from absl import flags

from dcrnn_tf import command_line
from experiments import dcrnn_tables
from experiments.run_folder import finished

FLAGS = flags.FLAGS


@dataclasses.dataclass(frozen=True)
class Preset:
    """How much to run, and on what.

    Attributes:
      rows: training rows to simulate, or to sample from each real split.
      epochs: passes over the training split.
      seeds: runs per row.
      batch_size: rows of a training step.
      learning_rate: of all models.
      min_count: how often an id must occur to be in the vocabulary.
    """

    rows: int
    epochs: int
    seeds: int
    batch_size: int
    learning_rate: float
    min_count: int = 10


PAPER = Preset(rows=40_000_000, epochs=3, seeds=5, batch_size=1024, learning_rate=1e-4)
PRESETS = {
    "small": Preset(rows=220_000, epochs=3, seeds=5, batch_size=1024, learning_rate=8.5e-5),
    "smoke": Preset(rows=20_000, epochs=1, seeds=2, batch_size=512, learning_rate=1e-3),
}
TABLES = {table.name: table for table in dcrnn_tables.TABLES}
PROGRAMS = {"logistic_regression": "experiments.logistic_regression"}

flags.DEFINE_enum("table", "table4", sorted(TABLES), "Table to reproduce.")
flags.DEFINE_string("data_dir", None, "Folder of the four real Ali-CCP files; simulated if none.")
flags.DEFINE_enum("preset", None, sorted(PRESETS), "Size of the simulated form; default small.")
flags.DEFINE_integer("seeds", None, "Runs per row; the preset's if not given.", lower_bound=1)
flags.DEFINE_integer("epochs", None, "Epochs; the preset's if not given.", lower_bound=1)
flags.DEFINE_integer("rows", None, "Training rows; the preset's if not given.", lower_bound=1000)
flags.DEFINE_string("out_dir", None, "Folder of the table; runs/TABLE if not given.")
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
    table = TABLES[FLAGS.table]
    name = None if FLAGS.data_dir else FLAGS.preset or "small"
    given = {key: getattr(FLAGS, key) for key in ("rows", "epochs", "seeds")}
    given = {key: value for key, value in given.items() if value is not None}
    preset = dataclasses.replace(PRESETS[name] if name else PAPER, **given)
    out_dir = pathlib.Path(FLAGS.out_dir or f"runs/{table.name}{_suffix(name)}")
    started = time.monotonic()

    prepared = _prepare(name, preset)
    from dcrnn_tf.schema import load_schema
    from experiments import report, run_folder, table_text, tables

    config = {
        "table": table.name,
        "preset": name or "paper",
        "data_dir": str(prepared),
        "dataset_fingerprint": load_schema(prepared).fingerprint,
        **{key: value for key, value in dataclasses.asdict(preset).items() if key != "seeds"},
    }
    run_folder.open_run(out_dir, config)
    _run_all(_runs(table, preset, prepared, out_dir), preset)
    result = tables.aggregate(table, out_dir, range(1, preset.seeds + 1))
    table_text.write_csv(result, out_dir / f"{table.name}.csv")
    table_text.write_markdown(result, out_dir / f"{table.name}.md")
    report.render_table_report(result, out_dir / "report.html")
    print((out_dir / f"{table.name}.md").read_text(encoding="utf-8"))
    minutes = (time.monotonic() - started) / 60
    print(f"Report: {out_dir / 'report.html'} ({minutes:.1f} minutes)")


def _suffix(preset: str | None) -> str:
    return {"small": "", None: "-ali_ccp"}.get(preset, f"-{preset}")


def _prepare(name: str | None, preset: Preset) -> pathlib.Path:
    """Simulates if need be, prepares if need be, and returns the prepared dataset's folder."""
    work = pathlib.Path(FLAGS.work_dir)
    if name is None:
        raw = pathlib.Path(FLAGS.data_dir)
        place = hashlib.sha256(str(raw.resolve()).encode()).hexdigest()[:8]
        prepared = work / f"ali_ccp-{place}-{preset.rows}"
        sampling = [f"--rows={preset.rows}"]
    else:
        raw = work / f"simulated_ali_ccp-{preset.rows}"
        prepared = work / f"simulated_ali_ccp-{preset.rows}-prepared"
        sampling = []
        if not raw.exists():
            arguments = ["--preset=small", f"--train_rows={preset.rows}"]
            arguments.append(f"--test_rows={preset.rows * 2 // 3}")
            _call("data_prep.simulate_ali_ccp", f"--out_dir={raw}", *arguments)
    if not prepared.exists():
        _call(
            "data_prep.ali_ccp",
            f"--raw_dir={raw}",
            f"--out_dir={prepared}",
            f"--min_count={preset.min_count}",
            *sampling,
        )
    return prepared


def _call(module: str, *arguments: str) -> None:
    """Runs a program of this project in the foreground; ends with its exit code if it fails."""
    code = subprocess.call([sys.executable, "-m", module, *arguments])
    if code:
        sys.exit(code)


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
        return lines[-1] if lines else "it said nothing"


def _runs(table, preset: Preset, prepared: pathlib.Path, out_dir: pathlib.Path) -> list[_Run]:
    """All runs of a table, seed by seed, so that every row has as many seeds at any time."""
    runs = []
    for seed in range(1, preset.seeds + 1):
        for row in table.rows:
            if row.deterministic and seed > 1:
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
                    "--log_every=20" if preset.rows < 1_000_000 else "--log_every=500",
                ]
            runs.append(_Run(command, folder, trains=not program))
    return runs


def _run_all(runs: list[_Run], preset: Preset) -> None:
    """Runs what is not finished, several at a time, under one progress bar."""
    cores = os.cpu_count() or 1
    waiting = [run for run in runs if not run.done()]
    parallel = min(FLAGS.parallel_runs or cores, max(len(waiting), 1))
    trainings = [run for run in waiting if run.trains]
    steps = -(-preset.rows // preset.batch_size) * preset.epochs
    active: list[_Run] = []
    shown = len(runs) - len(waiting)
    with tqdm.tqdm(
        total=steps * len(trainings) * preset.batch_size,
        unit=" rows",
        unit_scale=True,
        desc=f"{shown}/{len(runs)} runs",
    ) as bar:
        while waiting or active:
            while waiting and len(active) < parallel:
                run = waiting.pop(0)
                run.start(threads=max(1, cores // parallel))
                active.append(run)
            time.sleep(0.5)
            for run in [run for run in active if run.process.poll() is not None]:
                active.remove(run)
                if run.process.returncode:
                    for other in active:
                        other.process.terminate()
                    raise command_line.UserError(
                        f"{run.folder} failed: {run.last_words()} "
                        f"(see {run.folder.with_suffix('.log')})"
                    )
                shown += 1
                bar.set_description(f"{shown}/{len(runs)} runs")
            bar.n = preset.batch_size * sum(run.steps() for run in trainings)
            bar.refresh()


def _die_with_parent() -> None:
    """Asks Linux to end this process when the one that started it is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


if __name__ == "__main__":
    command_line.run(main)
