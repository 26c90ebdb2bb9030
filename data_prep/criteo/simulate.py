"""Simulates Criteo's Kaggle display advertising data, and its clicks' true probabilities.

  python -m data_prep.criteo.simulate --out_dir=data/simulated_criteo --rows=200000

The output folder holds `train.txt` in the format of the real file, `ground_truth.csv` (header
`click`: the true probability of each row) and `simulation.json` (settings, what is planted, and the
AUC of the true probabilities, which a model can beat by chance only). The rows are split when they
are prepared; until then all splits are alike, so that one AUC stands for each.
`data_prep/criteo/world.py` describes what is planted.
"""

import dataclasses
import pathlib

import polars as pl
import tqdm

from data_prep.criteo.preparation import LABEL
from data_prep.criteo.world import EFFECTS, Settings, Simulation
from data_prep.own_log.declaration import SPLIT_NAMES
from data_prep.simulation.auc_histogram import AucHistogram
from data_prep.simulation.folder import simulation_folder, write_simulation
from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import check, required

DATA_FILE = "train.txt"
GROUND_TRUTH_FILE = "ground_truth.csv"


def simulate(folder: str | pathlib.Path, settings: Settings) -> dict:
    """Writes a simulated Criteo.

    Args:
      folder: Folder of the simulated files; must not exist.
      settings: Settings of the simulation.

    Returns:
      The content of `simulation.json`.

    Raises:
      DatasetError: the folder exists, or the settings make no sense.
    """
    folder = pathlib.Path(folder)
    check(settings)
    with simulation_folder(folder) as partial:
        histogram, clicks = AucHistogram(), 0
        progress = tqdm.tqdm(total=settings.rows, desc="simulating", unit=" rows", unit_scale=True)
        with (
            progress,
            open(partial / DATA_FILE, "wb") as data,
            open(partial / GROUND_TRUTH_FILE, "wb") as truth,
        ):
            truth.write(f"{LABEL}\n".encode())
            for block in Simulation(settings).blocks():
                block.frame.write_csv(
                    data, include_header=False, separator="\t", null_value="", quote_style="never"
                )
                pl.DataFrame({LABEL: block.probability}).write_csv(
                    truth, include_header=False, float_precision=12, float_scientific=False
                )
                click = block.frame[LABEL].to_numpy()
                histogram.add(block.probability, click)
                clicks += int(click.sum())
                progress.update(len(click))
        auc = histogram.auc()
        summary = {
            "seed": settings.seed,
            "settings": dataclasses.asdict(settings),
            "planted": {" x ".join(names): share for names, share in EFFECTS.items()},
            "rows": settings.rows,
            "clicks": clicks,
            "bayes_auc": {split: {LABEL: auc} for split in SPLIT_NAMES},
            "bayes_auc_over": "all rows, since they are split later",
        }
        write_simulation(partial, summary)
    return summary


@dataclasses.dataclass(frozen=True)
class Output:
    """Where the simulated files are written."""

    out_dir: str = required("Folder to write; must not exist.")


def main(output: Output, settings: Settings) -> None:
    """Runs the program."""
    summary = simulate(output.out_dir, settings)
    auc = summary["bayes_auc"]["test"][LABEL]
    print(
        f"Simulated data in {output.out_dir}: {summary['rows']:,} rows, {summary['clicks']:,} "
        f"clicks; Bayes-optimal AUC {'undefined' if auc is None else f'{auc:.4f}'}"
    )


if __name__ == "__main__":
    command_line.run(main, Output, Settings)
