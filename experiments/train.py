"""Trains a model on a prepared dataset and leaves a run folder that explains itself.

Example:
  python -m experiments.train --data_dir=data/ali_ccp --run_dir=runs/dcrnn --model=dcrnn \\
      --set=cell=lstm --set=bidirectional=true --set=adaptation=true

`--config=runs/dcrnn/config.json` trains as another run did; flags on the command line win.

The same command again goes on from the last checkpoint, or says that the run is finished.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting
from dcrnn_tf.training.metric_address import MetricAddress
from dcrnn_tf.training.settings import TrainingSettings
from experiments.runs import forms, reuse, run_folder

AfterValidation = Callable[[int, Mapping], object]
_AUTO, _NONE = "auto", "none"
# Settings of ways of balancing that have flags: the flag, the setting's name there, the default.
_BALANCING = {
    "fixed": ("task_weights", "weights", ()),
    "dwa": ("dwa_temperature", "temperature", 2.0),
    "gradnorm": ("gradnorm_alpha", "alpha", 1.5),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is trained on which dataset, and who trains it."""

    data_dir: str = required("Prepared dataset to train on.")
    run_dir: str = required("Folder of the run, made if it is missing.")
    model: str = setting(
        "dcrnn", "Name of the model in the registry, or MODULE:CLASS of one of your own."
    )
    set: Mapping[str, object] = setting(
        {}, "A setting of the model as NAME=VALUE, such as --set=units=64."
    )
    start_vectors: Mapping[str, object] = setting(
        {},
        "Vectors from which a field's embeddings start, as FIELD=FILE: a Parquet file with the "
        "columns id and vector. See docs/own_data/fields.md.",
    )
    init_from: str | None = setting(
        None,
        "Folder of a run whose weights and moments are taken over: embeddings with their ids, new "
        "ids start fresh. The model must be the same. See docs/next_day.md.",
    )
    init_data_dir: str | None = setting(
        None, "Prepared dataset of the run of --init_from, if it was moved since."
    )
    fields: tuple[str, ...] | None = setting(None, "Names of the fields to use; all by default.")
    dataset_fingerprint: str | None = setting(
        None, "Fingerprint that the dataset must have; any by default."
    )
    mixed_precision: str = setting(
        "none",
        "bfloat16: type of products and activations; weights, tables and losses stay float32. "
        "bfloat16_products: type of large products alone. float16: as bfloat16, with a scaled "
        "loss, for GPUs that have no bfloat16.",
        choices=forms.PRECISIONS,
    )
    positive_weights: tuple[str, ...] = setting(
        (_AUTO,),
        "Factor on the loss of positive examples: auto (negatives over positives of the training "
        "split), none, or one number per binary task, comma-separated.",
    )
    balancing: str = setting(
        "sum",
        "How the tasks' losses become one gradient: sum, or another way of docs/balancing.md.",
    )
    balancing_set: Mapping[str, object] = setting(
        {}, "A setting of the way of balancing as NAME=VALUE, such as --balancing_set=alpha=2."
    )
    task_weights: tuple[float, ...] | None = setting(
        None,
        "Weights of the tasks for --balancing=fixed: one number per task, comma-separated.",
        noun="one number per task",
    )
    dwa_temperature: float | None = setting(
        None, "Temperature of --balancing=dwa, 2 by default; the larger, the more alike weights."
    )
    gradnorm_alpha: float | None = setting(
        None, "Exponent of --balancing=gradnorm, 1.5 by default: how strongly it evens the pace."
    )
    evaluate_test: bool = setting(
        True, "Whether the test split is evaluated at the end; without, its files are not opened."
    )
    keep_scores: bool = setting(
        False,
        "Whether labels and logits of the last split are written to scores.npz, by which runs are "
        "compared row by row.",
    )
    threads: int = setting(
        0, "Number of processor threads that TensorFlow may use; 0 takes all.", lower=0
    )
    strategy: str = setting(
        "none",
        "Who trains: one device; all GPUs of this machine; or the processes that TF_CONFIG names, "
        "each with this command (experiments.launch starts them on one machine). See "
        "docs/scaling.md.",
        choices=("none", "mirrored", "multi_worker"),
    )
    table_devices: tuple[str, ...] = setting(
        (),
        "Devices that take turns in holding the embedding table's shards, such as CPU:0,GPU:1 or "
        "CPU:0,/job:ps/task:0; together with --set=table_shards=N.",
    )
    parameter_servers: tuple[str, ...] = setting(
        (),
        "Addresses of experiments.parameter_server: they are the devices /job:ps/task:0 and so on.",
    )
    join_seconds: float = setting(
        600.0,
        "Seconds that a process of --strategy=multi_worker waits for the others at its start.",
        lower=0,
    )
    heartbeat_file: str | None = setting(
        None, "File that is touched once a second as long as steps are made."
    )


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
    choice = _positive_weights(settings.positive_weights)
    balancing_settings = _balancing_settings(settings)
    model_settings = dict(settings.set)
    if training.jit_compile:
        model_settings.setdefault("static_shapes", True)
    _check_strategy(settings, training)
    if training.monitor is not None:
        MetricAddress.parse(training.monitor)
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
        run = (settings, training, choice, model_settings, balancing_settings, after_validation)
        _train(replicas, *run, paged)


