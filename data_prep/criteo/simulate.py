"""Simulates Criteo's Kaggle display advertising data, and its clicks' true probabilities.

  python -m data_prep.criteo.simulate --out_dir=data/simulated_criteo --rows=200000

The output folder holds `train.txt` in the format of the real file, `ground_truth.csv` (header
`click`: the true probability of each row) and `simulation.json` (settings, what is planted, and the
AUC of the true probabilities, which a model can beat by chance only). The rows are split when they
are prepared; until then all splits are alike, so that one AUC stands for each.
`data_prep/criteo/world.py` describes what is planted.
"""

import dataclasses

from data_prep.criteo.fields import LABEL
from data_prep.criteo.world_settings import Settings
from data_prep.simulation import sizes
from dcrnn_tf.system import command_line, room
from dcrnn_tf.system.settings import required


@dataclasses.dataclass(frozen=True)
class Output:
    """Where the simulated files are written."""

    out_dir: str = required("Folder to write; must not exist.")


def main(output: Output, settings: Settings) -> None:
    """Runs the program."""
    from data_prep.criteo.simulated_files import simulate  # late: it takes long to import

    room.require("This simulation", output.out_dir, sizes.criteo(settings.rows))
    summary = simulate(output.out_dir, settings)
    auc = summary["bayes_auc"]["test"][LABEL]
    print(
        f"Simulated data in {output.out_dir}: {summary['rows']:,} rows, {summary['clicks']:,} "
        f"clicks; Bayes-optimal AUC {'undefined' if auc is None else f'{auc:.4f}'}"
    )


if __name__ == "__main__":
    command_line.run(main, Output, Settings)
