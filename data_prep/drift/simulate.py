"""Simulates a log whose world drifts from day to day at a rate that is set.

  python -m data_prep.drift.simulate --out_dir=data/drift --days=14 --drift=0.2

The output folder holds a file for each day, `2026-01-01.csv` and so on, `drift.yaml`, the
declaration with which `data_prep.own_log` prepares them, and `simulation.json`: the settings, and
for each day the AUC of the true probabilities. `data_prep/drift/world.py` describes what is
planted; `python -m experiments.daily` measures how models keep up with it.
"""

import dataclasses
import pathlib
import statistics

from data_prep.drift.world_settings import Settings
from data_prep.simulation.folder import simulation_folder, write_simulation
from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required

FIRST_DAY = "2026-01-01"
DECLARATION = """\
name: drift
simulated: true
time: {column: time}
split: {by: time, files: "*.csv", last_days: 1}
tasks:
  click: {}
  like: {only_where: click}
fields:
  user: {kind: categorical, min_count: 2}
  item: {kind: categorical, min_count: 2}
  hour: {kind: categorical, min_count: 1}
"""


@dataclasses.dataclass(frozen=True)
class Output:
    """Where the log is written."""

    out_dir: str = required("Folder of the log; must not exist.")


def main(output: Output, settings: Settings) -> None:
    """Runs the program."""
    optima = simulate(pathlib.Path(output.out_dir), settings)
    words = []
    for task in TASKS:
        values = [auc for of_day in optima.values() if (auc := of_day[task]) is not None]
        words.append(f"{task} {statistics.fmean(values):.4f}" if values else f"{task} n/a")
    rows = settings.days * settings.rows_per_day
    print(
        f"Simulated data in {output.out_dir}: {rows:,} rows; mean Bayes-optimal AUC: "
        f"{', '.join(words)}"
    )


TASKS = ("click", "like")


def simulate(folder: pathlib.Path, settings: Settings) -> dict[str, dict[str, float | None]]:
    """Writes the log; returns the AUC of the true probabilities by day and task.

    Args:
      folder: Folder of the log; must not exist.
      settings: What is simulated.

    Raises:
      DatasetError: The folder exists.
    """
    import numpy as np  # late: it takes long to import
    import polars as pl

    from data_prep.drift import world
    from data_prep.simulation.auc_histogram import AucHistogram

    random, optima = np.random.default_rng([settings.seed, 1]), {}
    first = np.datetime64(FIRST_DAY)
    with simulation_folder(folder) as partial:
        for number, day in enumerate(world.days(settings)):
            date = str(first + number)
            click = random.random(len(day.click)) < day.click
            like = click & (random.random(len(day.like)) < day.like)
            aucs = {task: AucHistogram() for task in TASKS}
            aucs["click"].add(day.click, click.astype(int))
            aucs["like"].add(day.like[click], like[click].astype(int))
            optima[date] = {task: auc.auc() for task, auc in aucs.items()}
            columns = {
                "time": [f"{date} {hour:02d}:00:00" for hour in day.hour],
                "user": [f"u{user}" for user in day.user],
                "item": [f"i{item}" for item in day.item],
                "hour": day.hour,
                "click": click.astype(int),
                "like": like.astype(int),
            }
            pl.DataFrame(columns).write_csv(partial / f"{date}.csv")
        (partial / "drift.yaml").write_text(DECLARATION, encoding="utf-8")
        content = {"settings": dataclasses.asdict(settings), "bayes_auc_by_day": optima}
        write_simulation(partial, content)
    return optima


if __name__ == "__main__":
    command_line.run(main, Output, Settings)
