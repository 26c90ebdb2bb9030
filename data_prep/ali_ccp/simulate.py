"""Simulates Ali-CCP: writes the four raw files, and the truth behind their labels.

    python -m data_prep.ali_ccp.simulate --out_dir=data/simulated_ali_ccp --preset=small

The output folder holds `sample_skeleton_{train,test}.csv` and `common_features_{train,test}.csv`
in the format of the published files, `ground_truth_{train,test}.csv` (header
`sample_id,click,conversion`: the probability of a click, and that of a conversion, per exposure)
and `simulation.json` (settings, counts, and the AUC of the true probabilities, which a model can
beat by chance only). `data_prep/ali_ccp/world.py` describes what is planted.
"""

import dataclasses
import pathlib

from data_prep.ali_ccp.fields import SPLITS
from data_prep.ali_ccp.world_settings import PRESETS, Settings
from data_prep.simulation import sizes
from dcrnn_tf.system import command_line, room
from dcrnn_tf.system.settings import changes, given, required, setting


@dataclasses.dataclass(frozen=True)
class Output:
    """Where the simulated files are written, and which settings they begin from."""

    out_dir: str = required("Folder to write; must not exist.")
    preset: str = setting(
        "small",
        "Settings that the other flags override. small: 200,000 train and 100,000 test rows, "
        "conversions 1:300, histories a tenth as long as the real ones. full: as many rows as the "
        "published files, conversions 1:4584, histories of full length (45 GB).",
        choices=tuple(PRESETS),
    )


Changes = changes(Settings)


def main(output: Output, changed: object) -> None:
    """Runs the program."""
    from data_prep.ali_ccp.simulated_files import simulate  # late: it takes long to import

    settings = dataclasses.replace(PRESETS[output.preset], **given(changed))
    rows = settings.train_rows + settings.test_rows
    room.require("This simulation", output.out_dir, sizes.ali_ccp(rows, settings.list_scale))
    summary = simulate(pathlib.Path(output.out_dir), settings)
    print(f"Simulated data in {output.out_dir}")
    for split in SPLITS:
        auc = summary["bayes_auc"][split]
        print(
            f"  {split}: {summary['rows'][split]:,} rows, {summary['users'][split]:,} users, "
            f"{summary['clicks'][split]:,} clicks, {summary['conversions'][split]:,} conversions; "
            f"Bayes-optimal AUC: click {_formatted(auc['click'])}, "
            f"conversion {_formatted(auc['conversion'])}"
        )


def _formatted(auc: float | None) -> str:
    return "undefined" if auc is None else f"{auc:.4f}"


if __name__ == "__main__":
    command_line.run(main, Output, Changes)
