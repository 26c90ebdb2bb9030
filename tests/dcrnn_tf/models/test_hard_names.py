"""Models of fields and tasks of any name: built, called, and trained by Keras' own `fit`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import CATEGORICAL, MULTI_CATEGORICAL, NUMERIC, Field, Schema, Task
from dcrnn_tf.training.losses import multi_task_losses
from tests.dcrnn_tf.models.neighbours import neighbours_slow
from tests.hard_names import FEW, TASKS

ROWS = 4
KINDS = (CATEGORICAL, NUMERIC, MULTI_CATEGORICAL)
FIELDS = tuple(
    Field(name, kind, 0 if kind == NUMERIC else 5, 2 if kind == MULTI_CATEGORICAL else 1)
    for name, kind in zip(FEW, KINDS * 3, strict=True)
)
SIZES = {"crossing": {"crossing": "dcn_v2"}}


def batch():
    random = np.random.default_rng(2)
    features = {}
    for field in FIELDS:
        shape = (ROWS, 2) if field.kind == MULTI_CATEGORICAL else ROWS
        ids = random.integers(0, 5, shape)
        features[field.name] = tf.constant(ids, tf.float32 if field.kind == NUMERIC else tf.int32)
    return features


def build(name):
    keras.utils.set_random_seed(1)
    tasks = TASKS[:2] if name in ("esmm", "escm2", "esm2") else TASKS
    schema = Schema("hard", FIELDS, tuple(map(Task, tasks)), {})
    return models.build(name, schema, embedding_dim=2, **SIZES.get(name, {}))


@pytest.mark.parametrize("name", neighbours_slow(models.names()))
def test_every_model_takes_every_name(name):
    model = build(name)
    logits = model(batch())
    assert tuple(logits) == model.tasks
    assert all(np.isfinite(logit).all() for logit in logits.values())


def test_fit_and_a_file_of_keras_take_every_name(tmp_path):
    model = build("mmoe")
    model.compile(
        "sgd",
        loss=multi_task_losses(dict.fromkeys(TASKS, 1.0)),
        loss_weights=dict.fromkeys(TASKS, 2.0),
        metrics={task: [keras.metrics.AUC(from_logits=True, name="auc")] for task in TASKS},
    )
    labels = {task: np.arange(ROWS) % 2 for task in TASKS}
    history = model.fit(batch(), labels, epochs=1, verbose=0).history
    scopes = ("u70b9u51fb", "buy__i_now__i____x_1", "Class", "class_")
    assert set(history) == {"loss"} | {f"{s}_{what}" for s in scopes for what in ("loss", "auc")}
    evaluated = model.evaluate(batch(), labels, verbose=0, return_dict=True)
    losses = [evaluated[f"{scope}_loss"] for scope in scopes]
    assert evaluated["loss"] == pytest.approx(2 * sum(losses), rel=1e-5)
    logits = model(batch())
    for task, loss in zip(TASKS, losses, strict=True):
        probabilities = tf.sigmoid(logits[task]).numpy()
        right = np.where(labels[task] > 0, probabilities, 1 - probabilities)
        assert loss == pytest.approx(-np.log(right).mean(), rel=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for task, logit in loaded(batch()).items():
        np.testing.assert_array_equal(logit, logits[task])
    assert loaded.evaluate(batch(), labels, verbose=0, return_dict=True) == evaluated
