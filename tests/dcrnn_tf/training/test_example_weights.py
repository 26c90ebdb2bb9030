"""Weights of examples in losses, in Keras' `fit` and in metrics."""

import dataclasses

import keras
import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.batch_parts import BatchParts
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import Task
from dcrnn_tf.training import losses
from dcrnn_tf.training.evaluation import Predictor, evaluate, weights_of
from dcrnn_tf.training.trainer import Trainer, TrainingSettings
from experiments.baselines import constant
from tests.conftest import write_dataset

WEIGHT = "weight of amount"
MEAN = 3.0
TASKS = (Task("click", weight=WEIGHT, weight_mean=MEAN), Task("conversion"))
ALL = 4000  # rows of a batch: all of them
POSITIVES = {"click": 2.0, "conversion": 3.0}
SETTINGS = TrainingSettings(
    epochs=1, batch_size=ALL, optimizer="sgd", embedding_optimizer="sgd", learning_rate=0.1
)


def weigh(columns):
    """Weights from 0 to 6 that depend on the item."""
    columns[WEIGHT] = (columns["item"] % 7).astype(np.float32)


def weigh_alike(columns):
    columns[WEIGHT] = np.full(len(columns["item"]), 0.3, np.float32)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "tiny"
    return PreparedDataset(write_dataset(folder, tasks=TASKS, change=weigh))


def built(dataset):
    keras.utils.set_random_seed(1)
    return models.build("mmoe", dataset.schema, embedding_dim=4, embedding_range=0.5)


def expected_weights(model, dataset):
    """The model's variables after a step of `sum_i w_i l_i / rows`, written out."""
    (features, labels, weights), *more = dataset.batches("train", ALL, SETTINGS.seed, 0)
    assert not more
    assert float(tf.math.reduce_std(weights["click"])) > 0.5
    assert float(tf.math.reduce_std(weights["conversion"])) == 0
    np.testing.assert_allclose(weights["click"] * MEAN, np.round(weights["click"] * MEAN))
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        logits = model(features, training=True)
        total = 0.0
        for task, weight in POSITIVES.items():
            y, p = labels[task], tf.sigmoid(logits[task])
            loss = -(weight * y * tf.math.log(p) + (1 - y) * tf.math.log(1 - p))
            total += tf.reduce_sum(weights[task] * loss) / len(y)
    gradients = tape.gradient(total, [v.value for v in variables])
    return [
        v.numpy() - 0.1 * tf.convert_to_tensor(g).numpy()
        for v, g in zip(variables, gradients, strict=True)
    ]


def test_training_is_that_of_the_weighted_loss(dataset, tmp_path):
    model = built(dataset)
    expected = expected_weights(model, dataset)
    Trainer(model, dataset, SETTINGS, POSITIVES, tmp_path).train()
    for variable, wanted in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), wanted, rtol=1e-4, atol=1e-6)


def test_so_is_that_of_fit(dataset):
    model = built(dataset)
    expected = expected_weights(model, dataset)
    model.compile(keras.optimizers.SGD(0.1), losses.multi_task_losses(POSITIVES))
    model.fit(dataset.batches("train", ALL, SETTINGS.seed, 0), verbose=0)
    for variable, wanted in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), wanted, rtol=1e-4, atol=1e-6)


def test_equal_weights_are_none_to_the_bit_whatever_they_are(dataset_folder, tmp_path):
    mean = float(np.float32(0.3))
    tasks = tuple(Task(t.name, weight=WEIGHT, weight_mean=mean) for t in TASKS)
    alike = PreparedDataset(write_dataset(tmp_path / "tiny", tasks=tasks, change=weigh_alike))
    settings = dataclasses.replace(SETTINGS, batch_size=512)
    trained = []
    for number, data in enumerate((PreparedDataset(dataset_folder), alike)):
        model = built(data)
        Trainer(model, data, settings, POSITIVES, tmp_path / str(number)).train()
        trained.append(model)
    for variable, wanted in zip(trained[1].variables, trained[0].variables, strict=True):
        np.testing.assert_array_equal(variable, wanted)


