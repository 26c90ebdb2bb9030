"""Trains one configuration anew with several seeds, one after the other in one process.

  python -m experiments.benchmark_models.seeds --config=tune/best.json --run_dir=runs/mmoe --seeds=5

Takes the flags of experiments.train. The runs are `seed_1`, `seed_2` and so on in `--run_dir`; one
that is finished is not made again, and they have no reports: experiments.evaluate writes one.
"""

import dataclasses
import gc

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import setting
from dcrnn_tf.training.settings import TrainingSettings
from experiments import train


@dataclasses.dataclass(frozen=True)
class Seeds:
    """How many runs there are."""

    seeds: int = setting(5, "Number of runs, with the seeds from 1 on.", lower=1)


def main(settings: train.Settings, training: TrainingSettings, of_seeds: Seeds) -> None:
    """Runs the program."""
    import keras

    for seed in range(1, of_seeds.seeds + 1):
        keras.backend.clear_session()
        gc.collect()
        train.main(
            dataclasses.replace(settings, run_dir=f"{settings.run_dir}/seed_{seed}"),
            dataclasses.replace(training, seed=seed),
            paged=False,
        )


if __name__ == "__main__":
    command_line.run(main, train.Settings, TrainingSettings, Seeds, translate=train.flags_of_run)
