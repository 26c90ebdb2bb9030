"""Balancing in the training loop: bits, checkpoints, statistics, numbers that are not finite."""

import dataclasses

import keras
import numpy as np
import pytest

from dcrnn_tf import balancing, models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.training import losses
from dcrnn_tf.training.trainer import Trainer, TrainingError
from tests.dcrnn_tf.training.test_trainer import (
    SETTINGS,
    Killed,
    kill_at,
    make_trainer,
    read_metrics,
)


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return PreparedDataset(dataset_folder)


def balanced(dataset, run_dir, name, settings=SETTINGS, **chosen):
    keras.utils.set_random_seed(settings.seed)
    model = models.build("shared_bottom", dataset.schema, embedding_dim=8)
    weights = losses.positive_weights(dataset.schema, "auto")
    initial = losses.initial_losses(dataset.schema, weights)
    steps = dataset.steps("train", settings.batch_size)
    way = balancing.build(name, initial, steps, settings.seed, **chosen)
    return Trainer(model, dataset, settings, weights, run_dir, way)


def test_the_initial_loss_is_that_of_logits_of_0(dataset):
    weights = {"click": 3.0, "conversion": 5.0}
    found = losses.initial_losses(dataset.schema, weights)
    labels = [labels for _, labels in dataset.batches("train", 3000)]
    for task, weight in weights.items():
        y = np.concatenate([batch[task].numpy() for batch in labels])
        wanted = np.mean(np.log(2) * (weight * y + 1 - y))
        assert found[task] == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        "gradnorm",
        pytest.param("dwa", marks=pytest.mark.slow),
        pytest.param("uncertainty", marks=pytest.mark.slow),
        pytest.param("pcgrad", marks=pytest.mark.slow),
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("cagrad", "famo", "imtl_g", "mgda", "nash_mtl", "random_weights")
        ),
    ],
)
def test_an_interrupted_run_ends_with_the_same_bits(dataset, tmp_path, name):
    whole = balanced(dataset, tmp_path / "whole", name)
    whole.train()
    first = balanced(dataset, tmp_path / "cut", name)
    kill_at(first, 30)
    with pytest.raises(Killed):
        first.train()
    second = balanced(dataset, tmp_path / "cut", name)
    assert second.restore() == 28
    second.train()
    lines = read_metrics(tmp_path / "whole")
    assert read_metrics(tmp_path / "cut") == lines
    weights = [line["statistics"]["weight_click"] for line in lines if line["kind"] == "train"]
    assert len(set(weights)) > 1, "it never balanced anything"
    mine, other = second.model.variables, whole.model.variables
    mine, other = mine + second._step.balancing.variables, other + whole._step.balancing.variables
    for one, another in zip(mine, other, strict=True):
        np.testing.assert_array_equal(one.numpy(), another.numpy())


def test_weights_of_1_are_the_sum_to_the_bit(dataset, tmp_path):
    settings = dataclasses.replace(SETTINGS, epochs=1)
    fixed = balanced(dataset, tmp_path / "fixed", "fixed", settings, weights=[1, 1])
    plain = make_trainer(dataset, tmp_path / "plain", settings)
    for trainer in (fixed, plain):
        trainer.train()
    for one, other in zip(fixed.model.variables, plain.model.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_famo_looks_back_at_the_same_batch_after_the_update(dataset, tmp_path, monkeypatch):
    trainer = balanced(dataset, tmp_path, "famo")
    batch = next(iter(dataset.batches("train", 50)))
    losses = lambda: trainer._step.task_losses(*batch, None)  # noqa: E731
    seen = []
    monkeypatch.setattr(trainer._step.balancing, "look_back", seen.append)
    before = losses()
    trainer._step(*batch)
    (found,) = seen
    for task, loss in losses().items():
        np.testing.assert_array_equal(found[task], loss)
        assert float(loss) < float(before[task])


def test_a_loss_that_is_not_finite_stops_the_run(dataset, tmp_path):
    trainer = balanced(dataset, tmp_path, "gradnorm")
    last = trainer.model.trainable_variables[-1]
    last.assign(np.full(last.shape, np.nan))
    with pytest.raises(TrainingError, match="at step 1 the loss of conversion is nan"):
        trainer.train()
    assert not list((tmp_path / "checkpoints").glob("step_*"))
