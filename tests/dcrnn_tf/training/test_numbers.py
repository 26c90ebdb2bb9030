"""Numbers that are not finite, and labels of one class: stopped at the step, or well defined."""

import dataclasses
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.training import evaluation, losses
from dcrnn_tf.training.checkpoints import damage
from dcrnn_tf.training.numeric_guard import NumericGuard, non_finite_weights
from dcrnn_tf.training.trainer import TrainingError
from tests.damage import change_column, replace
from tests.dcrnn_tf.training.test_trainer import SETTINGS, make_trainer


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return PreparedDataset(dataset_folder)


def assert_sound_checkpoints(run_dir, steps):
    folders = sorted((run_dir / "checkpoints").glob("step_*"))
    assert [int(folder.name[5:]) for folder in folders] == steps
    assert [damage(folder) for folder in folders] == [None] * len(steps)


def test_a_nan_among_the_numbers_stops_the_run_at_its_step_every_time(dataset_folder, tmp_path):
    folder = shutil.copytree(dataset_folder, tmp_path / "d")
    keras.utils.set_random_seed(SETTINGS.seed)
    step = 7
    features, _ = list(PreparedDataset(folder).batches("train", 256, SETTINGS.seed).take(step))[-1]
    for record in range(3):
        change_column(folder, "train", record, "price", replace(features["price"][0], np.nan))
    dataset = PreparedDataset(folder)
    settings = dataclasses.replace(SETTINGS, log_every=100)
    first = make_trainer(dataset, tmp_path / "run", settings)
    # Some builds' rectifiers make 0 of NaN: then the losses of that step are finite.
    message = (
        rf"at step {step} (the loss of .* is nan; )?"
        "the gradient of shared_bottom/embedding/.*numeric_slopes, .* is not finite; "
        r"the largest gradients of the step before: shared_bottom/.* [0-9.e-]+ "
        r"\(the last checkpoint is that of step 4\); lower the learning rate, or look for "
    )
    with pytest.raises(TrainingError, match=message):
        first.train()
    assert_sound_checkpoints(tmp_path / "run", [4])
    second = make_trainer(dataset, tmp_path / "run", settings)
    assert second.restore() == 4
    with pytest.raises(TrainingError, match=message):
        second.train()


def test_weights_that_overflow_never_replace_a_good_checkpoint(dataset, tmp_path):
    settings = dataclasses.replace(
        SETTINGS,
        optimizer="sgd",
        embedding_optimizer="sgd",
        learning_rate=1e38,
        checkpoint_every=1,
        log_every=100,
    )
    trainer = make_trainer(dataset, tmp_path, settings)
    with pytest.raises(TrainingError, match=r"(at|after) step [1-4] .*not finite"):
        trainer.train()
    kept = trainer._checkpoints.steps()
    assert_sound_checkpoints(tmp_path, kept)
    assert len(kept) < trainer.steps


def test_a_gradient_alone_that_is_not_finite(dataset, tmp_path):
    calls = tf.Variable(0)

    @tf.custom_gradient
    def spoilt(x):
        def gradient(upstream):
            return tf.where(calls.assign_add(1) == 3, np.nan, 1.0) * upstream

        return tf.identity(x), gradient

    def spoil(trainer_model):
        inner = trainer_model.embedding.call
        trainer_model.embedding.call = lambda *arguments, **named: spoilt(
            inner(*arguments, **named)
        )

    settings = dataclasses.replace(SETTINGS, log_every=100, checkpoint_every=2)
    trainer = make_trainer(dataset, tmp_path, settings, prepare=spoil)
    with pytest.raises(TrainingError) as raised:
        trainer.train()
    message = str(raised.value)
    assert message.startswith("at step 3 the gradient of shared_bottom/embedding/table")
    assert "loss" not in message
    assert "largest gradients of the step before: shared_bottom/" in message
    assert "the last checkpoint is that of step 2" in message
    assert_sound_checkpoints(tmp_path, [2])


def test_the_guard_keeps_the_first_bad_step():
    a, b = (keras.Variable(tf.zeros(2), name=name) for name in "ab")
    guard = NumericGuard(["click"], [a, b])
    slices = tf.IndexedSlices(tf.constant([[3.0], [4.0]]), tf.constant([5, 5]))
    guard.watch(tf.constant(1), {"click": tf.constant(0.5)}, [tf.constant([1.0, 0.0]), slices])
    assert guard.finding() is None
    guard.watch(tf.constant(2), {"click": tf.constant(0.5)}, [tf.constant([np.inf, 0.0]), None])
    guard.watch(tf.constant(3), {"click": tf.constant(np.nan)}, [tf.constant([0.0, 0.0]), slices])
    assert guard.finding() == (
        "at step 2 the gradient of a is not finite; "
        "the largest gradients of the step before: b 5, a 1"
    )


def test_weights_are_looked_at_before_a_checkpoint(dataset, tmp_path):
    trainer = make_trainer(dataset, tmp_path, dataclasses.replace(SETTINGS, epochs=1))
    inner, bias = trainer.train_step, trainer.model.trainable_variables[-1]

    def train_step(features, labels):
        inner(features, labels)
        if trainer.steps == 8:
            bias.assign([-np.inf])

    trainer.train_step = train_step
    with pytest.raises(TrainingError, match=f"after step 8 weights of {bias.path} are not finite"):
        trainer.train()
    assert non_finite_weights(trainer.model.variables) == [bias.path]
    assert_sound_checkpoints(tmp_path, [4])


def test_a_batch_of_one_class_gives_finite_losses(dataset):
    for label in (0.0, 1.0):
        logits = tf.constant([0.0, 30.0, -30.0])
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = losses.WeightedCrossEntropy(5.0)(tf.fill([3], label), logits)
        assert np.isfinite(loss)
        assert np.isfinite(tape.gradient(loss, logits)).all()


def test_a_split_of_one_class_and_a_task_without_rows():
    labels = {"click": np.zeros(3, np.int8), "conversion": np.full(3, -1, np.int8)}
    logits = {task: np.array([-1.0, 0.0, 1.0]) for task in labels}
    figures = evaluation.evaluate(labels, logits)
    assert figures["click"]["auc"] is None
    assert figures["click"]["calibration"] is None
    assert figures["click"]["constant_logloss"] == 0.0
    assert figures["click"]["logloss"] == pytest.approx(np.logaddexp(0, logits["click"]).mean())
    assert set(figures["conversion"].values()) == {None, 0}
    assert set(evaluation.curves(labels, logits)) == {"click"}


def test_logits_that_are_not_finite_are_not_measured():
    labels = {"click": np.array([0, 1], np.int8)}
    with pytest.raises(evaluation.EvaluationError, match="logit of click is nan in row 1"):
        evaluation.evaluate(labels, {"click": np.array([0.0, np.nan])})
