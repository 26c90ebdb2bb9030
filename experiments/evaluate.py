"""Evaluates a trained run on a split: prints every metric of each task.

Example:
  python -m experiments.evaluate --run_dir=runs/dcrnn --split=test --by=hour,new_user

With `--by` each metric is computed for the rows of each value of a field too, with `--intervals`
each has an interval; either writes the run's report again, with tables and plots of them.
"""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Callable

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting

_NONE = "none"


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which run is evaluated on which examples."""

    run_dir: str = required("Folder of a run of experiments.train.")
    split: str = setting("test", "Split to evaluate.")
    data_dir: str | None = setting(None, "Prepared dataset; that of the run by default.")
    by: tuple[str, ...] = setting(
        (),
        "Fields with one id or number a row, by whose values the metrics are computed too, such as "
        "--by=hour,new_user.",
    )
    intervals: str = setting(
        _NONE,
        "95 % intervals: bootstrap, of all metrics, which draws rows, or the rows of each group "
        "together, again and again; delong, of the AUC alone, which takes rows to be independent.",
        choices=(_NONE, "bootstrap", "delong"),
    )
    resamples: int = setting(200, "Number of times that the bootstrap draws.", lower=20)
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
    from dcrnn_tf.training import evaluation
    from dcrnn_tf.training.evaluation import intervals, row_groups, slices
    from experiments.runs import run_folder, trained_runs
    from experiments.runs.pages import report

    command_line.use_threads(settings.threads)
    run = trained_runs.load(settings.run_dir, settings.data_dir, settings.step)
    run.dataset.schema.split(settings.split)
    group_by = settings.group_by or run.config.get("group_by")
    row_groups.check(run.dataset, group_by)
    slices.check(run.dataset, settings.by)
    labels, logits = run.predictor.predict(run.dataset, settings.split, settings.batch_size)
    tasks = run.dataset.schema.tasks
    outputs = run.model.derived_outputs(tasks)
    weights = evaluation.weights_of(run.dataset, settings.split, outputs)
    groups = row_groups.read(run.dataset, settings.split, group_by)
    columns = (labels, logits, outputs, tasks, weights, groups)
    sliced = {name: slices.read(run.dataset, settings.split, name) for name in settings.by}

    def measured(measure: Callable[..., dict]) -> dict[str, dict]:
        found = {"metrics": measure(*columns)}
        if sliced:
            found["slices"] = {
                name: slices.evaluate_slices(of_field, *columns, measure)
                for name, of_field in sliced.items()
            }
        return found

    found = {"step": run.step, "split": settings.split, **measured(evaluation.evaluate)}
    if settings.intervals != _NONE:
        method, resamples = settings.intervals, settings.resamples
        compute = functools.partial(intervals.compute, method=method, resamples=resamples)
        words = intervals.in_words(method, groups, resamples)
        found["intervals"] = {"how": words, **measured(compute)}
    if sliced or settings.intervals != _NONE:
        run_folder.write_json(pathlib.Path(settings.run_dir, run_folder.EVALUATION_FILE), found)
        report.write(settings.run_dir)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    command_line.run(main, Settings)
