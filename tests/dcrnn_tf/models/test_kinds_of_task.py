"""Models of tasks of several kinds: outputs, configurations, and what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import MULTI_CATEGORICAL, Field, Schema, Task
from dcrnn_tf.dataset.targets import Target
from dcrnn_tf.models import predictions
from dcrnn_tf.training.losses import multi_task_losses
from tests.dcrnn_tf.models.neighbours import neighbours_slow

FIELDS = (
    Field("user", vocabulary_size=9),
    Field("item", vocabulary_size=9),
    Field("history", MULTI_CATEGORICAL, 9, max_values=3, attended_by="item"),
)
TASKS = (
    Task("click"),
    Task("watch", kind="regression", target=Target("huber", "log", mean=3.0, deviation=2.0)),
    Task("spend", kind="regression", target=Target("zero_inflated_lognormal", "log")),
    Task("genre", kind="multiclass", classes=("rock", "jazz", "folk", "none")),
)
SCHEMA = Schema("shop", FIELDS, TASKS, {})
CHAINS = ("aitm", "escm2", "esm2", "esmm")
FEATURES = {
    "user": tf.constant([3, 4, 5, 3]),
    "item": tf.constant([7, 8, 2, 2]),
    "history": tf.constant([[7, 0, 0], [2, 3, 4], [0, 0, 0], [8, 8, 0]]),
}


@pytest.mark.parametrize("name", neighbours_slow(sorted(set(models.names()) - set(CHAINS))))
def test_every_model_has_the_outputs_that_its_tasks_need(name):
    model = models.build(name, SCHEMA, embedding_dim=4)
    shapes = {task: tuple(output.shape) for task, output in model(FEATURES).items()}
    assert shapes == {"click": (4,), "watch": (4,), "spend": (4, 3), "genre": (4, 4)}
    labels = {"click": tf.ones(4), "watch": tf.fill(4, np.nan), "spend": tf.zeros(4)}
    labels["genre"] = tf.constant([0.0, 3.0, -1.0, 1.0])
    with tf.GradientTape() as tape:
        outputs = model.training_logits(FEATURES, labels)
        total = sum(tf.reduce_sum(output) for output in outputs.values()) + sum(model.losses)
    for gradient in tape.gradient(total, model.other_variables):
        assert gradient is None or np.isfinite(tf.convert_to_tensor(gradient)).all()
    again = type(model).from_config(model.get_config())
    assert again.task_specs == TASKS
    model.explain(FEATURES)


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("task", TASKS[1:], ids=lambda task: task.name)
def test_models_of_tasks_in_sequence_refuse_numbers_in_one_sentence(name, task):
    schema = Schema("shop", FIELDS, (Task("click"), task), {})
    with pytest.raises(models.ModelError) as error:
        models.build(name, schema)
    assert str(error.value) == (
        f"model {name}: {task.name} is a {task.kind} task, and the model takes binary tasks alone, "
        "each of which is positive only where the one before it is; choose another model, or leave "
        "the task out"
    )


def test_aitm_without_a_sequence_takes_numbers():
    settings = {"tasks_in_sequence": False, "calibrator_weight": 0.0}
    model = models.build("aitm", SCHEMA, embedding_dim=4, **settings)
    assert model(FEATURES)["spend"].shape == (4, 3)


def test_means_of_sigmoids_are_refused_where_there_are_numbers():
    with pytest.raises(models.ModelError, match="needs binary tasks, unlike watch"):
        models.build("dephn", SCHEMA, prediction="mean_of_sigmoids")


def test_binary_tasks_are_configured_by_their_names():
    schema = Schema("shop", FIELDS, (Task("click"), Task("buy", only_where="click")), {})
    assert models.build("mmoe", schema).get_config()["tasks"] == ["click", "buy"]


def test_fit_takes_tasks_of_numbers_whose_metrics_are_on_the_scale_of_labels():
    keras.utils.set_random_seed(1)
    model = models.build("mmoe", SCHEMA, embedding_dim=4)
    labels = {
        "click": tf.constant([1.0, 0.0, -1.0, 1.0]),
        "watch": tf.constant([20.0, np.nan, 1.0, 7.0]),
        "spend": tf.constant([0.0, 2.5, np.nan, 0.0]),
        "genre": tf.constant([0.0, 3.0, -1.0, 1.0]),
    }
    by_task = multi_task_losses(dict.fromkeys(labels, 1.0), TASKS)
    right = [keras.metrics.SparseCategoricalAccuracy(name="right")]
    errors = {"genre": right} | {
        task: [keras.metrics.MeanAbsoluteError(name="mae")] for task in ("watch", "spend")
    }
    model.compile(keras.optimizers.Adam(0.01), loss=by_task, metrics=errors)
    batches = tf.data.Dataset.from_tensors((FEATURES, labels))
    history = model.fit(batches, epochs=2, shuffle=False, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    found = model.evaluate(batches, verbose=0, return_dict=True)
    outputs = model(FEATURES)
    classes = outputs["genre"].numpy().argmax(axis=1)[[0, 1, 3]]
    assert found["genre_right"] == pytest.approx(np.mean(classes == [0, 3, 1]))
    for task in TASKS[1:3]:
        values = predictions.on_scale_of_labels(task, outputs[task.name]).numpy()
        difference = np.nanmean(np.abs(values - labels[task.name].numpy()))
        assert found[f"{task.name}_mae"] == pytest.approx(difference, rel=1e-5)
