"""The processes of the benchmark: tunings, then runs of the best settings with paired seeds."""

import contextlib
import dataclasses
import json
import pathlib
import sqlite3
import sys
from collections.abc import Sequence

from dcrnn_tf.system.errors import UserError
from experiments.benchmark_models.entries import Entry
from experiments.runs import run_folder
from experiments.runs.processes import RunProcess
from experiments.tables import runs
from experiments.tables.spec import PROGRAMS, Table

TUNING = "tune"
_BEST_FILE, _STUDY_FILE = "best.json", "study.db"


@dataclasses.dataclass(frozen=True)
class Budget:
    """What each model may cost on each dataset.

    Attributes:
      trials: Number of trials.
      epochs: Largest number of epochs of a trial.
      batch_size: Number of examples in a training step.
      seeds: Number of runs of the best settings.
    """

    trials: int
    epochs: int
    batch_size: int
    seeds: int


@dataclasses.dataclass
class Tuning(RunProcess):
    """A process that tunes a model; its steps are trials.

    Attributes:
      trials: Number of trials.
    """

    trials: int = 0

    def done(self) -> bool:
        """Whether all trials are finished."""
        return self.steps() >= self.trials

    def steps(self) -> int:
        """The number of trials that are finished."""
        path = self.folder / _STUDY_FILE
        query = "SELECT COUNT(*) FROM trials WHERE state IN ('COMPLETE', 'PRUNED')"
        if path.exists():
            with (
                contextlib.suppress(sqlite3.OperationalError),  # the file is being made
                contextlib.closing(sqlite3.connect(path, timeout=60)) as connection,
            ):
                return int(connection.execute(query).fetchone()[0])
        return 0


@dataclasses.dataclass
class Final(RunProcess):
    """A process that trains the best settings anew; it is one step."""

    def steps(self) -> int:
        """1 once the run is finished."""
        return int(self.done())


def folder_of(table: Table, out_dir: pathlib.Path, entry: Entry) -> pathlib.Path:
    """Returns the folder of a model's tuning."""
    (row,) = (row for row in table.rows if row.label == entry.label)
    return table.run_dir(out_dir, row, 1).with_name(TUNING)


def tunings(
    entries: Sequence[Entry],
    table: Table,
    prepared: pathlib.Path,
    out_dir: pathlib.Path,
    budget: Budget,
) -> list[RunProcess]:
    """Plans the tuning of each model."""
    processes: list[RunProcess] = []
    for entry in entries:
        folder = folder_of(table, out_dir, entry)
        command = [sys.executable, "-m", "experiments.tune", f"--model={entry.model}"]
        command += [f"--data_dir={prepared}", f"--out_dir={folder}", f"--trials={budget.trials}"]
        command += [f"--set={key}={json.dumps(value)}" for key, value in entry.settings.items()]
        if entry.model not in PROGRAMS:
            command += [f"--epochs={budget.epochs}", f"--batch_size={budget.batch_size}"]
            command += ["--positive_weights=none"]
        processes.append(Tuning(command, folder, trains=True, trials=budget.trials))
    return processes


def finals(
    entries: Sequence[Entry],
    table: Table,
    prepared: pathlib.Path,
    out_dir: pathlib.Path,
    seeds: int,
) -> tuple[list[RunProcess], dict[pathlib.Path, str]]:
    """Plans the runs of the best settings, seed by seed.

    Returns:
      The runs, and why those of models without best settings cannot be made, by their folders.

    Raises:
      UserError: A run was made with other settings than the best ones of now.
    """
    processes: list[RunProcess] = []
    without: dict[pathlib.Path, str] = {}
    for seed in range(1, seeds + 1):
        for entry, row in zip(entries, table.rows, strict=True):
            if row.deterministic and seed > 1:
                continue
            folder = table.run_dir(out_dir, row, seed)
            best = folder.with_name(TUNING) / _BEST_FILE
            if not best.exists():
                without[folder] = "its tuning has no complete trial"
                continue
            program = PROGRAMS.get(entry.model)
            module = program.module if program else "experiments.train"
            command = [sys.executable, "-m", module, f"--config={best}", f"--data_dir={prepared}"]
            command += [f"--run_dir={folder}", *([] if row.deterministic else [f"--seed={seed}"])]
            run = Final(command, folder, trains=program is None)
            _check_finished(run, best)
            processes.append(run)
    return processes, without


def refused(entries: Sequence[Entry], prepared: pathlib.Path) -> dict[str, str]:
    """Returns why models cannot be built for a dataset, by their labels."""
    rows = [(entry.label, entry.model, entry.settings) for entry in entries]
    return runs.refused("the models", [row for row in rows if row[1] not in PROGRAMS], prepared)


def _check_finished(run: RunProcess, best: pathlib.Path) -> None:
    """Refuses a run of settings that were the best before further trials."""
    path = run.folder / run_folder.CONFIG_FILE
    if not path.exists():
        return
    made = json.loads(path.read_text(encoding="utf-8"))
    wanted = json.loads(best.read_text(encoding="utf-8"))
    made |= made["settings"]  # a baseline's are flags of its program
    other = [
        name
        for name in sorted(set(wanted) - {"data_dir", "seed"})
        if name in made and made[name] != wanted[name]
    ]
    if other:
        raise UserError(
            f"{run.folder} was made with another {', '.join(other)} than {best} has now; remove "
            f"the seed_* folders of {run.folder.parent}, or choose another --out_dir"
        )
