"""Keras' own metrics in `fit` and `evaluate`, beside scikit-learn's on rows that have labels."""

import dataclasses

import keras
import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import Task
from dcrnn_tf.training import losses

BATCH = 64
POSITIVE_WEIGHTS = {"click": 3.0, "conversion": 7.0}


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    """Conversions are defined on the exposures with a click alone, a third of all."""
    dataset = PreparedDataset(dataset_folder)
    tasks = (Task("click"), Task("conversion", only_where="click"))
    dataset.schema = dataclasses.replace(dataset.schema, tasks=tasks)
    return dataset


@pytest.fixture(scope="module")
def model(dataset):
    model = models.build("mmoe", dataset.schema, embedding_dim=4)
    random = np.random.default_rng(2)
    for variable in model.weights:
        inputs = 1 if variable.path.endswith("table") else np.prod(variable.shape[-2:-1], dtype=int)
        variable.assign(random.normal(scale=(2 / inputs) ** 0.5, size=variable.shape))
    return model


def columns_of(model, dataset):
    """Labels, logits and weights of the whole split."""
    parts = []
    for features, labels in dataset.batches("test", BATCH):
        weights = features["price"] + 0.5
        logits = model(features)
        parts.append([{t: part[t].numpy() for t in labels} for part in (labels, logits)])
        parts[-1].append(weights.numpy())
    labels, logits = (
        {t: np.concatenate([part[n][t] for part in parts]) for t in ("click", "conversion")}
        for n in (0, 1)
    )
    return labels, logits, np.concatenate([part[2] for part in parts])


def metrics_of(logits):
    """An AUC whose thresholds lie between the probabilities is exact."""
    values = {}
    for task, column in logits.items():
        probabilities = np.unique(1 / (1 + np.exp(-column)))
        between = (probabilities[1:] + probabilities[:-1]) / 2
        values[task] = [
            keras.metrics.AUC(thresholds=between.tolist(), from_logits=True, name="auc"),
            keras.metrics.BinaryCrossentropy(from_logits=True, name="logloss"),
        ]
    return values


@pytest.mark.parametrize("way", ["fit", "evaluate"])
@pytest.mark.parametrize("weighted", [False, True])
def test_metrics_count_the_examples_that_have_labels(way, weighted, model, dataset):
    labels, logits, weights = columns_of(model, dataset)
    assert 0.1 < (labels["conversion"] >= 0).mean() < 0.6
    batches = dataset.batches("test", BATCH)
    if weighted:
        batches = batches.map(lambda f, y: (f, y, dict.fromkeys(y, f["price"] + 0.5)))
    model.compile(
        optimizer=keras.optimizers.SGD(0.0),  # the logits stay what they are
        loss=losses.multi_task_losses(POSITIVE_WEIGHTS),
        **{"weighted_metrics" if weighted else "metrics": metrics_of(logits)},
    )
    if way == "fit":
        found = {n: v[0] for n, v in model.fit(batches, verbose=0).history.items()}
    else:
        found = model.evaluate(batches, verbose=0, return_dict=True)
    for task, label in labels.items():
        rows = label >= 0
        weight = weights[rows] if weighted else None
        auc = sklearn.metrics.roc_auc_score(label[rows], logits[task][rows], sample_weight=weight)
        probabilities = 1 / (1 + np.exp(-logits[task][rows].astype(np.float64)))
        logloss = sklearn.metrics.log_loss(label[rows], probabilities, sample_weight=weight)
        assert found[f"{task}_auc"] == pytest.approx(auc, abs=2e-6)
        assert found[f"{task}_logloss"] == pytest.approx(logloss, rel=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_stays_the_mean_over_all_examples(weighted, model, dataset):
    labels, logits, weights = columns_of(model, dataset)
    batch = next(iter(dataset.batches("test", len(weights))))
    model.compile(optimizer="sgd", loss=losses.multi_task_losses(POSITIVE_WEIGHTS))
    found = model.test_on_batch(
        *batch, dict.fromkeys(labels, weights) if weighted else None, return_dict=True
    )
    expected = sum(
        np.mean(
            losses.WeightedCrossEntropy(weight).call(labels[task], logits[task])
            * (weights if weighted else 1)
        )
        for task, weight in POSITIVE_WEIGHTS.items()
    )
    assert float(found["loss"]) == pytest.approx(expected, rel=1e-5)


def test_a_batch_on_which_a_task_is_nowhere_defined_changes_no_metric(model):
    model.compile(
        optimizer="sgd",
        loss=losses.multi_task_losses({"click": 1.0, "conversion": 1.0}),
        metrics={t: [keras.metrics.BinaryAccuracy(threshold=0)] for t in ("click", "conversion")},
    )
    logits = {"click": tf.constant([2.0, -1.0]), "conversion": tf.constant([3.0, 3.0])}
    for label in (1.0, -1.0):
        labels = {"click": tf.constant([1.0, 1.0]), "conversion": tf.fill(2, label)}
        model.compute_loss(None, labels, logits)
        found = model.compute_metrics(None, labels, logits)
    assert float(found["conversion_binary_accuracy"]) == 1.0
    assert float(found["click_binary_accuracy"]) == 0.5


@pytest.mark.parametrize("way", ["fit", "evaluate"])
def test_batches_count_by_their_examples_not_by_their_users(way, model, dataset):
    """The last batch has few examples, which are of as many users as those of other batches."""
    labels, logits, _ = columns_of(model, dataset)
    model.compile(
        optimizer=keras.optimizers.SGD(0.0), loss=losses.multi_task_losses(POSITIVE_WEIGHTS)
    )
    rows = [len(label["click"]) for _, label in dataset.batches("test", 600)]
    users = [len(features["age"]) for features, _ in dataset.batches("test", 600)]
    assert rows[-1] / rows[0] < 0.5 * users[-1] / users[0]
    if way == "fit":
        (found,) = model.fit(dataset.batches("test", 600), verbose=0).history["loss"]
    else:
        found = model.evaluate(dataset.batches("test", 600), verbose=0, return_dict=True)["loss"]
    expected = sum(
        np.mean(losses.WeightedCrossEntropy(weight).call(labels[task], logits[task]))
        for task, weight in POSITIVE_WEIGHTS.items()
    )
    assert found == pytest.approx(float(expected), rel=1e-5)
