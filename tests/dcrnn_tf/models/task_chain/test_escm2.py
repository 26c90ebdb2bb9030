"""ESCM2: its risks, their weights and gradients, against computations from its weights."""

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.metrics.auc import auc
from tests.dcrnn_tf.models import planted
from tests.dcrnn_tf.models.side_by_side import FEATURES, inputs_of, networks, sigmoid, tower
from tests.dcrnn_tf.models.test_values import SCHEMA, build

CLICK = np.array([1.0, 1.0, 0.0, 1.0, 0.0])
CONVERSION = np.array([1.0, 0.0, 0.0, 0.0, 0.0])
LABELS = {"click": tf.constant(CLICK), "conversion": tf.constant(CONVERSION)}
FLOOR = 0.45


def small(**settings):
    """With propensities below the floor and above it."""
    settings = {"propensity_floor": FLOOR, "counterfactual_weight": 0.3} | settings
    model = build("escm2", network_units=(6, 5), tower_units=(4,), **settings)
    model.embedding.table.assign(3 * model.embedding.table)
    click, *_ = numpy_logits(model)
    bias = model.towers[0].logit.bias
    bias.assign(bias - np.median(click))
    return model


def numpy_logits(model):
    hidden = networks(model.networks, inputs_of(model))
    return [tower(*pair) for pair in zip(model.towers, hidden, strict=True)]


def cross_entropy(labels, logits):
    return np.logaddexp(0, logits) - labels * logits


def numpy_risk(model, after=None):
    """The counterfactual risk of a model's weights."""
    click, own, *imputed = numpy_logits(model)
    own = own if after is None else after
    weights = CLICK / np.maximum(sigmoid(click), FLOOR)
    losses = cross_entropy(CONVERSION, own)
    if not imputed:
        return np.mean(weights * losses)
    expected = np.logaddexp(0, imputed[0])
    error = losses - expected
    return np.mean(expected + weights * error) + np.mean(weights * error**2)


@pytest.mark.parametrize("risk", ["ips", "dr"])
def test_the_risk_is_added_in_training(risk):
    model = small(risk=risk)
    logits = model.training_logits(FEATURES, LABELS)
    click, after, *_ = numpy_logits(model)
    np.testing.assert_allclose(
        tf.sigmoid(logits["conversion"]), sigmoid(click) * sigmoid(after), rtol=1e-5
    )
    (loss,) = model.losses
    assert float(loss) == pytest.approx(0.3 * numpy_risk(model), rel=1e-4)
    assert float(model.statistics["counterfactual_risk"]) == pytest.approx(
        numpy_risk(model), rel=1e-4
    )
    at_floor = np.mean(sigmoid(click) < FLOOR)
    assert 0 < at_floor < 1
    assert float(model.statistics["propensities_at_floor"]) == pytest.approx(at_floor)
    model(FEATURES)
    assert model.losses == []


@pytest.mark.parametrize("risk", ["ips", "dr"])
def test_gradients_of_the_risk(risk):
    """By finite differences of the NumPy computation, with the propensities held."""
    model = small(risk=risk)
    biases = [layer.logit.bias for layer in model.towers]
    with tf.GradientTape() as tape:
        model.training_logits(FEATURES, LABELS)
        (loss,) = model.losses
    click, *others = tape.gradient(loss, [bias.value for bias in biases])
    assert click is None  # a propensity has no gradient
    for bias, gradient in zip(biases[1:], others, strict=True):
        start, ends = bias.numpy(), []
        for step in (0.01, -0.01):
            bias.assign(start + step)
            ends.append(0.3 * numpy_risk(model))
        bias.assign(start)
        expected = (ends[0] - ends[1]) / 0.02
        assert gradient.numpy()[0] == pytest.approx(expected, rel=1e-3)
        assert abs(expected) > 1e-4


def test_the_global_weight_is_that_of_the_conversions_loss():
    model = small(global_weight=0.25, counterfactual_weight=0.0)
    joint = np.array(model.training_logits(FEATURES, LABELS)["conversion"], np.float64)
    (loss,) = model.losses  # beside the loss of the task, which counts once
    assert float(loss) == pytest.approx(-0.75 * cross_entropy(CONVERSION, joint).mean(), rel=1e-5)


def test_without_weight_it_is_esmm():
    model = small(counterfactual_weight=0.0)
    expected = build("esmm", network_units=(6, 5), tower_units=(4,))
    expected.set_weights(model.get_weights())
    logits = model.training_logits(FEATURES, LABELS)
    assert model.losses == []
    for task, logit in expected(FEATURES).items():
        np.testing.assert_array_equal(logits[task], logit)


def test_positive_weights_are_refused():
    model = models.build("escm2", SCHEMA)
    model.check_positive_weights({"click": 1.0, "conversion": 1.0})
    sentence = "model escm2 divides by predicted probabilities of click, .* positive_weights=none"
    with pytest.raises(models.ModelError, match=sentence):
        model.check_positive_weights({"click": 2.0, "conversion": 1.0})


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"risk": "mips"}, "risk='mips' is not one of ips, dr"),
        ({"propensity_floor": 0.0}, "propensity_floor=0.0 must be above 0 and at most 1"),
        ({"propensity_floor": 1.5}, "propensity_floor=1.5 must be above 0 and at most 1"),
        ({"counterfactual_weight": -1}, "counterfactual_weight=-1 must not be negative"),
        ({"global_weight": -0.5}, "global_weight=-0.5 must not be negative"),
    ],
)
def test_impossible_settings_are_refused(settings, sentence):
    with pytest.raises(models.ModelError, match=f"model escm2: {sentence}"):
        models.build("escm2", SCHEMA, **settings)


@pytest.mark.parametrize("risk", [pytest.param("ips", marks=pytest.mark.slow), "dr"])
def test_it_learns(risk):
    units = {"network_units": (32, 16), "tower_units": (16,)}
    logits, labels = planted.fit_sequence("escm2", risk=risk, **units)
    for task in labels:
        assert auc(labels[task], logits[task]) > 0.8
