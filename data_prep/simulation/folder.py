"""A simulator's folder, complete or absent, and what it leaves there beside its files.

There is no such file beside real ones.
"""

import contextlib
import json
import pathlib
import shutil
from collections.abc import Iterator, Mapping

from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.system.whole_file import naming_file

SIMULATION_FILE = "simulation.json"


def read_simulation(folder: pathlib.Path) -> dict | None:
    """Reads what the simulator has left in a folder of raw files; None if it made none of them.

    Raises:
      DatasetError: the file is not as a simulator writes it.
    """
    path = folder / SIMULATION_FILE
    if not path.exists():
        return None
    try:
        simulation = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON ({error}); simulate the data again") from None
    if not isinstance(simulation, dict):
        raise DatasetError(
            f"{path} holds {json.dumps(simulation)[:40]}, expected a mapping; simulate the data "
            "again"
        )
    return simulation


@contextlib.contextmanager
def begin_simulation(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Makes the folder that a simulator writes to until it is done, and yields its path.

    Leaving the context by an error removes it.

    Raises:
      DatasetError: `folder`, where the simulation shall be, exists.
    """
    if folder.exists():
        raise DatasetError(f"{folder} exists already; remove it or choose another --out_dir")
    partial = _partial(folder)
    if partial.exists():
        print(f"Removing {partial}, left behind by a simulation that did not finish.")
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    try:
        with naming_file(folder):
            yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def finish_simulation(folder: pathlib.Path, simulation: Mapping) -> None:
    """Writes what `read_simulation` reads, and puts the folder where it shall be."""
    text = json.dumps(simulation, indent=2) + "\n"
    (_partial(folder) / SIMULATION_FILE).write_text(text, encoding="utf-8")
    _partial(folder).rename(folder)


def _partial(folder: pathlib.Path) -> pathlib.Path:
    return folder.with_name(folder.name + ".partial")
