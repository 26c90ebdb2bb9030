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
      patience: Number of evaluations without a better value after which a trial ends.
      batch_size: Number of examples in a training step.
      seeds: Number of runs of the best settings.
      prune: Whether trials of networks end early that are worse than others at the same step.
    """

    trials: int
    epochs: int
    patience: int
    batch_size: int
    seeds: int
    prune: bool = False


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
class Finals(RunProcess):
    """A process that trains the best settings anew, seed by seed; its steps are runs.

    Attributes:
      seeds: Folders of the runs.
    """

    seeds: tuple[pathlib.Path, ...] = ()

    def done(self) -> bool:
        """Whether all runs are finished."""
        return self.steps() == len(self.seeds)

    def steps(self) -> int:
        """The number of runs that are finished."""
        return sum(map(run_folder.finished, self.seeds))

    def failed(self, reason: str) -> dict[pathlib.Path, str]:
        """Returns the reason by the folder of the first run that is not finished."""
        left = [folder for folder in self.seeds if not run_folder.finished(folder)]
        return {folder: reason for folder in left[:1]}


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
        command += ["--noreport"]  # their trials are on the benchmark's page
        command += [f"--set={key}={json.dumps(value)}" for key, value in entry.settings.items()]
        if entry.model not in PROGRAMS:
            command += [f"--epochs={budget.epochs}", f"--patience={budget.patience}"]
            command += [f"--batch_size={budget.batch_size}", "--positive_weights=none"]
            command += [] if budget.prune else ["--noprune"]
        processes.append(Tuning(command, folder, trains=True, trials=budget.trials))
    return processes


def finals(
    entries: Sequence[Entry],
    table: Table,
    prepared: pathlib.Path,
    out_dir: pathlib.Path,
    budget: Budget,
) -> tuple[list[Finals], dict[pathlib.Path, str]]:
    """Plans the runs of the best settings, a process for each model.

    Returns:
      The processes, and why runs cannot be made of models whose tuning is not finished or has no
      complete trial, by their folders.

    Raises:
      UserError: A run was made with other settings than the best ones of now.
    """
    processes: list[Finals] = []
    without: dict[pathlib.Path, str] = {}
    for entry, row in zip(entries, table.rows, strict=True):
        count = 1 if row.deterministic else budget.seeds
        folders = tuple(table.run_dir(out_dir, row, seed) for seed in range(1, count + 1))
        folder = folders[0].parent
        best = folder / TUNING / _BEST_FILE
        tuning = Tuning([], best.parent, trains=True, trials=budget.trials)
        if not (tuning.done() and best.exists()):
            reason = f"its tuning has {tuning.steps()} of {budget.trials} trials"
            reason = reason if not tuning.done() else "its tuning has no complete trial"
            without |= dict.fromkeys(folders, reason)
            continue
        program = PROGRAMS.get(entry.model)
        module = program.module if program else "experiments.benchmark_models.seeds"
        command = [sys.executable, "-m", module, f"--config={best}", f"--data_dir={prepared}"]
        command += (
            [f"--run_dir={folders[0]}"] if program else [f"--run_dir={folder}", f"--seeds={count}"]
        )
        command += ["--keep_scores"]
        for made in folders:
            _check_finished(made, best)
        processes.append(Finals(command, folder / "seeds", trains=program is None, seeds=folders))
    return processes, without


def refused(entries: Sequence[Entry], prepared: pathlib.Path) -> dict[str, str]:
    """Returns why models cannot be built for a dataset, by their labels."""
    rows = [(entry.label, entry.model, entry.settings) for entry in entries]
    return runs.refused("the models", [row for row in rows if row[1] not in PROGRAMS], prepared)


def _check_finished(folder: pathlib.Path, best: pathlib.Path) -> None:
    """Refuses a run of settings that were the best before further trials."""
    path = folder / run_folder.CONFIG_FILE
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
            f"{folder} was made with another {', '.join(other)} than {best} has now; remove "
            f"the seed_* folders of {folder.parent}, or choose another --out_dir"
        )
