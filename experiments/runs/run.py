"""Reads a run from its folder: configuration, record and result."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from dcrnn_tf.system.errors import DatasetError
from dcrnn_tf.training import metrics_log
from experiments.runs import run_folder


@dataclasses.dataclass(frozen=True)
class Run:
    """The content of a run folder; `result` is None while the run is not finished."""

    folder: pathlib.Path
    config: Mapping
    record: Mapping
    result: Mapping | None

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.config["seed"]

    def value(self, key: str) -> Any:
        """Returns what `config`, `record` or `result` hold under a dotted path; None if nothing."""
        value: Any = {"config": self.config, "record": self.record, "result": self.result}
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value


def load_run(folder: str | pathlib.Path) -> Run:
    """Returns the run of a folder.

    Raises:
      DatasetError: The folder is no run, or one of its files is damaged.
    """
    folder = pathlib.Path(folder)
    return Run(
        folder,
        run_folder.read(folder, run_folder.CONFIG_FILE),
        run_folder.read(folder, run_folder.RUN_FILE),
        run_folder.read_if_there(folder, run_folder.RESULT_FILE),
    )


def damage_of(folder: str | pathlib.Path) -> str | None:
    """Returns a sentence on the first damaged file of a run's folder; None if there is none."""
    folder = pathlib.Path(folder)
    try:
        load_run(folder)
        return damage_of_curves(folder)
    except DatasetError as error:
        return str(error)


def damage_of_curves(folder: pathlib.Path) -> str | None:
    """Returns the same of the files that pictures alone are drawn from."""
    try:
        metrics_log.read(folder / metrics_log.METRICS_FILE)
        run_folder.read_if_there(folder, run_folder.CURVES_FILE)
    except DatasetError as error:
        return str(error)
    return None
