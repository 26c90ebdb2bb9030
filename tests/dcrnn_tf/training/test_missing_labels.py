"""Labels that rows lack are no part of losses, gradients and metrics."""

import keras
import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import Task
from dcrnn_tf.training import losses
from dcrnn_tf.training.evaluation import Predictor, evaluate
from dcrnn_tf.training.trainer import Trainer, TrainingSettings
from tests.conftest import write_dataset

TASKS = (Task("click", may_be_missing=True), Task("conversion", may_be_missing=True))
ALL = 4000  # rows of a batch: all of them
SETTINGS = TrainingSettings(
    epochs=1, batch_size=ALL, optimizer="sgd", embedding_optimizer="sgd", learning_rate=0.1
)


def leave_out(columns):
    """Leaves a third of the clicks out, and half of the conversions of every item below 10."""
    random = np.random.default_rng(5)
    for task, missing in (
        ("click", random.random(len(columns["item"])) < 1 / 3),
        ("conversion", (columns["item"] < 10) & (random.random(len(columns["item"])) < 0.5)),
    ):
        columns[task] = np.where(missing, -1, columns[task])


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "tiny"
    return PreparedDataset(write_dataset(folder, tasks=TASKS, change=leave_out))


def built(dataset, name="mmoe", **settings):
    keras.utils.set_random_seed(1)
    return models.build(name, dataset.schema, embedding_dim=4, embedding_range=0.5, **settings)


def own_loss(labels, logits, weights):
    """Each task's losses of the rows that have its label, over the number of all rows."""
    total = 0.0
    for task, weight in weights.items():
        rows = np.flatnonzero(labels[task].numpy() >= 0)
        assert 0 < len(rows) < len(labels[task])
        y = tf.gather(labels[task], rows)
        p = tf.sigmoid(tf.gather(logits[task], rows))
        losses_of_rows = -(weight * y * tf.math.log(p) + (1 - y) * tf.math.log(1 - p))
        total += tf.reduce_sum(losses_of_rows) / len(labels[task])
    return total


def expected_weights(model, dataset, weights):
    """The model's variables after a step of the loss that is written out."""
    features, labels = next(iter(dataset.batches("train", ALL, SETTINGS.seed, 0)))
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        total = own_loss(labels, model(features, training=True), weights)
    gradients = tape.gradient(total, [v.value for v in variables])
    return [
        v.numpy() - 0.1 * tf.convert_to_tensor(g).numpy()
        for v, g in zip(variables, gradients, strict=True)
    ]


def assert_equal(model, expected):
    for variable, wanted in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), wanted, rtol=1e-4, atol=1e-6)


def test_training_is_that_of_the_loss_written_out(dataset, tmp_path):
    model = built(dataset)
    weights = losses.positive_weights(dataset.schema)
    train = dataset.schema.split("train")
    positives, defined = train.positives["click"], train.defined["click"]
    assert weights["click"] == (defined - positives) / positives
    assert defined < 2200 < train.rows == 3000
    expected = expected_weights(model, dataset, weights)
    Trainer(model, dataset, SETTINGS, weights, tmp_path).train()
    assert_equal(model, expected)


def test_so_is_that_of_fit(dataset):
    model, weights = built(dataset), {"click": 2.0, "conversion": 3.0}
    expected = expected_weights(model, dataset, weights)
    model.compile(keras.optimizers.SGD(0.1), losses.multi_task_losses(weights))
    model.fit(dataset.batches("train", ALL, SETTINGS.seed, 0), verbose=0)
    assert_equal(model, expected)


def test_the_initial_loss_counts_the_rows_that_have_labels(dataset):
    _, labels = next(iter(dataset.batches("train", ALL)))
    weights = {"click": 2.0, "conversion": 3.0}
    expected = own_loss(labels, {task: tf.zeros(3000) for task in weights}, weights)
    initial = losses.initial_losses(dataset.schema, weights)
    assert sum(initial.values()) == pytest.approx(float(expected), rel=1e-5)


def test_metrics_are_of_the_rows_that_have_labels(dataset):
    model = built(dataset, tasks_in_sequence=True)
    predictor = Predictor(model, dict.fromkeys(model.tasks, 1.0))
    labels, logits = predictor.predict(dataset, "test")
    figures = evaluate(labels, logits, model.derived_outputs(dataset.schema.tasks))
    test = dataset.schema.split("test")
    for task in model.tasks:
        there = labels[task] >= 0
        assert figures[task]["rows"] == there.sum() == test.defined[task] < 700
        assert figures[task]["positives"] == (labels[task] > 0).sum() == test.positives[task]
        auc = sklearn.metrics.roc_auc_score(labels[task][there], logits[task][there])
        assert figures[task]["auc"] == pytest.approx(auc, abs=1e-12)
    # After a click it is measured where both labels are there, and the click is one.
    both = (labels["click"] == 1) & (labels["conversion"] >= 0)
    np.testing.assert_array_equal(labels["conversion_after_click"] >= 0, both)
    assert figures["conversion_after_click"]["rows"] == both.sum() > 0


def test_a_product_has_a_label_where_its_factors_tell_it(tmp_path):
    tasks = (TASKS[0], Task("conversion", only_where="click", may_be_missing=True))
    folder = write_dataset(tmp_path / "tiny", {"train": 50, "test": 400}, tasks, change=leave_out)
    dataset = PreparedDataset(folder)
    model = built(dataset)
    labels, _ = Predictor(model, dict.fromkeys(model.tasks, 1.0)).predict(dataset, "test")
    click, conversion = labels["click"], labels["conversion"]
    assert {(-1, -1), (0, -1), (1, -1), (1, 0), (1, 1)} == set(zip(click, conversion, strict=True))
    expected = np.select([click == 0, click == 1], [0, conversion], -1)
    np.testing.assert_array_equal(labels["conversion_per_exposure"], expected)


@pytest.mark.parametrize("risk", ["ips", "dr"])
def test_a_counterfactual_risk_is_of_the_rows_where_it_is_known(dataset, risk):
    model = built(dataset, "escm2", risk=risk, global_weight=0.5)
    features, labels = next(iter(dataset.batches("test", 700, joined=True)))
    model.training_logits(features, labels)
    added = [float(loss) for loss in model.losses]
    click, conversion = (labels[task].numpy() for task in ("click", "conversion"))
    known = (click == 0) | ((click == 1) & (conversion >= 0))
    assert 0 < known.sum() < 700
    kept = {name: tf.boolean_mask(column, known) for name, column in features.items()}
    labels_kept = {task: tf.boolean_mask(label, known) for task, label in labels.items()}
    model.training_logits(kept, labels_kept)
    share = known.sum() / 700
    assert added[0] == pytest.approx(float(model.losses[0]) * share, rel=1e-4)
    # The other part is the second task's loss, of the rows that have its label.
    rows = np.flatnonzero(conversion >= 0)
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(
        tf.gather(labels["conversion"], rows), tf.gather(model(features)["conversion"], rows)
    )
    assert added[1] == pytest.approx(-0.5 * float(tf.reduce_sum(cross_entropy)) / 700, rel=1e-4)
