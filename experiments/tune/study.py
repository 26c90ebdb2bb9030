"""The study of a tuning: Optuna's trials in SQLite, and who is at work on which.

A trial belongs to the process that holds its lock. One whose process is gone is taken up by the
next that looks for work, with the values that it has, so that no trial is lost or counted twice.
"""

import contextlib
import dataclasses
import functools
import json
import pathlib
import sqlite3
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence

import optuna
import sqlalchemy.exc
from optuna.trial import FrozenTrial, Trial, TrialState

from dcrnn_tf.system import json_form
from dcrnn_tf.system.errors import DatasetError
from dcrnn_tf.system.folder_lock import FolderInUseError, FolderLock
from dcrnn_tf.system.whole_file import naming_file
from experiments.runs import run_folder
from experiments.tune.space import Dimension

STUDY_FILE = "study.db"
CONFIG_FILE = "tune.json"
TRIALS = "trials"
ROW_VISITS = "row_visits"
"""Attribute of a trial: how many training rows it has read, each time counted."""
SETTINGS = "settings"
"""Attribute of a trial: the values that were chosen, as JSON holds them."""
_NAME = "tune"
_RANDOM_TRIALS = 8  # before the sampler learns from them
_UNPRUNED_TRIALS = 4  # before any other is pruned
_POLL_SECONDS = 0.05
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a tuning may cost, all of its processes together.

    Attributes:
      trials: Number of trials.
      row_visits: Number of training rows, each counted whenever it is read, after which no other
        trial begins; None sets no such limit.
    """

    trials: int
    row_visits: int | None = None


@dataclasses.dataclass(frozen=True)
class Claimed:
    """A trial that this process is at work on.

    Attributes:
      trial: The trial.
      values: Chosen values by the names of their dimensions.
      folder: Folder of the trial's run.
      reported: Steps at which the trial's metric is known already.
    """

    trial: Trial
    values: Mapping[str, object]
    folder: pathlib.Path
    reported: tuple[int, ...] = ()


class Study:
    """The trials of one tuning, in a folder that several processes may share.

    Args:
      folder: Folder of the tuning, made if it is missing.
      config: What decides the trials; a folder of another tuning is refused.
      dimensions: Dimensions of the search space.
      maximized: Whether the objective is to be high.
      seed: Seed of the sampler. The values of a trial depend on it, on the trial's number, and on
        the trials that are finished by then.

    Raises:
      DatasetError: The folder holds another tuning, or something that is none.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        config: Mapping[str, object],
        dimensions: Sequence[Dimension],
        maximized: bool,
        seed: int,
    ):
        self.folder = folder
        self.dimensions = dimensions
        self.maximized = maximized
        self._seed = seed
        _check_folder(folder)
        (folder / TRIALS).mkdir(parents=True, exist_ok=True)
        with self.alone():
            _open(folder / CONFIG_FILE, config)
            self._storage = _storage(folder)
            self._study = self._load()

    @contextlib.contextmanager
    def claim(self, budget: Budget) -> Iterator[Claimed | None]:
        """Makes a context in which this process works on a trial; None if all are begun."""
        with self.alone():
            claimed, lock = self._claimed(budget)
        try:
            yield claimed
        finally:
            if lock is not None:
                lock.release()

    def tell(self, claimed: Claimed, value: float | None, row_visits: int, **more: object) -> None:
        """Records how a trial has ended.

        Args:
          claimed: The trial.
          value: Value of the objective; None for a trial that was pruned.
          row_visits: Number of training rows that were read, each time counted.
          **more: Further attributes of the trial.
        """
        for name, attribute in {ROW_VISITS: row_visits, **more}.items():
            claimed.trial.set_user_attr(name, attribute)
        state = TrialState.PRUNED if value is None else TrialState.COMPLETE
        self._study.tell(claimed.trial.number, value, state)

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """Returns the trials in these states, in any if none are given, in their order."""
        return self._study.get_trials(deepcopy=False, states=states or None)

    def best(self) -> FrozenTrial | None:
        """Returns the trial with the best value, the first of several; None while there is none."""
        complete = self.trials(TrialState.COMPLETE)
        sign = -1 if self.maximized else 1
        return min(complete, key=lambda trial: sign * trial.values[0], default=None)

    def importances(
        self, evaluator: optuna.importance.BaseImportanceEvaluator
    ) -> Mapping[str, float]:
        """Returns the importance of each dimension, the highest first."""
        return optuna.importance.get_param_importances(self._study, evaluator=evaluator)

    def run_dir(self, number: int) -> pathlib.Path:
        """Returns the folder of a trial's run."""
        return self.folder / TRIALS / f"trial_{number:04d}"

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Makes a context in which no other process claims a trial, or judges which is best."""
        while True:
            try:
                lock = FolderLock(self.folder / "lock", self.folder)
                break
            except FolderInUseError:
                time.sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            lock.release()

    def _load(
        self, number: int = 0, storage: optuna.storages.BaseStorage | None = None
    ) -> optuna.Study:
        """Returns the study, whose sampler draws as it does for a trial of this number.

        A sampler that began anew with each process would draw the same values again.

        Args:
          number: Number of the trial.
          storage: Storage of the study; that of the folder by default.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                seed=self._seed * 1_000_003 + number,
                n_startup_trials=_RANDOM_TRIALS,
                multivariate=True,
                constant_liar=True,
            )
        return optuna.create_study(
            storage=storage or self._storage,
            study_name=_NAME,
            direction="maximize" if self.maximized else "minimize",
            load_if_exists=True,
            sampler=sampler,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED_TRIALS),
        )

    def _claimed(self, budget: Budget) -> tuple[Claimed | None, FolderLock | None]:
        if (found := self._left_behind() or self._begun(budget)) is None:
            return None, None
        trial, lock = found
        values = {one.name: one.suggest(trial) for one in self.dimensions}
        trial.set_user_attr(SETTINGS, values)
        reported = self.trials()[trial.number].intermediate_values
        return Claimed(trial, values, self.run_dir(trial.number), tuple(reported)), lock

    def _begun(self, budget: Budget) -> tuple[Trial, FolderLock] | None:
        """Returns a new trial, locked; None where the budget allows no other."""
        trials = self.trials()
        visits = sum(trial.user_attrs.get(ROW_VISITS, 0) for trial in trials)
        enough = budget.row_visits is not None and visits >= budget.row_visits
        if enough or len(trials) >= budget.trials:
            return None
        self._study.add_trial(self._drawn(trials))
        return self._left_behind()

    def _drawn(self, trials: Sequence[FrozenTrial]) -> FrozenTrial:
        """Returns the next trial with all of its values, drawn beside the study.

        It enters the study in one go. A kill in between would leave a trial with some of its
        values, whose others would be drawn in another way.
        """
        beside = self._load(len(trials), optuna.storages.InMemoryStorage())
        beside.add_trials(trials)
        trial = beside.ask()
        for one in self.dimensions:
            one.suggest(trial)
        return beside.trials[trial.number]

    def _left_behind(self) -> tuple[Trial, FolderLock] | None:
        """Returns a trial whose process is gone, locked; None if there is none."""
        for frozen in self.trials(TrialState.RUNNING, TrialState.WAITING):
            try:
                lock = self._locked(frozen.number)
            except FolderInUseError:
                continue
            return Trial(self._load(frozen.number), frozen._trial_id), lock
        return None

    def _locked(self, number: int) -> FolderLock:
        folder = self.run_dir(number)
        return FolderLock(folder.with_suffix(".lock"), folder)


