"""Simulates the WeChat Big Data Challenge 2021: both raw files, and the labels' true probabilities.

    python -m data_prep.wechat.simulate --out_dir=data/simulated_wechat

The output folder holds `user_action.csv` and `feed_info.csv` with the columns of the published
files, `ground_truth.csv` (the probability of each behaviour, a line for each exposure, in the order
of `user_action.csv`) and `simulation.json` (settings, counts, and the AUC of the true
probabilities, which a model can beat by chance only; `test` is the last day, `train` the days
before). `data_prep/wechat/world.py` describes what is planted.
"""

import dataclasses
import pathlib

from data_prep.simulation import sizes
from data_prep.wechat.fields import BEHAVIOURS
from data_prep.wechat.world_settings import Settings
from dcrnn_tf.system import command_line, room
from dcrnn_tf.system.settings import required


@dataclasses.dataclass(frozen=True)
class Output:
    """Where the simulated files are written."""

    out_dir: str = required("Folder to write; must not exist.")


def main(output: Output, settings: Settings) -> None:
    """Runs the program."""
    from data_prep.wechat.simulated_files import simulate  # late: it takes long to import

    room.require("This simulation", output.out_dir, sizes.wechat(settings.rows, settings.feeds))
    summary = simulate(pathlib.Path(output.out_dir), settings)
    print(f"Simulated data in {output.out_dir}: {settings.rows:,} rows")
    for split, title in (("train", "days before the last"), ("test", "last day")):
        print(f"  {title}: {summary['rows'][split]:,} rows")
        for name in BEHAVIOURS:
            auc = summary["bayes_auc"][split][name]
            print(
                f"    {name}: {summary['positives'][split][name]:,} "
                f"({summary['positives'][split][name] / summary['rows'][split]:.4f}), "
                f"Bayes-optimal AUC {'undefined' if auc is None else format(auc, '.4f')}"
            )


if __name__ == "__main__":
    command_line.run(main, Output, Settings)
