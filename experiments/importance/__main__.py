r"""Measures how much a model relies on each field: by what permuting it costs each metric.

Example:
  python -m experiments.importance --run_dir=runs/shop --out_dir=importance/shop

A field's values are exchanged among rows of the split, the other fields stay, and the rows are
scored anew. The page of --out_dir, importance.html, has a picture and a table for each task;
importance.csv has every field, task and metric. docs/scores.md says how to read them.
"""

import dataclasses

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which model is measured, on which rows."""

    run_dir: str = required("Folder of a run of experiments.train.")
    out_dir: str = required("Folder to write the page and the numbers to; made if need be.")
    data_dir: str | None = setting(None, "Prepared dataset; that of the run by default.")
    checkpoint: str = setting(
        "best", "best, last, or the number of a step, as in experiments.export."
    )
    split: str = setting("validation", "Split whose rows are scored.")
    rows: int = setting(100_000, "Largest number of rows, the first ones on disk.", lower=20)
    parts: int = setting(
        10,
        "Number of parts of the rows, within which values are exchanged; intervals are over them.",
        lower=2,
    )
    seed: int = setting(0, "Seed of the permutations.", lower=0, upper=2**32 - 1)
    batch_size: int = setting(4096, "Number of rows that are scored at a time.", lower=1)
    threads: int = setting(
        0, "Number of processor threads that TensorFlow may use; 0 takes all.", lower=0
    )


def main(settings: Settings) -> None:
    """Runs the program."""
    from experiments.runs import run_folder

    step = run_folder.checkpoint_of(settings.checkpoint)
    command_line.use_threads(settings.threads)
    from tqdm import tqdm

    from experiments.importance import measure, page
    from experiments.runs import trained_runs

    run = trained_runs.load_chosen(settings.run_dir, settings.data_dir, step)
    rows = measure.read(run, settings.split, settings.rows, settings.parts)
    with tqdm(total=1 + len(run.dataset.schema.fields), unit=" fields", desc="permuting") as bar:
        found = measure.importances(
            run, rows, settings.parts, settings.seed, settings.batch_size, bar.update
        )
    written = page.write(settings.out_dir, run, settings.split, rows.count, settings.parts, found)
    print(written)


if __name__ == "__main__":
    command_line.run(main, Settings)
