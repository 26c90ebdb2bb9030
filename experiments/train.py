"""Trains a model on a prepared dataset and leaves a run folder that explains itself.

Example:
  python -m experiments.train --data_dir=data/ali_ccp --run_dir=runs/dcrnn --model=dcrnn \\
      --set=cell=lstm --set=bidirectional=true --set=adaptation=true

The same command again goes on from the last checkpoint, or says that the run is finished.
"""

import dataclasses
import pathlib

import yaml
from absl import flags

from dcrnn_tf.system import command_line
from experiments.runs import run_folder

FLAGS = flags.FLAGS

flags.DEFINE_string("data_dir", None, "Prepared dataset to train on.", required=True)
flags.DEFINE_string("run_dir", None, "Folder of the run; made if need be.", required=True)
flags.DEFINE_string(
    "model", "dcrnn", "Name of the model in the registry, or MODULE:CLASS of one of your own."
)
flags.DEFINE_multi_string(
    "set", [], "A setting of the model as NAME=VALUE, such as --set=units=64; may be repeated."
)
flags.DEFINE_list("fields", None, "Fields to use, by name; all if not given.")
flags.DEFINE_integer("seed", 1, "Seed of initial weights and of the order of rows.", lower_bound=0)
flags.DEFINE_integer("epochs", 3, "Passes over the training split.", lower_bound=1)
flags.DEFINE_integer("batch_size", 1024, "Rows of a training step.", lower_bound=1)
flags.DEFINE_float("learning_rate", 1e-4, "Learning rate of both optimizers.", lower_bound=0.0)
flags.DEFINE_string("optimizer", "adam", "Optimizer of all weights but the embedding tables.")
flags.DEFINE_string("embedding_optimizer", "lazy_adam", "Optimizer of the embedding tables.")
flags.DEFINE_enum(
    "mixed_precision",
    "none",
    run_folder.PRECISIONS,
    "bfloat16: type of products and activations; weights, tables and losses stay float32. "
    "bfloat16_products: large products alone.",
)
flags.DEFINE_list(
    "positive_weights",
    ["auto"],
    "Factor on the positives' loss: auto (negatives over positives of the training split), none, "
    "or one number per task, comma-separated.",
)
flags.DEFINE_enum(
    "balancing",
    "sum",
    ["sum", "fixed", "uncertainty", "dwa", "gradnorm", "pcgrad"],
    "How the tasks' losses become one gradient; see docs/balancing.md.",
)
flags.DEFINE_list("task_weights", None, "--balancing=fixed: one number per task, comma-separated.")
flags.DEFINE_float("dwa_temperature", 2.0, "--balancing=dwa: the larger, the more alike weights.")
flags.DEFINE_float("gradnorm_alpha", 1.5, "--balancing=gradnorm: how strongly it evens the pace.")
flags.DEFINE_bool(
    "jit_compile",
    False,
    "XLA compiles the whole training step, in a form with static shapes: for GPUs.",
)
flags.DEFINE_integer("log_every", 100, "Steps between two lines of losses.", lower_bound=1)
flags.DEFINE_integer("checkpoint_every", 5000, "Steps between two checkpoints.", lower_bound=1)
flags.DEFINE_integer(
    "steps_per_execution",
    1,
    "Steps at most between two returns to Python; several keep a GPU busy. Same result.",
    lower_bound=1,
)
flags.DEFINE_integer(
    "threads", 0, "Processor threads TensorFlow may use; 0 takes all.", lower_bound=0
)
flags.DEFINE_enum(
    "strategy",
    "none",
    ["none", "mirrored", "multi_worker"],
    "Who trains: one device; all GPUs of this machine; or the processes that TF_CONFIG names, each "
    "with this command (experiments.launch starts them on one machine). See docs/scaling.md.",
)
flags.DEFINE_list(
    "table_devices",
    [],
    "Devices that take turns in holding the embedding table's shards, such as CPU:0,GPU:1 or "
    "CPU:0,/job:ps/task:0; together with --set=table_shards=N.",
)
flags.DEFINE_list(
    "parameter_servers",
    [],
    "Addresses of experiments.parameter_server: they are the devices /job:ps/task:0 and so on.",
)
flags.DEFINE_string("heartbeat_file", None, "File to touch once a second as long as steps go on.")


def main() -> None:
    """Runs the program."""
    choice = _positive_weights(FLAGS.positive_weights)
    model_settings = _model_settings(FLAGS.set)
    balancing_settings = _balancing_settings()
    if FLAGS.jit_compile:
        model_settings.setdefault("static_shapes", True)
    for flag in ("jit_compile", "steps_per_execution", "table_devices", "parameter_servers"):
        if FLAGS.strategy != "none" and FLAGS[flag].value != FLAGS[flag].default:
            raise command_line.UsageError(f"--strategy={FLAGS.strategy} does not go with --{flag}")
    if FLAGS.strategy != "none" and FLAGS.balancing not in ("sum", "fixed"):
        raise command_line.UsageError(
            f"--strategy={FLAGS.strategy} does not go with --balancing={FLAGS.balancing}, which "
            "would balance each replica's part of a batch by itself; choose sum or fixed"
        )
    # Imported late, so that --help and a mistyped flag are answered at once.
    from dcrnn_tf.distribution import distribution

    command_line.use_threads(FLAGS.threads)
    servers = FLAGS.parameter_servers
    replicas = distribution.build(FLAGS.strategy, FLAGS.heartbeat_file, servers)
    with replicas.scope(), replicas.naming_lost_workers():
        _train(replicas, choice, model_settings, balancing_settings)


