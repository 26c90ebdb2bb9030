"""Adds up the room that the datasets of paper tables take, and refuses them where it is lacking."""

import pathlib
from collections.abc import Callable, Mapping, Sequence

from data_prep.simulation import sizes as simulators
from data_prep.storage import sizes as preparations
from dcrnn_tf.system import room
from experiments.tables import datasets
from experiments.tables.spec import Preset

_SIMULATORS: Mapping[str, Callable[[int], room.Need]] = {
    "ali_ccp": lambda rows: simulators.ali_ccp(rows + rows * 2 // 3, 0.1),
    "criteo": simulators.criteo,
    "wechat": lambda rows: simulators.wechat(rows, 3_000),
}
_PREPARATIONS = {"ali_ccp": preparations.ALI_CCP, "wechat": preparations.WECHAT}
_CRITEO = ("criteo_r", "criteo_ur")  # of which two datasets are made of a prepared one


def require(
    data: Sequence[tuple[str, Preset, pathlib.Path | None]], work_dir: str | pathlib.Path
) -> None:
    """States what the datasets take that are still to be made, and refuses where room is lacking.

    Checkpoints of runs are not counted.

    Args:
      data: Name of each dataset, its preset, and the folder of its raw files; None for simulated
        data.
      work_dir: Folder of simulated and prepared data.

    Raises:
      UserError: The disk has less room.
    """
    from dcrnn_tf.dataset.schema import SCHEMA_FILE  # late, since it takes NumPy to be imported

    need, held = room.Need(0), []
    missing = {}
    for name, preset, raw_dir in data:
        raw, prepared = datasets.folders(name, preset, raw_dir, work_dir)
        missing[prepared] = (name, raw, preset.rows if raw_dir is None else None)
    simulated = set()
    for prepared, (name, raw, rows) in missing.items():
        size: float = sum(map(preparations.raw_bytes, raw.glob("*.*")))
        if rows is not None and not raw.exists():
            simulator = _SIMULATORS.get(datasets.SOURCES[name].raw, simulators.radio)
            written = simulator(rows)
            size = written.disk
            if raw not in simulated:
                need += written
            simulated.add(raw)
        if prepared.exists() or (raw / SCHEMA_FILE).exists():
            continue
        rates = _PREPARATIONS.get(datasets.SOURCES[name].raw, preparations.OWN_LOG)
        prepared_need = rates.need(size)
        need += prepared_need
        held.append(prepared.with_name(prepared.name + ".work"))
        if name in _CRITEO:
            need += room.Need(2 * prepared_need.disk, spare=2 * prepared_need.spare)
    room.require("Making the tables' data", work_dir, need, held)
