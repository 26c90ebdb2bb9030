"""Options of a training step: their effect by hand, and that a continued run has the same bits."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import balancing, models, optimizers
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.distribution.distribution import Distribution
from dcrnn_tf.system.errors import UsageError
from dcrnn_tf.training import losses
from dcrnn_tf.training.settings import TrainingSettings
from dcrnn_tf.training.step import check_settings, scheduled
from dcrnn_tf.training.trainer import Trainer

EVERYTHING = TrainingSettings(
    epochs=2,
    batch_size=256,
    learning_rate=0.01,
    embedding_learning_rate=0.02,
    schedule="cosine",
    warmup=0.5,
    schedule_unit="epochs",
    embedding_l2=1e-3,
    dense_l2=1e-3,
    embedding_weight_decay=0.01,
    weight_decay=0.01,
    clip_value=0.5,
    clip_norm=1.0,
    weight_average=0.9,
    monitor="validation/mean/auc",
    evaluate_every=7,
    log_every=5,
    checkpoint_every=4,
)
DCRNN = {
    "units": 4,
    "embedding_dim": 4,
    "jit_recurrence": False,
    "tower_units": [8],
    "adaptation": True,
    "dropout": 0.2,
    "normalization": "layer",
}


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return PreparedDataset(dataset_folder)


@pytest.fixture(autouse=True)
def precision_afterwards():
    yield
    keras.config.set_dtype_policy("float32")


def make(dataset, folder, settings, model="shared_bottom", **model_settings):
    keras.utils.set_random_seed(1)
    built = models.build(model, dataset.schema, **model_settings)
    return Trainer(built, dataset, settings, losses.positive_weights(dataset.schema), folder)


def test_a_step_by_hand(dataset, tmp_path):
    settings = TrainingSettings(
        epochs=1,
        batch_size=4000,
        optimizer="sgd",
        embedding_optimizer="sgd",
        learning_rate=0.1,
        embedding_learning_rate=0.5,
        warmup=2,  # the first step has half the rates
        embedding_l2=0.03,
        dense_l2=0.02,
        embedding_weight_decay=0.4,
        weight_decay=0.6,
        clip_norm=0.05,
    )
    trainer = make(dataset, tmp_path, settings, embedding_dim=4, bottom_units=[4], tower_units=[])
    (features, labels), *more = dataset.batches("train", 4000, settings.seed, 0)
    assert not more
    variables = trainer.model.trainable_variables
    with tf.GradientTape() as tape:
        logits = trainer.model(features, training=True)
        of_tasks = losses.multi_task_losses(losses.positive_weights(dataset.schema))
        total = sum(loss(labels[task], logits[task]) for task, loss in of_tasks.items())
    gradients = tape.gradient(total, [v.value for v in variables])
    changed, starts = [], [v.numpy() for v in variables]
    for variable, gradient, start in zip(variables, gradients, starts, strict=True):
        dense = tf.convert_to_tensor(gradient).numpy()
        if isinstance(gradient, tf.IndexedSlices):
            read = np.zeros((len(start), 1))
            read[gradient.indices.numpy()] = 1
            dense = dense + 0.03 * start * read
        elif "kernel" in variable.name:
            dense = dense + 0.02 * start
        changed.append(dense)
    norm = np.sqrt(sum(np.sum(gradient**2) for gradient in changed))
    assert norm > 0.05
    for name, variable in trainer._state().items():
        if name.endswith("_iteration"):  # carried from another run, which moves no schedule
            variable.assign(500)
    trainer.train()
    for variable, gradient, start in zip(variables, changed, starts, strict=True):
        rate, decay = 0.05, 0.6 * ("kernel" in variable.name)
        if variable.name == "table":
            rate, decay = 0.25, 0.4 * (np.abs(gradient).sum(axis=1, keepdims=True) > 0)
        expected = start * (1 - rate * decay) - rate * gradient * 0.05 / norm
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-4, atol=1e-7)


class Killed(Exception):
    pass


def kill_at(trainer, step):
    inner = trainer.train_step

    def train_step(*batch):
        if trainer.steps == step:
            raise Killed
        inner(*batch)

    trainer.train_step = train_step


def log(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line | {"rows_per_second": None} for line in lines]


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("policy", "optimizer", "average", "change"),
    [
        ("mixed_float16", "lazy_adam", 0.9, {}),
        pytest.param("float32", "lazy_adam", 0.9, {"normalization": "batch"}, marks=SLOW),
        pytest.param("mixed_bfloat16", "adam_deferred", 0.0, {}, marks=SLOW),
        pytest.param("float32", "adagrad", 0.9, {}, marks=SLOW),
    ],
)
def test_a_run_with_everything_continues_to_the_same_bits(
    dataset, tmp_path, policy, optimizer, average, change
):
    keras.config.set_dtype_policy(policy)
    settings = dataclasses.replace(
        EVERYTHING, embedding_optimizer=optimizer, weight_average=average
    )
    whole = make(dataset, tmp_path / "whole", settings, "dcrnn", **DCRNN | change)
    start = [v.numpy() for v in whole.model.trainable_variables]
    whole.train()
    first = make(dataset, tmp_path / "cut", settings, "dcrnn", **DCRNN | change)
    kill_at(first, 18)
    with pytest.raises(Killed):
        first.train()
    second = make(dataset, tmp_path / "cut", settings, "dcrnn", **DCRNN | change)
    assert second.restore() == 16
    second.train()
    assert log(tmp_path / "cut") == log(tmp_path / "whole")
    assert whole._state().keys() == second._state().keys()
    for name, value in whole._state().items():
        if not name.startswith("progress_"):  # most of which are times
            np.testing.assert_array_equal(second._state()[name].numpy(), value.numpy(), name)
    assert second.take_result() == whole.take_result()
    for mine, other in zip(second.model.variables, whole.model.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), other.numpy())
    for variable, before in zip(whole.model.trainable_variables, start, strict=True):
        assert (variable.numpy() != before).any(), variable.path


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "average"), [("lazy_adam", 0.9), ("adam_deferred", 0.0)])
def test_steps_that_xla_compiles_are_those_of_others(dataset, tmp_path, optimizer, average):
    found = {}
    for compiled in (False, True):
        settings = dataclasses.replace(
            EVERYTHING,
            embedding_optimizer=optimizer,
            weight_average=average,
            jit_compile=compiled,
        )
        more = {"embedding_dim": 4, "normalization": "layer", "static_shapes": True}
        trainer = make(dataset, tmp_path / str(compiled), settings, **more)
        start = [v.numpy() for v in trainer.model.trainable_variables]
        trainer.train()
        found[compiled] = [v.numpy() for v in trainer.model.trainable_variables]
    for one, other, before in zip(found[False], found[True], start, strict=True):
        moved = np.abs(one - before).max()
        assert moved > 0
        assert np.abs(one - other).max() < 1e-4 * moved


def compiled_and_not(dataset, folder, settings, runs, **change):
    """The paths and moves of a model's variables in some runs, each compiled or not."""
    found = []
    for number, compiled in enumerate(runs):
        trainer = make(
            dataset,
            folder / str(number),
            dataclasses.replace(settings, jit_compile=compiled),
            **{"embedding_dim": 4, "static_shapes": True, **change},
        )
        start = [v.numpy() for v in trainer.model.trainable_variables]
        trainer.train()
        moved = zip(trainer.model.trainable_variables, start, strict=True)
        found.append({variable.path: variable.numpy() - before for variable, before in moved})
    return found


