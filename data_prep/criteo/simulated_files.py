"""The file of a simulated Criteo."""

import dataclasses
import pathlib

import polars as pl
import tqdm

from data_prep.criteo.fields import LABEL
from data_prep.criteo.world import EFFECTS, Settings, Simulation
from data_prep.own_log.declaration import SPLIT_NAMES
from data_prep.simulation.auc_histogram import AucHistogram
from data_prep.simulation.folder import simulation_folder, write_simulation
from dcrnn_tf.system.settings import check

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