def _train(
    replicas, choice: str | list[float], model_settings: dict, balancing_settings: dict
) -> None:
    import keras

    from dcrnn_tf import balancing, models, optimizers
    from dcrnn_tf.dataset.reader import PreparedDataset
    from dcrnn_tf.training import losses
    from dcrnn_tf.training.trainer import Trainer, TrainingSettings
    from experiments.runs import explanations, finish

    names = [field.name for field in dataclasses.fields(TrainingSettings)]
    settings = TrainingSettings(**{name: getattr(FLAGS, name) for name in names})
    try:
        optimizers.build(settings.optimizer, settings.learning_rate)
        optimizers.build_for_tables(
            settings.embedding_optimizer, settings.learning_rate, settings.jit_compile
        )
    except ValueError as error:
        raise command_line.UsageError(str(error)) from None
    dataset = PreparedDataset(FLAGS.data_dir, FLAGS.fields)
    weights = losses.positive_weights(dataset.schema, choice)
    balancer = balancing.build(
        FLAGS.balancing,
        losses.initial_losses(dataset.schema, weights),
        dataset.steps("train", settings.batch_size),
        settings.seed,
        settings.jit_compile,
        **balancing_settings,
    )
    run_folder.use_precision(FLAGS.mixed_precision)
    keras.utils.set_random_seed(settings.seed)
    # Where the shards lie decides nothing, and is no setting of the run.
    places = {"table_devices": FLAGS.table_devices} if FLAGS.table_devices else {}
    model = models.build(FLAGS.model, dataset.schema, **model_settings | places)
    model.check_positive_weights(weights)  # before the run has a folder
    config = {
        "data_dir": FLAGS.data_dir,
        "dataset_fingerprint": dataset.schema.fingerprint,
        "fields": FLAGS.fields,
        "model": FLAGS.model,
        "settings": model_settings,
        "mixed_precision": FLAGS.mixed_precision,
        "positive_weights": choice,
        "balancing": {"name": FLAGS.balancing, **balancing_settings},
        **dataclasses.asdict(settings),
    }
    run_dir = pathlib.Path(FLAGS.run_dir)
    if replicas.is_chief:
        run_folder.open_run(run_dir, config)
    if run_folder.finished(run_dir):
        if not replicas.is_chief:
            return
        print(f"{run_dir} holds this run, finished; choose another run_dir to run it again.")
        return
    trainer = Trainer(model, dataset, settings, weights, run_dir, balancer, replicas)
    step = trainer.restore()
    if step is None and replicas.is_chief:
        record = run_folder.describe(dataset.schema, model.parameter_counts(), weights)
        record["replicas"] = replicas.replicas
        run_folder.write_json(run_dir / run_folder.RUN_FILE, record)
    elif replicas.is_chief:
        print(f"Going on from the checkpoint of step {step} in {run_dir}.")
    trainer.train()

    predictions = (
        (split, *trainer.predictor.predict(dataset, split))
        for split in ("validation", "test")
        if split in dataset.schema.splits
    )
    if not replicas.is_chief:
        for _ in predictions:  # each replica scores a part, and the chief gathers all
            pass
        replicas.wait()  # to leave while the chief is at work would look like a death
        return
    metrics = finish.evaluate(run_dir, predictions, model.derived_outputs(dataset.schema.tasks))
    for last_split in list(metrics)[-1:]:
        if explained := explanations.collect(model, dataset, last_split):
            run_folder.write_json(run_dir / run_folder.EXPLANATION_FILE, explained)
    result = {
        "epochs": settings.epochs,
        "steps": trainer.steps,
        "wall_seconds": round(trainer.seconds, 1),
        "rows_per_second": round(trainer.rows_per_second, 1),
        "processor_seconds": round(trainer.processor_seconds, 1),
        "metrics": metrics,
    }
    finish.finish(run_dir, result)
    replicas.wait()


def _positive_weights(given: list[str]) -> str | list[float]:
    if given in (["auto"], ["none"]):
        return given[0]
    try:
        return [float(part) for part in given]
    except ValueError:
        raise command_line.UsageError(
            f"--positive_weights={','.join(given)} must be auto, none, or one number per task"
        ) from None


def _balancing_settings() -> dict:
    """The settings of the chosen way of balancing, after defaults."""
    settings = {}
    for way, flag, setting in (
        ("fixed", "task_weights", "weights"),
        ("dwa", "dwa_temperature", "temperature"),
        ("gradnorm", "gradnorm_alpha", "alpha"),
    ):
        if FLAGS.balancing == way:
            settings[setting] = FLAGS[flag].value
        elif FLAGS[flag].present:
            raise command_line.UsageError(
                f"--{flag} belongs to --balancing={way}, not to --balancing={FLAGS.balancing}"
            )
    if FLAGS.balancing == "fixed":
        try:
            settings["weights"] = [float(part) for part in FLAGS.task_weights or ()]
        except ValueError:
            raise command_line.UsageError(
                f"--task_weights={','.join(FLAGS.task_weights)} must be one number per task"
            ) from None
    return settings


def _model_settings(given: list[str]) -> dict:
    settings = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise command_line.UsageError(f"--set={pair} must be NAME=VALUE, such as units=64")
        if name in settings:
            raise command_line.UsageError(f"--set={name}=... is given twice")
        try:
            settings[name] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            # A date of month 13, or a tag on the wrong kind of value, raises what it may.
            raise command_line.UsageError(f"--set={pair}: the value cannot be read") from None
    return settings


if __name__ == "__main__":
    command_line.run(main)
