"""Tunes a model on a prepared dataset, by a metric of the validation split.

  python -m experiments.tune --model=mmoe --data_dir=data/ali_ccp --out_dir=runs/tune_mmoe

Each trial is a run of experiments.train in `trials/`, with settings that Optuna's sampler chooses
from the search space of docs/tuning.md; what a flag gives is not tuned. The test split is never
opened. The same command goes on where it was, also after it was killed; several at once share the
trials. In the end `best.json` has the best settings, for `experiments.train --config=`, and
`report.html` the history.
"""

import dataclasses
import pathlib

from absl import logging

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import changes, given, required, setting
from dcrnn_tf.training.metric_address import MetricAddress
from dcrnn_tf.training.settings import TrainingSettings
from experiments import train

DEFAULTS = {"epochs": 10, "patience": 2, "seed": 1}
"""What all trials have in common where no flag says otherwise."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is tuned, and what that may cost."""

    data_dir: str = required("Prepared dataset to tune on; its test split is never opened.")
    out_dir: str = required("Folder of the trials, made if it is missing.")
    model: str = setting(
        "dcrnn",
        "Name of the model in the registry, or MODULE:CLASS of one of your own; boosted_trees or "
        "sklearn_logistic_regression for scikit-learn's.",
    )
    trials: int = setting(20, "Number of trials, those of earlier commands included.", lower=1)
    row_visits: int | None = setting(
        None,
        "Number of training rows, counted each time they are read, after which no other trial "
        "begins.",
        lower=1,
    )
    prune: bool = setting(
        True,
        "Whether a trial ends early whose metric is worse than the median of the complete trials "
        "at the same step.",
    )
    report: bool = setting(
        True, "Whether report.html of the tuning, and of its best trial, is written in the end."
    )


Model = changes(
    train.Settings,
    *("set", "start_vectors", "fields", "mixed_precision", "positive_weights"),
    *("balancing", "balancing_set", "threads"),
)
Training = changes(TrainingSettings)


def main(settings: Settings, of_model: object, of_training: object) -> None:
    """Runs the program."""
    fixed = given(of_model) | given(of_training)
    address = MetricAddress.parse(str(fixed.pop("monitor", "validation/mean/primary")))
    if address.split != "validation":
        raise command_line.UsageError(
            f"--monitor={address} must be a metric of the validation split, by which alone "
            "settings may be chosen"
        )
    logging.set_verbosity(logging.ERROR)  # TensorFlow tells of every file it writes
    command_line.use_threads(int(str(fixed.get("threads", 0))))
    from dcrnn_tf.dataset.schema import load_schema
    from experiments.tune import page, runs, space, trials
    from experiments.tune.objective import Objective
    from experiments.tune.study import Budget, Study, on_disk

    objective = Objective(address)
    kind = runs.Fitted if settings.model in space.PROGRAMS else runs.Network
    defaults = {"seed": DEFAULTS["seed"]} if kind is runs.Fitted else DEFAULTS
    fixed = {**defaults, **fixed}
    tuned = kind(settings.model, settings.data_dir, objective, fixed)
    config = {
        **tuned.config(),
        "dataset_fingerprint": load_schema(settings.data_dir).fingerprint,
        "monitor": str(address),
        "prune": settings.prune,
        "space": {one.name: one.described() for one in tuned.dimensions},
    }
    config.pop("threads", None)  # they decide nothing
    out_dir = pathlib.Path(settings.out_dir)
    seed = int(str(fixed["seed"]))
    budget = Budget(settings.trials, settings.row_visits)
    with on_disk(out_dir):
        study = Study(out_dir, config, tuned.dimensions, objective.maximized, seed)
        trials.work(study, tuned, objective, budget, settings.prune)
        if settings.report:
            print(f"Report: {page.write(study, settings.model, objective)}")


if __name__ == "__main__":
    command_line.run(main, Settings, Model, Training, translate=train.flags_of_run)