def flags_of_run(config: Mapping) -> dict:
    """The values of flags that the content of a run's config.json stands for."""
    values = dict(config)
    if "settings" in values:
        values["set"] = values.pop("settings")
    if isinstance(values.get("balancing"), dict):
        balancing = values.pop("balancing")
        values["balancing"] = balancing.get("name", "sum")
        flag, name, _ = _BALANCING.get(values["balancing"], ("", "", None))
        values |= {flag: balancing[name]} if name in balancing else {}
        others = {key: value for key, value in balancing.items() if key not in ("name", name)}
        values |= {"balancing_set": others} if others else {}
    return values


def _train(
    replicas,
    settings: Settings,
    training: TrainingSettings,
    choice: str | list[float],
    model_settings: dict,
    balancing_settings: dict,
    after_validation: AfterValidation,
    paged: bool,
) -> None:
    import keras

    from dcrnn_tf import balancing, models, optimizers
    from dcrnn_tf.dataset.reader import PreparedDataset
    from dcrnn_tf.models import start_vectors, table_memory
    from dcrnn_tf.training import evaluation, losses, row_groups
    from dcrnn_tf.training.monitor import monitored
    from dcrnn_tf.training.step import check_settings
    from dcrnn_tf.training.trainer import Trainer
    from experiments.runs import earlier_run, explanations, finish

    try:
        optimizers.build(training.optimizer, training.learning_rate)
        optimizers.build_for_tables(
            training.embedding_optimizer, training.learning_rate, training.jit_compile
        )
    except ValueError as error:
        raise command_line.UsageError(str(error)) from None
    splits = finish.splits_of(settings.evaluate_test)
    dataset = PreparedDataset(settings.data_dir, settings.fields, splits)
    _check_fingerprint(dataset.schema.fingerprint, settings)
    run_folder.use_precision(settings.mixed_precision)
    keras.utils.set_random_seed(training.seed)
    # Where the shards lie decides nothing, and is no setting of the run.
    places = {"table_devices": settings.table_devices} if settings.table_devices else {}
    model = models.build(settings.model, dataset.schema, **model_settings | places)
    schema = model.training_schema(dataset.schema)
    weights = losses.positive_weights(schema, choice)
    balancer = balancing.build(
        settings.balancing,
        losses.initial_losses(schema, weights),
        dataset.steps("train", training.batch_size),
        training.seed,
        training.jit_compile,
        **balancing_settings,
    )
    model.check_positive_weights(weights)  # before the run has a folder
    check_settings(training, model, balancer, replicas)
    monitored(training, model, dataset)
    row_groups.check(dataset, training.group_by)
    numbers = optimizers.numbers_per_weight(training.embedding_optimizer)
    table_memory.check(model.embedding, numbers + (training.weight_average > 0))
    config = {
        "data_dir": settings.data_dir,
        "dataset_fingerprint": dataset.schema.fingerprint,
        "fields": settings.fields,
        "model": settings.model,
        "settings": model_settings,
        "mixed_precision": settings.mixed_precision,
        "positive_weights": choice,
        "balancing": {"name": settings.balancing, **balancing_settings},
        **dataclasses.asdict(training),
    }
    if not settings.evaluate_test:
        config["evaluate_test"] = False
    if settings.start_vectors:
        config["start_vectors"] = dict(settings.start_vectors)
    if settings.init_from is not None:
        config["init_from"] = settings.init_from
        if not pathlib.Path(settings.run_dir, run_folder.CONFIG_FILE).exists():
            earlier_run.check_architecture(settings.init_from, config)  # else it goes on by itself
    for field, file in settings.start_vectors.items():
        started, ids = start_vectors.start_from(model, dataset, field, str(file))
        print(f"{field}: {started:,} of {ids:,} ids start from a vector of {file}")
    run_dir = pathlib.Path(settings.run_dir)
    if replicas.is_chief:
        run_folder.open_run(run_dir, config, dataclasses.asdict(TrainingSettings()))
    if run_folder.finished(run_dir):
        if not replicas.is_chief:
            return
        again = "choose another run_dir to run it again"
        print(f"{run_dir} holds this run, finished; {again}.{reuse.remark(run_dir)}")
        return
    trainer = Trainer(
        model, dataset, training, weights, run_dir, balancer, replicas, after_validation
    )
    step = trainer.restore()
    if step is None and replicas.is_chief:
        record = run_folder.describe(dataset.schema, model.parameter_counts(), weights)
        record["replicas"] = replicas.replicas
        if settings.init_from is not None:
            record["init_from"] = earlier_run.describe(settings.init_from)
        run_folder.write_json(run_dir / run_folder.RUN_FILE, record)
    elif replicas.is_chief:
        print(f"Going on from the checkpoint of step {step} in {run_dir}.{reuse.remark(run_dir)}")
    if step is None and settings.init_from is not None:
        earlier = earlier_run.load(settings.init_from, settings.init_data_dir)
        carried = trainer.start_from(earlier)
        if replicas.is_chief:
            print(f"Starting from {earlier.checkpoint}:")
            print("".join(f"  {line}\n" for line in carried.lines()), end="")
    trainer.train()
    step = trainer.take_result()

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
    groups = functools.partial(row_groups.read, dataset, name=training.group_by)
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
        "wall_seconds": round(trainer.seconds, 1),
        "rows_per_second": round(trainer.rows_per_second, 1),
        "processor_seconds": round(trainer.processor_seconds, 1),
        "metrics": metrics,
    }
    finish.finish(run_dir, result, paged)
    replicas.wait()


