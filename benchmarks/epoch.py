r"""Measures an epoch of four million rows of each model of DCRNN's Table 4.

  python -m benchmarks.epoch

The runs are those of `experiments.train` on workload W, ten times as long, with all that a run does
besides its steps: compilation, shuffling, checkpoints, log and report.
"""

import dataclasses
import json
import pathlib
import shutil

import tqdm
from absl import logging

from benchmarks import workload
from benchmarks.preparation import gib, measured
from benchmarks.scaling import ROW_VISITS
from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import setting
from experiments.reports.blocks import Block
from experiments.reports.document import Section
from experiments.reports.grid import Grid, Number, Text
from experiments.reports.markdown import Trusted

ROWS = 4_000_000


@dataclasses.dataclass(frozen=True)
class Settings:
    """How long an epoch is, and where its data are."""

    work_dir: str = setting("data/benchmark", "Folder of the workloads.")
    rows: int = setting(ROWS, "Number of rows of an epoch.", lower=workload.BATCH)


def measure(work_dir: pathlib.Path, rows: int = ROWS) -> list[dict]:
    """Trains each model for an epoch.

    Args:
      work_dir: folder of the workloads.
      rows: Number of rows of the epoch.

    Returns:
      For each model `model`, `rows`, `seconds`, `cpu_seconds` and `peak_bytes` of the program and
      `rows_per_second`, those of its whole time.
    """
    folder = workload.make(work_dir / f"W-{rows}", workload.VOCABULARIES["W"], rows)
    run_dir = work_dir / "epoch"
    found = []
    for label, (name, settings) in tqdm.tqdm(workload.MODELS.items(), "Epochs", unit="epoch"):
        shutil.rmtree(run_dir, ignore_errors=True)
        settings = settings | {"embedding_dim": workload.EMBEDDING_DIM}
        result = measured(
            "experiments.train",
            f"--data_dir={folder / 'prepared'}",
            f"--run_dir={run_dir}",
            f"--model={name}",
            *(f"--set={setting}={json.dumps(value)}" for setting, value in settings.items()),
            "--epochs=1",
            f"--batch_size={workload.BATCH}",
        )
        rate = rows / result["seconds"]
        found.append({"model": label, "rows": rows, "rows_per_second": rate, **result})
    shutil.rmtree(run_dir)
    return found


def hours(epochs: list[dict]) -> float:
    """Of DCRNN's Table 4, a seed: three passes over 40 million rows by each model."""
    return sum(ROW_VISITS / epoch["rows_per_second"] for epoch in epochs) / 3600


def blocks(epochs: list[dict]) -> list[Block | str]:
    """Returns a table of the epochs, and what they mean for DCRNN's Table 4."""
    columns = (
        Text("model", "model"),
        Number("seconds", "seconds", ".0f"),
        Number("rows/s", "rows_per_second", ",.0f"),
        Number("processor seconds", "cpu_seconds", ".0f"),
        Number("peak memory", "peak_bytes", gib(1)),
    )
    visits = len(epochs) * ROW_VISITS / 1e6
    return [
        Trusted(
            f"An epoch of {epochs[0]['rows']:,} rows on W (`experiments.train`, start-up, "
            "checkpoints and report included):"
        ),
        Grid.of("Epochs", columns, epochs),
        (
            f"DCRNN's Table 4, {visits:.0f} million row visits, would take {hours(epochs):.1f} "
            "hours a seed at these speeds."
        ),
    ]


def main(settings: Settings) -> None:
    """Runs the program."""
    logging.set_verbosity(logging.ERROR)  # TFDS reports every step of writing its metadata
    epochs = measure(pathlib.Path(settings.work_dir), settings.rows)
    print(Section("", blocks(epochs)).markdown())


if __name__ == "__main__":
    command_line.run(main, Settings)
