"""AITM against an independent computation, its calibrator and its attention by hand."""

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import Schema, Task
from dcrnn_tf.layers import AttentionTransfer
from dcrnn_tf.metrics.auc import auc
from tests.dcrnn_tf.models import planted
from tests.dcrnn_tf.models.side_by_side import FEATURES, inputs_of, networks, sigmoid, tower
from tests.dcrnn_tf.models.test_values import BATCH, DIM, FIELDS, SCHEMA

UNITS = (6, 4)


def small(tasks=("click", "cart", "buy"), **settings):
    schema = Schema("tiny", FIELDS, tuple(Task(name) for name in tasks), splits={})
    model = models.build("aitm", schema, embedding_dim=DIM, network_units=UNITS, **settings)
    random = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(random.normal(scale=0.7, size=weight.shape))
    return model


def transferred(layer, own, previous):
    """The module's output and its weights, vector by vector."""
    kernel = np.array(layer.query_key_value)
    told = np.maximum(previous @ np.array(layer.transfer.kernel) + np.array(layer.transfer.bias), 0)
    width = own.shape[1]
    query, key, value = (kernel[:, i * width : (i + 1) * width] for i in range(3))
    scores = [np.sum((u @ query) * (u @ key), axis=1) / np.sqrt(width) for u in (own, told)]
    odds = np.exp(np.stack(scores, axis=1))
    weights = odds / odds.sum(axis=1, keepdims=True)
    return weights[:, :1] * (own @ value) + weights[:, 1:] * (told @ value), weights


def states(model):
    """The state of each task, and the weights of each transfer."""
    own = networks(model.networks, inputs_of(model))
    found, weights = [own[0]], []
    for layer, q in zip(model.transfers, own[1:], strict=True):
        state, shares = transferred(layer, q, found[-1])
        found.append(state)
        weights.append(shares)
    return found, weights


def test_logits_of_three_tasks():
    model = small()
    found, _ = states(model)
    for logit, layer, state in zip(model(FEATURES).values(), model.towers, found, strict=True):
        np.testing.assert_allclose(logit, tower(layer, state), rtol=1e-4, atol=1e-5)


def test_attention_is_explained():
    model = small()
    _, weights = states(model)
    values, rows, columns = model.explain(FEATURES)["attention"]
    assert rows == ("cart", "buy")
    assert columns == ("its own state", "told by the task before")
    np.testing.assert_allclose(values, np.stack(weights, axis=1), rtol=1e-4, atol=1e-6)
    assert small(("click",)).explain(FEATURES) == {}


def test_the_calibrator_is_a_mean_of_violations():
    model = small()
    logits = model(FEATURES, training=True)
    (loss,) = model.losses
    click, cart, buy = (sigmoid(logit) for logit in logits.values())
    violation = np.mean(np.maximum(cart - click, 0)) + np.mean(np.maximum(buy - cart, 0))
    assert violation > 0.001
    assert float(loss) == pytest.approx(0.6 * violation, rel=1e-5)
    assert float(model.statistics["order_violation"]) == pytest.approx(violation, rel=1e-5)
    model(FEATURES)
    assert model.losses == []
    free = small(calibrator_weight=0.0)
    free(FEATURES, training=True)
    assert free.losses == []


def test_gradient_of_the_calibrator():
    """0.6 p_t (1 - p_t) where it is above p_{t-1}, and minus that of p_{t-1}."""
    model = small(("click", "conversion"), calibrator_weight=0.6)
    with tf.GradientTape() as tape:
        logits = model(FEATURES, training=True)
        (loss,) = model.losses
    biases = [layer.logit.bias.value for layer in model.towers]
    by_click, by_conversion = tape.gradient(loss, biases)
    click, conversion = (sigmoid(logit) for logit in logits.values())
    above = conversion > click
    assert 0 < above.sum() < BATCH
    slope = np.mean(above * conversion * (1 - conversion))
    assert by_conversion.numpy()[0] == pytest.approx(0.6 * slope, rel=1e-4)
    slope = np.mean(above * click * (1 - click))
    assert by_click.numpy()[0] == pytest.approx(-0.6 * slope, rel=1e-4)


def test_what_the_calibrator_contradicts_is_refused():
    weights = {"click": 3.0, "conversion": 9.0}
    with pytest.raises(models.ModelError, match="model aitm holds the probability of conversion"):
        models.build("aitm", SCHEMA).check_positive_weights(weights)
    models.build("aitm", SCHEMA, calibrator_weight=0.0).check_positive_weights(weights)
    apart = Schema("t", FIELDS, (Task("click"), Task("conversion", only_where="click")), splits={})
    assert models.build("aitm", apart).tasks_on_every_exposure == ("conversion",)
    settings = {"calibrator_weight": 0.0, "tasks_in_sequence": False}
    assert models.build("aitm", apart, **settings).tasks_on_every_exposure == ()
    with pytest.raises(models.ModelError, match=r"calibrator_weight=-0\.1 must not be negative"):
        models.build("aitm", SCHEMA, calibrator_weight=-0.1)


def test_config_restores_the_layer():
    layer = AttentionTransfer()
    again = AttentionTransfer.from_config(layer.get_config())
    own, previous = np.random.default_rng(0).normal(size=(2, BATCH, 3)).astype("float32")
    layer(own, previous)
    again(own, previous)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(own, previous), layer(own, previous))


@pytest.mark.slow
def test_it_learns():
    units = {"network_units": (32, 16), "tower_units": (16,)}
    logits, labels = planted.fit_sequence("aitm", **units)
    for task in labels:
        assert auc(labels[task], logits[task]) > 0.8