def _check_strategy(settings: Settings, training: TrainingSettings) -> None:
    if settings.strategy == "none":
        return
    refused = {
        "jit_compile": training.jit_compile,
        "steps_per_execution": training.steps_per_execution > 1,
        "table_devices": settings.table_devices,
        "parameter_servers": settings.parameter_servers,
    }
    for flag in [flag for flag, used in refused.items() if used]:
        raise command_line.UsageError(f"--strategy={settings.strategy} does not go with --{flag}")


def _check_balancing(settings: Settings) -> None:
    from dcrnn_tf import balancing

    if balancing.registration(settings.balancing).across_replicas or settings.strategy == "none":
        return
    known = [name for name in balancing.names() if balancing.registration(name).across_replicas]
    raise command_line.UsageError(
        f"--strategy={settings.strategy} does not go with --balancing={settings.balancing}, "
        f"which would balance each replica's part of a batch by itself; choose {' or '.join(known)}"
    )


def _check_fingerprint(fingerprint: str, settings: Settings) -> None:
    if settings.dataset_fingerprint not in (None, fingerprint):
        raise command_line.UsageError(
            f"{settings.data_dir} has the fingerprint {fingerprint}, expected "
            f"{settings.dataset_fingerprint}; give the --data_dir that has it, or "
            f"--dataset_fingerprint={fingerprint} to train on this one"
        )


def _positive_weights(weights: tuple[str, ...]) -> str | list[float]:
    if weights in ((_AUTO,), (_NONE,)):
        return weights[0]
    try:
        return [float(part) for part in weights]
    except ValueError:
        raise command_line.UsageError(
            f"--positive_weights={','.join(weights)} must be auto, none, or one number per task"
        ) from None


def _balancing_settings(settings: Settings) -> dict:
    """The settings of the chosen way of balancing, after defaults."""
    chosen = dict(settings.balancing_set)
    for way, (flag, name, default) in _BALANCING.items():
        value = getattr(settings, flag)
        if settings.balancing == way:
            chosen[name] = chosen.get(name, default) if value is None else value
        elif value is not None:
            raise command_line.UsageError(
                f"--{flag} belongs to --balancing={way}, not to --balancing={settings.balancing}"
            )
    return chosen


if __name__ == "__main__":
    command_line.run(main, Settings, TrainingSettings, translate=flags_of_run)