def test_weighted_metrics_are_those_of_scikit_learn(dataset):
    model = built(dataset)
    labels, logits = Predictor(model, POSITIVES).predict(dataset, "test")
    weights = weights_of(dataset, "test")
    assert list(weights) == ["click"]
    figures = evaluate(labels, logits, weights=weights)
    y, w = labels["click"], weights["click"].astype(np.float64)
    p = 1 / (1 + np.exp(-logits["click"].astype(np.float64)))
    found = figures["click"]
    auc = sklearn.metrics.roc_auc_score(y, logits["click"], sample_weight=w)
    assert found["weighted_auc"] == pytest.approx(auc, abs=1e-12)
    assert abs(found["auc"] - auc) > 1e-4  # which is still that of rows
    logloss = sklearn.metrics.log_loss(y, p, sample_weight=w)
    assert found["weighted_logloss"] == pytest.approx(logloss, rel=1e-12)
    rate = np.average(y, weights=w)
    constant_logloss = sklearn.metrics.log_loss(y, np.full(len(y), rate), sample_weight=w)
    assert found["weighted_constant_logloss"] == pytest.approx(constant_logloss, rel=1e-12)
    assert found["weighted_calibration"] == pytest.approx((w @ p) / (w @ y), rel=1e-12)
    assert not any(name.startswith("weighted") for name in figures["conversion"])


def test_ties_count_one_half_and_no_weight_is_no_value():
    from dcrnn_tf.metrics import weighted

    labels, scores = np.array([1, 0, 1, 0, 0]), np.array([0.5, 0.5, 0.2, 0.1, 0.9])
    weights = np.array([1.0, 2.0, 3.0, 4.0, 0.5])
    expected = sklearn.metrics.roc_auc_score(labels, scores, sample_weight=weights)
    assert weighted.weighted_auc(labels, scores, weights) == pytest.approx(expected, abs=1e-15)
    none = np.where(labels > 0, 0.0, weights)
    assert weighted.weighted_auc(labels, scores, none) is None
    assert weighted.weighted_calibration(labels, scores, none) is None
    assert weighted.weighted_logloss(labels, scores, np.zeros(5)) is None
    assert weighted.weighted_constant_logloss(labels, np.zeros(5)) is None


def test_an_evaluation_while_training_has_them(dataset, tmp_path):
    trainer = Trainer(built(dataset), dataset, SETTINGS, POSITIVES, tmp_path)
    figures = trainer.evaluate("validation")
    assert 0 < figures["click"]["weighted_auc"] < 1
    assert "weighted_auc" not in figures["conversion"]


def test_derived_outputs_have_the_weights_that_all_tasks_share(dataset, tmp_path):
    tasks = (TASKS[0], dataclasses.replace(TASKS[0], name="conversion", only_where="click"))
    folder = write_dataset(tmp_path / "tiny", {"train": 50, "test": 90}, tasks, change=weigh)
    shared = PreparedDataset(folder)
    outputs = built(shared).derived_outputs(shared.schema.tasks)
    weights = weights_of(shared, "test", outputs)
    assert list(weights) == ["click", "conversion", "conversion_per_exposure"]
    model = built(dataset)
    model.tasks_in_sequence = True
    assert list(weights_of(dataset, "test", model.outputs_in_sequence)) == ["click"]


def test_a_risk_that_takes_no_weights_refuses_them(dataset):
    with pytest.raises(models.ModelError, match="model escm2: its counterfactual risk takes no"):
        models.build("escm2", dataset.schema)


def test_the_constant_counts_rows_by_their_weights(dataset):
    labels = constant.fit(dataset).labels
    assert set(labels) == {"validation", "test"}
    ((_, known, weights),) = dataset.batches("train", ALL)
    rate = np.average(known["click"], weights=weights["click"])
    found = constant.fit(dataset).logits["test"]["click"][0]
    assert found == pytest.approx(np.log(rate / (1 - rate)), rel=1e-6)
    assert abs(rate - np.mean(known["click"])) > 1e-3


def test_parts_of_a_batch_have_their_own_weights(dataset):
    parts = BatchParts((0, 1), 2)
    ((_, labels, weights),) = dataset.batches("test", ALL)
    ((_, own_labels, shares, own_weights),) = dataset.batches("test", ALL, parts=parts)
    loss = losses.multi_task_losses(POSITIVES)["click"]
    scores = tf.linspace(-1.0, 1.0, len(labels["click"]))
    own_scores = tf.split(scores, [len(part["click"]) for part in own_labels])
    for name in ("click", "conversion"):
        joined = np.concatenate([part[name] for part in own_weights])
        np.testing.assert_array_equal(joined, weights[name])
    of_parts = [
        float(share * loss(part["click"], score, weight["click"]))
        for part, score, weight, share in zip(
            own_labels, own_scores, own_weights, shares, strict=True
        )
    ]
    whole = float(loss(labels["click"], scores, weights["click"]))
    assert sum(of_parts) == pytest.approx(whole, rel=1e-6)
