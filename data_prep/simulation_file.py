"""What a simulator leaves beside its files; there is none beside real ones."""

import json
import pathlib

from dcrnn_tf.schema import DatasetError

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
