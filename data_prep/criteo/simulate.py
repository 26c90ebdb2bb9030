"""Simulates Criteo's Kaggle display advertising data, and the truth behind its clicks.

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
from absl import flags

from data_prep.criteo.preparation import LABEL
from data_prep.criteo.world import EFFECTS, Settings, Simulation
from data_prep.own_log.declaration import SPLIT_NAMES
from data_prep.simulation.auc_histogram import AucHistogram
from data_prep.simulation.folder import begin_simulation, finish_simulation
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.system import command_line

FLAGS = flags.FLAGS
DATA_FILE = "train.txt"
GROUND_TRUTH_FILE = "ground_truth.csv"


def simulate(folder: str | pathlib.Path, settings: Settings) -> dict:
    """Writes a simulated Criteo.

    Args:
      folder: where it shall be; must not exist.
      settings: what is simulated.

    Returns:
      The content of `simulation.json`.

    Raises:
      DatasetError: the folder exists, or the settings make no sense.
    """
    folder = pathlib.Path(folder)
    check(settings)
    with begin_simulation(folder) as partial:
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
        finish_simulation(folder, summary)
    return summary


def check(settings: Settings) -> None:
    """Refuses settings that make no sense.

    Raises:
      DatasetError: says which and why.
    """
    if settings.rows < 1:
        raise DatasetError(f"--rows={settings.rows} is not at least 1")
    if not 0.001 <= settings.click_rate <= 0.999:
        raise DatasetError(f"--click_rate={settings.click_rate} is not from 0.001 to 0.999")
    if not 0 < settings.signal <= 10:
        raise DatasetError(f"--signal={settings.signal} is not above 0 and at most 10")


def _define_flags() -> None:
    default = Settings()
    flags.DEFINE_string("out_dir", None, "Folder to write; must not exist.", required=True)
    flags.DEFINE_integer("rows", default.rows, "Rows of train.txt.")
    flags.DEFINE_float("click_rate", default.click_rate, "Share of clicks.")
    flags.DEFINE_float("signal", default.signal, "Standard deviation of the planted logit.")
    flags.DEFINE_integer("seed", default.seed, "Seed of everything random.", lower_bound=0)


def main() -> None:
    """Runs the program."""
    names = [field.name for field in dataclasses.fields(Settings)]
    summary = simulate(FLAGS.out_dir, Settings(**{name: FLAGS[name].value for name in names}))
    auc = summary["bayes_auc"]["test"][LABEL]
    print(
        f"Simulated data in {FLAGS.out_dir}: {summary['rows']:,} rows, {summary['clicks']:,} "
        f"clicks; Bayes-optimal AUC {'undefined' if auc is None else f'{auc:.4f}'}"
    )


if __name__ == "__main__":
    _define_flags()
    command_line.run(main)