@pytest.mark.slow
def test_dropout_that_xla_compiles_is_seeded_and_draws_other_numbers(dataset, tmp_path):
    settings = TrainingSettings(epochs=1, batch_size=1500, learning_rate=1e-3)
    one, first, second = compiled_and_not(
        dataset, tmp_path, settings, (False, True, True), dropout=0.2
    )
    for path, moves in first.items():
        np.testing.assert_array_equal(moves, second[path], path)
    kernel = next(path for path in one if "dense_0/kernel" in path)
    apart = np.abs(first[kernel] - one[kernel]).max()
    assert apart > 0.01 * np.abs(one[kernel]).max()


@pytest.mark.slow
def test_float16_learns_what_float32_learns(dataset, tmp_path):
    aucs = {}
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        settings = TrainingSettings(epochs=12, batch_size=256, learning_rate=0.01)
        trainer = make(dataset, tmp_path / policy, settings, embedding_dim=8)
        trainer.train()
        aucs[policy] = trainer.evaluate("test")["click"]["auc"]
    assert aucs["mixed_float16"] == pytest.approx(aucs["float32"], abs=0.01)
    assert aucs["mixed_float16"] > 0.72  # the best is 0.7747


@pytest.mark.slow
def test_fit_in_float16_scales_the_loss_and_learns(dataset):
    keras.config.set_dtype_policy("mixed_float16")
    keras.utils.set_random_seed(1)
    model = models.build("shared_bottom", dataset.schema, embedding_dim=8)
    of_tasks = losses.multi_task_losses(losses.positive_weights(dataset.schema))
    model.compile(optimizers.LazyAdam(0.01), of_tasks)
    batches = dataset.batches("train", 256, seed=1, epoch=0)
    first, *_, last = model.fit(batches, epochs=8, verbose=0).history["loss"]
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    # A step that overflows is left out, and halves the scale.
    left_out = 15 - np.log2(model.optimizer.dynamic_scale.numpy())
    assert 0 <= left_out < 4
    steps = 8 * dataset.steps("train", 256)
    assert model.optimizer.inner_optimizer.iterations.numpy() == steps - left_out
    assert last < 0.85 * first


