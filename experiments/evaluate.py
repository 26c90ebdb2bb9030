"""Evaluates a trained run on a split: prints every metric of each task.

Example:
  python -m experiments.evaluate --run_dir=runs/dcrnn --split=test
"""

import dataclasses
import json

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which run is evaluated on which examples."""

    run_dir: str = required("Folder of a run of experiments.train.")
    split: str = setting("test", "Split to evaluate.")
    data_dir: str | None = setting(None, "Prepared dataset; that of the run by default.")
    step: int | None = setting(
        None,
        "Step of the checkpoint; by default the newest, or the best one of a run with --monitor.",
    )
    group_by: str | None = setting(
        None,
        "Entity table, or field with one id a row, of the metrics by group; that of the run by "
        "default.",
    )
    batch_size: int = setting(4096, "Number of examples that are scored at a time.", lower=1)
    threads: int = setting(
        0, "Number of processor threads that TensorFlow may use; 0 takes all.", lower=0
    )


def main(settings: Settings) -> None:
    """Runs the program."""
    from dcrnn_tf.training import evaluation, row_groups
    from experiments.runs import trained_runs

    command_line.use_threads(settings.threads)
    run = trained_runs.load(settings.run_dir, settings.data_dir, settings.step)
    run.dataset.schema.split(settings.split)
    group_by = settings.group_by or run.config.get("group_by")
    row_groups.check(run.dataset, group_by)
    labels, logits = run.predictor.predict(run.dataset, settings.split, settings.batch_size)
    tasks = run.dataset.schema.tasks
    outputs = run.model.derived_outputs(tasks)
    weights = evaluation.weights_of(run.dataset, settings.split, outputs)
    groups = row_groups.read(run.dataset, settings.split, group_by)
    figures = evaluation.evaluate(labels, logits, outputs, tasks, weights, groups)
    print(json.dumps({"step": run.step, "split": settings.split, "metrics": figures}, indent=2))


if __name__ == "__main__":
    command_line.run(main, Settings)
