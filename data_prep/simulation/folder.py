"""The folder of a simulator, complete or absent, and its file `simulation.json`.

There is no such file beside real data.
"""

import contextlib
import json
import pathlib
from collections.abc import Iterator, Mapping

from dcrnn_tf.system import json_form
from dcrnn_tf.system.errors import DatasetError
from dcrnn_tf.system.whole_folder import whole_folder

SIMULATION_FILE = "simulation.json"


def read_simulation(folder: pathlib.Path) -> dict | None:
    """Reads what a simulator says of a folder of raw files; None if no simulator made them.

    Raises:
      DatasetError: the file is not as a simulator writes it.
    """
    path = folder / SIMULATION_FILE
    if not path.exists():
        return None
    return json_form.read(path, json_form.OBJECT, "simulate the data again")


@contextlib.contextmanager
def simulation_folder(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Makes a folder for a simulator to write to, which gets its name when the context ends.

    Leaving the context by an error removes it.

    Raises:
      DatasetError: `folder`, the one to be made, exists.
    """
    if folder.exists():
        raise DatasetError(f"{folder} exists already; remove it or choose another --out_dir")
    with whole_folder(folder) as partial:
        yield partial


def write_simulation(folder: pathlib.Path, simulation: Mapping) -> None:
    """Writes what `read_simulation` reads."""
    text = json.dumps(simulation, indent=2) + "\n"
    (folder / SIMULATION_FILE).write_text(text, encoding="utf-8")
