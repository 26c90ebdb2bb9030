"""What a training needs, built and checked before its run has a folder."""

import dataclasses
from typing import NamedTuple

import keras

from dcrnn_tf import balancing, models, optimizers
from dcrnn_tf.balancing import Balancing
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.distribution.distribution import Distribution
from dcrnn_tf.models import MultiTaskModel, start_vectors, table_memory
from dcrnn_tf.system import command_line
from dcrnn_tf.training import losses
from dcrnn_tf.training.evaluation import row_groups
from dcrnn_tf.training.monitor import monitored
from dcrnn_tf.training.settings import TrainingSettings
from dcrnn_tf.training.step import check_settings
from experiments.runs import finish, run_folder
from experiments.train.settings import Choices, Settings


class Built(NamedTuple):
    """What is trained, and how.

    Attributes:
      dataset: The prepared dataset.
      model: The model, with fresh weights or those of given vectors.
      weights: Factors on the losses of positives, by task.
      balancer: Way in which the tasks' losses become one gradient.
    """

    dataset: PreparedDataset
    model: MultiTaskModel
    weights: dict[str, float]
    balancer: Balancing


def build(
    settings: Settings, training: TrainingSettings, choices: Choices, replicas: Distribution
) -> Built:
    """Builds dataset, model and balancing, in the scope of the replicas.

    Args:
      settings: What is trained on what.
      training: Settings of the training loop.
      choices: What `settings.chosen` made of them.
      replicas: Who trains.

    Raises:
      UserError: Something does not fit, or memory does not suffice.
    """
    _check_optimizers(training)
    splits = finish.splits_of(settings.evaluate_test)
    dataset = PreparedDataset(settings.data_dir, settings.fields, splits)
    _check_fingerprint(dataset.schema.fingerprint, settings)
    run_folder.use_precision(settings.mixed_precision)
    keras.utils.set_random_seed(training.seed)
    # Where the shards lie decides nothing, and is no setting of the run.
    places = {"table_devices": settings.table_devices} if settings.table_devices else {}
    model = models.build(settings.model, dataset.schema, **choices.model_settings | places)
    schema = model.training_schema(dataset.schema)
    weights = losses.positive_weights(schema, choices.positive_weights)
    balancer = balancing.build(
        settings.balancing,
        losses.initial_losses(schema, weights),
        dataset.steps("train", training.batch_size),
        training.seed,
        training.jit_compile,
        **choices.balancing_settings,
    )
    model.check_positive_weights(weights)
    check_settings(training, model, balancer, replicas)
    monitored(training, model, dataset)
    row_groups.check(dataset, training.group_by)
    numbers = optimizers.numbers_per_weight(training.embedding_optimizer)
    table_memory.check(model.embedding, numbers + (training.weight_average > 0))
    for field, file in settings.start_vectors.items():
        started, ids = start_vectors.start_from(model, dataset, field, str(file))
        print(f"{field}: {started:,} of {ids:,} ids start from a vector of {file}")
    return Built(dataset, model, weights, balancer)


def config(
    settings: Settings, training: TrainingSettings, choices: Choices, fingerprint: str
) -> dict:
    """Returns what a run's config.json holds: all that decides its numbers.

    Args:
      settings: What is trained on what.
      training: Settings of the training loop.
      choices: What `settings.chosen` made of them.
      fingerprint: Fingerprint of the dataset.
    """
    decides = {
        "data_dir": settings.data_dir,
        "dataset_fingerprint": fingerprint,
        "fields": settings.fields,
        "model": settings.model,
        "settings": choices.model_settings,
        "mixed_precision": settings.mixed_precision,
        "positive_weights": choices.positive_weights,
        "balancing": {"name": settings.balancing, **choices.balancing_settings},
        **dataclasses.asdict(training),
    }
    if not settings.evaluate_test:
        decides["evaluate_test"] = False
    if settings.start_vectors:
        decides["start_vectors"] = dict(settings.start_vectors)
    if settings.init_from is not None:
        decides["init_from"] = settings.init_from
    return decides


def _check_optimizers(training: TrainingSettings) -> None:
    try:
        optimizers.build(training.optimizer, training.learning_rate)
        optimizers.build_for_tables(
            training.embedding_optimizer, training.learning_rate, training.jit_compile
        )
    except ValueError as error:
        raise command_line.UsageError(str(error)) from None


def _check_fingerprint(fingerprint: str, settings: Settings) -> None:
    if settings.dataset_fingerprint not in (None, fingerprint):
        raise command_line.UsageError(
            f"{settings.data_dir} has the fingerprint {fingerprint}, expected "
            f"{settings.dataset_fingerprint}; give the --data_dir that has it, or "
            f"--dataset_fingerprint={fingerprint} to train on this one"
        )
