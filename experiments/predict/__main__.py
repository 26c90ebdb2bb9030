r"""Scores the rows of raw files with the model of a run, or with an exported one.

Example:
  python -m experiments.predict --run_dir=runs/shop --files='new_*.parquet' --out=scores.parquet

Raw rows as the dataset's declaration describes them, without labels, become a Parquet file with
keys and named probabilities, whatever the number of rows. The same command goes on after an
interruption. docs/scores.md says more.
"""

from dcrnn_tf.system import command_line
from experiments.predict.settings import Settings


def main(settings: Settings) -> None:
    """Runs the program."""
    settings.check()
    from experiments.predict.scoring import score_files
    from experiments.runs import run_folder

    step = run_folder.checkpoint_of(settings.checkpoint)
    command_line.use_threads(settings.threads)
    print(score_files(settings, step))


if __name__ == "__main__":
    command_line.run(main, Settings)
