"""Reads a run from its folder: configuration, record and result."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

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
