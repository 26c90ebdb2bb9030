"""A training from the flags to the finished run folder."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from dcrnn_tf.system import command_line
from dcrnn_tf.training.settings import TrainingSettings
from experiments.runs import reuse, run_folder
from experiments.train.settings import Choices, Settings, chosen

if TYPE_CHECKING:
    from dcrnn_tf.distribution.distribution import Distribution
    from dcrnn_tf.training.trainer import Trainer
    from experiments.train.built import Built

AfterValidation = Callable[[int, Mapping], object]


def main(
    settings: Settings,
    training: TrainingSettings,
    after_validation: AfterValidation = lambda step, metrics: None,
    paged: bool = True,
) -> None:
    """Runs the program.

    Args:
      settings: What is trained on what.
      training: Settings of the training loop.
      after_validation: Function as `Trainer` takes it.
      paged: Whether the run has a report, and the model's explanation for it.
    """
    choices = chosen(settings, training)
    # Imported late, so that --help and a mistyped flag are answered at once.
    from dcrnn_tf.distribution import distribution

    command_line.use_threads(settings.threads)
    _check_balancing(settings)
    replicas = distribution.build(
        settings.strategy,
        settings.heartbeat_file,
        settings.parameter_servers,
        settings.join_seconds,
    )
    with replicas.scope(), replicas.naming_lost_workers():
        _train(replicas, settings, training, choices, after_validation, paged)


def _train(
    replicas: "Distribution",
    settings: Settings,
    training: TrainingSettings,
    choices: Choices,
    after_validation: AfterValidation,
    paged: bool,
) -> None:
    from dcrnn_tf.training.trainer import Trainer
    from experiments.runs import earlier_run
    from experiments.train import built as parts

    built = parts.build(settings, training, choices, replicas)
    dataset, model = built.dataset, built.model
    config = parts.config(settings, training, choices, dataset.schema.fingerprint)
    run_dir = pathlib.Path(settings.run_dir)
    if settings.init_from is not None and not (run_dir / run_folder.CONFIG_FILE).exists():
        earlier_run.check_architecture(settings.init_from, config)  # else it goes on by itself
    if replicas.is_chief:
        run_folder.open_run(run_dir, config, dataclasses.asdict(TrainingSettings()))
    if run_folder.finished(run_dir):
        if replicas.is_chief:
            again = "choose another run_dir to run it again"
            print(f"{run_dir} holds this run, finished; {again}.{reuse.remark(run_dir)}")
        return
    trainer = Trainer(
        model,
        dataset,
        training,
        built.weights,
        run_dir,
        built.balancer,
        replicas,
        after_validation,
    )
    _start(trainer, built, settings, run_dir, replicas)
    trainer.train()
    step = trainer.take_result()
    _finish(trainer, step, settings, run_dir, replicas, paged)


def _start(
    trainer: "Trainer",
    built: "Built",
    settings: Settings,
    run_dir: pathlib.Path,
    replicas: "Distribution",
) -> None:
    """Goes on from a checkpoint, or from an earlier run, or writes down what begins afresh."""
    from experiments.runs import earlier_run

    step = trainer.restore()
    if step is not None:
        if replicas.is_chief:
            remark = reuse.remark(run_dir)
            print(f"Going on from the checkpoint of step {step} in {run_dir}.{remark}")
        return
    if replicas.is_chief:
        counts = built.model.parameter_counts()
        record = run_folder.describe(built.dataset.schema, counts, built.weights)
        record["replicas"] = replicas.replicas
        if settings.init_from is not None:
            record["init_from"] = earlier_run.describe(settings.init_from)
        run_folder.write_json(run_dir / run_folder.RUN_FILE, record)
    if settings.init_from is not None:
        earlier = earlier_run.load(settings.init_from, settings.init_data_dir)
        carried = trainer.start_from(earlier)
        if replicas.is_chief:
            print(f"Starting from {earlier.checkpoint}:")
            print("".join(f"  {line}\n" for line in carried.lines()), end="")


def _finish(
    trainer: "Trainer",
    step: int,
    settings: Settings,
    run_dir: pathlib.Path,
    replicas: "Distribution",
    paged: bool,
) -> None:
    """Evaluates the weights of a step, and writes what a finished run folder holds."""
    from dcrnn_tf.training import evaluation
    from dcrnn_tf.training.evaluation import row_groups
    from experiments.runs import explanations, finish

    dataset, model = trainer.dataset, trainer.model
    predictions = (
        (split, *trainer.predictor.predict(dataset, split))
        for split in ("validation", "test")
        if split in dataset.splits
    )
    if not replicas.is_chief:
        for _ in predictions:  # each replica scores a part, and the chief gathers all
            pass
        replicas.wait()  # to leave while the chief is at work would look like a death
        return
    tasks = dataset.schema.tasks
    outputs = model.derived_outputs(tasks)
    weights = functools.partial(evaluation.weights_of, dataset, derived_outputs=outputs)
    groups = functools.partial(row_groups.read, dataset, name=trainer.settings.group_by)
    metrics = finish.evaluate(
        run_dir, predictions, outputs, tasks, weights, groups, settings.keep_scores
    )
    for last_split in list(metrics)[-1:] if paged else ():
        if explained := explanations.collect(model, dataset, last_split):
            run_folder.write_json(run_dir / run_folder.EXPLANATION_FILE, explained)
    result = {
        "epochs": trainer.epochs,
        "steps": trainer.steps,
        **({} if trainer.monitor is None else {"evaluated_step": step}),
        "wall_seconds": round(trainer.progress.seconds, 1),
        "rows_per_second": round(trainer.progress.rows_per_second, 1),
        "processor_seconds": round(trainer.progress.processor_seconds, 1),
        "metrics": metrics,
    }
    finish.finish(run_dir, result, paged)
    replicas.wait()


def _check_balancing(settings: Settings) -> None:
    """Refuses a way of balancing that replicas cannot share, before they wait for each other."""
    from dcrnn_tf import balancing

    if balancing.registration(settings.balancing).across_replicas or settings.strategy == "none":
        return
    known = [name for name in balancing.names() if balancing.registration(name).across_replicas]
    raise command_line.UsageError(
        f"--strategy={settings.strategy} does not go with --balancing={settings.balancing}, "
        f"which would balance each replica's part of a batch by itself; choose {' or '.join(known)}"
    )
