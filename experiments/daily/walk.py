"""Prepares a dataset for each day and trains on it, one way of keeping up after the other."""

import dataclasses
import datetime
import math
import pathlib
import sys
import time
from collections.abc import Iterator, Sequence

from data_prep.own_log.declaration import (
    Declaration,
    load_declaration,
    parse_declaration,
    with_min_count,
)
from data_prep.own_log.extending import ExtendedDataset
from data_prep.own_log.preparation import prepare
from data_prep.simulation.folder import read_simulation
from dcrnn_tf.dataset.schema import DatasetError, Schema, load_schema
from dcrnn_tf.system import json_form
from dcrnn_tf.system.errors import UserError
from dcrnn_tf.system.whole_folder import remove_folder
from dcrnn_tf.training.settings import TrainingSettings
from experiments.daily.settings import FULL, WINDOW, Settings
from experiments.runs import run_folder
from experiments.runs.processes import RunProcess, run_all

_PREPARATION_FILE = "preparation.json"
_PREPARATION = json_form.Object({"seconds": json_form.Optional(json_form.FROM_0)})


class DailyError(UserError):
    """A day could not be learned."""


@dataclasses.dataclass(frozen=True)
class Step:
    """A model that has learned the days before a day, and is evaluated on it.

    Attributes:
      policy: The way in which the model is kept up to date.
      day: The day.
      learns_from: First day that is learned; None learns all days before.
      folder: Folder of the dataset and the run.
      before: The step whose model goes on; None trains anew.
    """

    policy: str
    day: datetime.date
    learns_from: datetime.date | None
    folder: pathlib.Path
    before: "Step | None" = None

    @property
    def data(self) -> pathlib.Path:
        """Folder of the prepared dataset."""
        return self.folder / "data"

    @property
    def run(self) -> pathlib.Path:
        """Folder of the run."""
        return self.folder / "run"


def walk(
    settings: Settings, training: TrainingSettings, days: Sequence[datetime.date]
) -> list[dict]:
    """Makes all steps that are not finished.

    Args:
      settings: The log, and the ways to keep up.
      training: Settings of every training.
      days: Days that are evaluated.

    Returns:
      A record of each step, see `record_of`.

    Raises:
      DatasetError: The log cannot be prepared, its declaration has no times, or the folder was
        made with other settings.
      DailyError: A training failed.
    """
    declaration = _declared(settings)
    config = {**dataclasses.asdict(settings), "training": dataclasses.asdict(training)}
    # Further days and ways may be added to those that are there.
    for name in ("out_dir", "last_day", "policies", "keep_data", "raw_dir"):
        del config[name]
    run_folder.open_run(settings.out_dir, config)
    records = []
    for policy in settings.policies:
        for step in steps(policy, days, settings.window_days, pathlib.Path(settings.out_dir)):
            if not run_folder.finished(step.run):
                _prepare(step, declaration, settings, training.seed)
                _train(step, settings, training)
            records.append(record_of(step))
            if not settings.keep_data:
                _remove_data(step, policy)
    return records


def steps(
    policy: str, days: Sequence[datetime.date], window_days: int, folder: pathlib.Path
) -> Iterator[Step]:
    """Yields the steps of a way of keeping up; the first one is that of all ways.

    Args:
      policy: The way.
      days: Days that are evaluated.
      window_days: Number of days that `window` learns.
      folder: Folder of all steps.
    """
    before = Step(policy, days[0], None, folder / "first")
    yield before
    learned = window_days if policy == WINDOW else 1
    for day in days[1:]:
        own = folder / policy / day.isoformat()
        if policy == FULL:
            yield Step(policy, day, None, own)
        else:
            before = Step(policy, day, day - datetime.timedelta(learned), own, before)
            yield before


