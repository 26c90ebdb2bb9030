"""Simulates the log of an album recommender such as Xiaomi Radio, whose log is private.

  python -m data_prep.radio.simulate --out_dir=data/simulated_radio --rows=200000

The output folder holds the exposures, `exposures-00000.csv` and so on; for each file
`ground_truth-00000.csv` with the true probabilities of both labels, row by row; `radio.yaml`, the
declaration with which `data_prep.own_log` prepares them; and `simulation.json` (settings, what is
planted, measured rates and correlation, and the AUC of the true probabilities, which a model can
beat by chance only). The rows are split when they are prepared; until then all splits are alike, so
that one AUC stands for each. `data_prep/radio/world.py` describes what is planted.
"""

from data_prep.radio.world_settings import Output, Settings
from data_prep.simulation import sizes
from dcrnn_tf.system import command_line, room


def main(output: Output, settings: Settings) -> None:
    """Runs the program."""
    from data_prep.radio.simulated_files import simulate  # late: it takes long to import

    room.require("This simulation", output.out_dir, sizes.radio(settings.rows))
    summary = simulate(output.out_dir, settings, output.rows_per_file)
    auc = {
        task: "undefined" if value is None else f"{value:.4f}"
        for task, value in summary["bayes_auc"]["test"].items()
    }
    correlation = summary["task_correlation"]
    print(
        f"Simulated data in {output.out_dir}: {summary['rows']:,} rows, {summary['clicks']:,} "
        f"clicks, {summary['plays']:,} valid plays; correlation of the tasks "
        f"{'undefined' if correlation is None else f'{correlation:.4f}'}; Bayes-optimal AUC: "
        f"click {auc['click']}, play {auc['play']}"
    )


if __name__ == "__main__":
    command_line.run(main, Output, Settings)
