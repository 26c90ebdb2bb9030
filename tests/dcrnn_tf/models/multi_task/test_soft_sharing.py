"""Soft sharing: its logits, and its penalty and the gradient of that, by hand."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import Schema, Task
from dcrnn_tf.metrics.auc import auc
from tests.dcrnn_tf.models import planted
from tests.dcrnn_tf.models.side_by_side import FEATURES, IDS, networks
from tests.dcrnn_tf.models.test_values import FIELDS, SCHEMA, build, check

UNITS = (6, 4)
THREE = Schema("tiny", FIELDS, tuple(Task(name) for name in "abc"), splits={})


def randomised(**settings):
    model = models.build("soft_sharing", THREE, embedding_dim=2, network_units=UNITS, **settings)
    random = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(random.normal(size=weight.shape))
    return model


def task_weights(model):
    """Each task's weights and biases, end to end."""
    networks = model.networks
    for task in range(3):
        own = slice(6 * task, 6 * task + 6)
        yield np.concatenate(
            [
                np.array(networks.kernels[0])[:, own].ravel(),
                np.array(networks.biases[0])[own],
                np.array(networks.kernels[1])[task].ravel(),
                np.array(networks.biases[1])[task].ravel(),
            ]
        )


def test_logits():
    model = build("soft_sharing", network_units=UNITS)
    check(model, IDS, lambda x0: networks(model.networks, x0))


def test_penalty_and_its_gradient():
    model = randomised(distance_penalty=0.3)
    with tf.GradientTape() as tape:
        model(FEATURES, training=True)
        (loss,) = model.losses
    weights = list(task_weights(model))
    distances = [np.sum((a - b) ** 2) for a, b in itertools.combinations(weights, 2)]
    assert float(loss) == pytest.approx(0.3 * sum(distances), rel=1e-5)
    distance = float(model.statistics["weight_distance"])
    assert distance == pytest.approx(np.sqrt(sum(distances)), rel=1e-5)
    kernel = model.networks.kernels[1]
    # d/dW_s of sum_t ||W_s - W_t||^2 is 2 sum_t (W_s - W_t).
    own = np.array(kernel)
    expected = 0.3 * 2 * (3 * own - own.sum(axis=0))
    np.testing.assert_allclose(tape.gradient(loss, kernel.value), expected, rtol=1e-4, atol=1e-5)


def test_there_is_no_penalty_outside_training_nor_of_factor_0():
    model = randomised()
    model(FEATURES)
    assert model.losses == []
    free = randomised(distance_penalty=0.0)
    free(FEATURES, training=True)
    assert free.losses == []


def test_a_large_penalty_makes_the_networks_one():
    model = randomised(distance_penalty=1.0)
    first, *_ = task_weights(model)
    for _ in range(60):
        with tf.GradientTape() as tape:
            model(FEATURES, training=True)
            (loss,) = model.losses
        weights = [*model.networks.kernels, *model.networks.biases]
        for weight, gradient in zip(
            weights, tape.gradient(loss, [w.value for w in weights]), strict=True
        ):
            weight.assign(weight - 0.1 * gradient)
    one, *others = task_weights(model)
    for other in others:
        np.testing.assert_allclose(other, one, atol=1e-5)
    assert np.abs(one - first).max() > 0.1


def test_distances_are_explained():
    model = randomised()
    values, rows, columns = model.explain(FEATURES)["weight distance"]
    assert rows == columns == ("a", "b", "c")
    weights = list(task_weights(model))
    expected = [[np.linalg.norm(a - b) for b in weights] for a in weights]
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)


def test_a_negative_penalty_is_refused():
    with pytest.raises(models.ModelError, match="distance_penalty=-1 must not be negative"):
        models.build("soft_sharing", SCHEMA, distance_penalty=-1)


@pytest.mark.slow
def test_it_learns():
    logits, labels = planted.fit("soft_sharing", network_units=(32, 16), tower_units=(16,))
    for task in labels:
        assert auc(labels[task], logits[task]) > 0.8