@contextlib.contextmanager
def on_disk(folder: pathlib.Path) -> Iterator[None]:
    """Makes a context in which a full disk is an `OSError` that names the file of the trials."""
    try:
        yield
    except (sqlalchemy.exc.OperationalError, optuna.exceptions.StorageInternalError) as error:
        with naming_file(folder / STUDY_FILE):
            raise error.__cause__ or error from None


def read_trials(folder: pathlib.Path) -> list[FrozenTrial]:
    """Returns the trials of a tuning's folder, which is not changed."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.load_study(storage=_storage(folder), study_name=_NAME)
    return study.get_trials(deepcopy=False)


def _storage(folder: pathlib.Path) -> optuna.storages.RDBStorage:
    # Not by an address, which could not name every folder.
    connect = functools.partial(sqlite3.connect, folder / STUDY_FILE, timeout=60)
    return optuna.storages.RDBStorage("sqlite://", engine_kwargs={"creator": connect})


def _check_folder(folder: pathlib.Path) -> None:
    if folder.exists() and not (folder / CONFIG_FILE).exists():
        others = {path.name for path in folder.iterdir()} - {"lock", TRIALS}
        if others - {CONFIG_FILE + ".partial"}:
            raise DatasetError(f"{folder} is not empty and holds no {CONFIG_FILE}; choose another")


def _open(path: pathlib.Path, config: Mapping[str, object]) -> None:
    """Writes what decides the trials, or compares it with what is there."""
    config = json.loads(json.dumps(config))  # a tuple is a list there
    if not path.exists():
        run_folder.write_json(path, config)
        return
    before = json_form.read(path, json_form.OBJECT, "choose another --out_dir")
    names = sorted({*before, *config} - {"data_dir"})
    if other := [name for name in names if before.get(name) != config.get(name)]:
        listed = "; ".join(
            f"{name} was {before.get(name)!r}, now {config.get(name)!r}" for name in other
        )
        raise DatasetError(
            f"{path.parent} holds a tuning with other settings ({listed}); choose another "
            "--out_dir, or repeat the settings"
        )