def declaration_of(declaration: Declaration, step: Step) -> Declaration:
    """Returns the declaration of a step's dataset: earlier days for training, its day for testing.

    Args:
      declaration: Declaration of the log.
      step: The step.
    """
    files = [pattern for patterns in declaration.split.files.values() for pattern in patterns]
    split: dict[str, object] = {
        "by": "time",
        "files": files,
        "train_until": step.day.isoformat(),
        "test_until": (step.day + datetime.timedelta(1)).isoformat(),
    }
    if step.learns_from is not None:
        split["train_from"] = step.learns_from.isoformat()
    return parse_declaration({**declaration.content, "split": split}, declaration.path)


def record_of(step: Step) -> dict:
    """Returns what a finished step measured and cost.

    Args:
      step: The step.
    """
    run, result = (
        run_folder.read(step.run, name) for name in (run_folder.RUN_FILE, run_folder.RESULT_FILE)
    )
    path = step.folder / _PREPARATION_FILE
    preparation = json_form.read(path, _PREPARATION, f"write {{}} into {path}, which leaves it out")
    return {
        "policy": step.policy,
        "day": step.day.isoformat(),
        "learned_rows": run["dataset"]["rows"]["train"],
        "steps": result["steps"],
        "preparation_seconds": preparation.get("seconds"),
        "training_seconds": result["wall_seconds"],
        "processor_seconds": result["processor_seconds"],
        "simulated": run["dataset"]["simulated"],
        "metrics": result["metrics"]["test"],
    }


def _declared(settings: Settings) -> Declaration:
    declaration = load_declaration(settings.declaration)
    if declaration.time is None:
        raise DatasetError(
            f"{settings.declaration}: days need the column of times, `time: {{column: ...}}`"
        )
    if settings.min_count is not None:
        return with_min_count(declaration, settings.min_count)
    return declaration


def _prepare(step: Step, declaration: Declaration, settings: Settings, seed: int) -> Schema:
    """Prepares the dataset of a step; extends that of the step before, if its model goes on.

    A preparation that was interrupted has no number of seconds.
    """
    if step.data.exists():
        return load_schema(step.data)
    path = step.folder / _PREPARATION_FILE
    interrupted = path.exists()
    if not interrupted:
        step.folder.mkdir(parents=True, exist_ok=True)
        run_folder.write_json(path, {})
    declared = declaration_of(declaration, step)
    extended = None
    if step.before is not None:
        extended = ExtendedDataset.load(step.before.data, declared, settings.forget_after)
    print(f"{step.day}, {step.policy}: preparing")
    began = time.monotonic()
    log = (settings.raw_dir, step.data, seed, settings.max_bad_rows)
    simulation = read_simulation(pathlib.Path(settings.raw_dir))
    schema = prepare(declared, *log, simulation, extended)
    if not interrupted:
        run_folder.write_json(path, {"seconds": round(time.monotonic() - began, 2)})
    return schema


def _train(step: Step, settings: Settings, training: TrainingSettings) -> None:
    """Trains in a process of its own, which goes on where one before it was ended."""
    config = {
        "data_dir": str(step.data),
        "model": settings.model,
        "settings": dict(settings.set),
        "mixed_precision": settings.mixed_precision,
        "positive_weights": "none",  # others would move with the share of positives of each day
        **dataclasses.asdict(training),
    }
    if step.before is not None:
        config["init_from"] = str(step.before.run)
    run_folder.write_json(step.folder / "train.json", config)
    command = [sys.executable, "-m", "experiments.train", f"--config={step.folder / 'train.json'}"]
    process = RunProcess([*command, f"--run_dir={step.run}"], step.run, trains=True)
    rows = load_schema(step.data).split("train").rows
    total = training.epochs * math.ceil(rows / training.batch_size)
    print(f"{step.day}, {step.policy}: learning {rows:,} rows")
    if failed := run_all([process], total, training.batch_size, parallel=1):
        (words,) = failed.values()
        raise DailyError(f"the training for {step.day} by {step.policy} failed: {words}")


def _remove_data(step: Step, policy: str) -> None:
    """Removes datasets that no later step needs; that of the first step stays for further ways."""
    done = step if policy == FULL else step.before
    if done is not None and done.folder.name != "first":
        remove_folder(done.data)