def test_schedules_are_measured_in_steps_or_epochs():
    def rates(steps, **options):
        settings = TrainingSettings(epochs=3, **options)
        schedule = scheduled(0.1, settings, steps_per_epoch=10)
        return [float(schedule(step)) for step in steps]

    assert scheduled(0.1, TrainingSettings(), 10) == 0.1
    linear = {"schedule": "linear", "warmup": 0.5, "schedule_unit": "epochs"}
    assert rates([0, 4, 5, 30], **linear) == pytest.approx([0.02, 0.1, 0.1, 0.0])
    short = linear | {"schedule_length": 1, "schedule_factor": 0.2}
    assert rates([10, 15, 29], **short) == pytest.approx([0.06, 0.02, 0.02])
    assert rates([9, 10, 29], schedule="staircase") == pytest.approx([0.1, 0.05, 0.025])
    steps = {"schedule": "exponential", "schedule_length": 5, "schedule_factor": 0.9}
    assert rates([5, 10], **steps) == pytest.approx([0.09, 0.081])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"schedule_factor": 0.1}, "--schedule_factor belongs to a --schedule that changes"),
        (
            {"weight_average": 0.9, "embedding_optimizer": "adam_deferred"},
            "--weight_average does not go with --embedding_optimizer=adam_deferred",
        ),
        (
            {"policy": "mixed_float16", "balancing": "pcgrad"},
            "float16 scales the sum of the losses",
        ),
        ({"policy": "mixed_float16", "replicas": 2}, "float16 leaves out steps, which several"),
        ({"normalization": "batch", "replicas": 2}, "normalization=batch takes its averages over"),
    ],
)
def test_contradictions_are_refused(dataset, settings, words):
    settings = dict(settings)
    keras.config.set_dtype_policy(settings.pop("policy", "float32"))
    options = {"normalization": settings.pop("normalization", "none")}
    model = models.build("shared_bottom", dataset.schema, embedding_dim=2, **options)
    distribution = Distribution()
    distribution.replicas = settings.pop("replicas", 1)
    way = balancing.build(settings.pop("balancing", "sum"), {"click": 1.0, "conversion": 1.0}, 1, 1)
    with pytest.raises(UsageError, match=words):
        check_settings(TrainingSettings(**settings), model, way, distribution)
