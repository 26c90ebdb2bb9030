"""A signal in mid-training: a checkpoint between two steps, and the same bits afterwards."""

import dataclasses
import os
import signal

import numpy as np
import pytest

from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.system.interruption import Interrupted
from dcrnn_tf.training.checkpoints import Checkpoints, numbered
from tests.dcrnn_tf.training.test_trainer import SETTINGS, make_trainer, read_metrics

# Deferred Adam's tables would not be the same if an interruption had finished them.
DEFERRED = dataclasses.replace(
    SETTINGS, epochs=2, learning_rate=1e-3, embedding_optimizer="adam_deferred"
)


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return PreparedDataset(dataset_folder)


@pytest.fixture(scope="module")
def whole(dataset, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("run")
    trainer = make_trainer(dataset, run_dir, DEFERRED)
    trainer.train()
    return trainer, read_metrics(run_dir)


def send_in_step(trainer, step, number):
    inner = trainer.train_step

    def train_step(features, labels):
        if trainer.steps == step - 1:
            os.kill(os.getpid(), number)
        inner(features, labels)

    trainer.train_step = train_step


def send_in_evaluation(trainer, number):
    inner = trainer.predictor.predict

    def predict(*arguments, **options):
        os.kill(os.getpid(), number)
        return inner(*arguments, **options)

    trainer.predictor.predict = predict


def test_terminated_in_a_step_it_ends_with_the_same_bits(dataset, whole, tmp_path):
    first = make_trainer(dataset, tmp_path, DEFERRED)
    send_in_step(first, 6, signal.SIGTERM)
    with pytest.raises(Interrupted, match="Terminated at step 6, of which there is a") as raised:
        first.train()
    assert raised.value.exit_code == 143
    variables = numbered("model", first.model.variables)
    evaluation = Checkpoints(tmp_path / "checkpoints", variables, partial=True)
    assert evaluation.steps() == [4, 6]
    assert evaluation.restore() == 4  # the tables of step 6 wait for their updates
    with pytest.raises(DatasetError, match=r"is only for the run to go on from.*are: 4, 6"):
        evaluation.restore(6)

    second = make_trainer(dataset, tmp_path, DEFERRED)
    assert second.restore() == 6
    send_in_evaluation(second, signal.SIGINT)
    with pytest.raises(Interrupted, match="Interrupted at step 12"):
        second.train()
    third = make_trainer(dataset, tmp_path, DEFERRED)
    assert third.restore() == 12
    third.train()
    assert read_metrics(tmp_path) == whole[1]
    for mine, other in zip(third.model.variables, whole[0].model.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), other.numpy())
