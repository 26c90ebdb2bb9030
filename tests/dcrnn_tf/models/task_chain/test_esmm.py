"""ESMM against products of probabilities, and what it is for and what not."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import Schema, Task
from dcrnn_tf.metrics.auc import auc
from dcrnn_tf.training.losses import multi_task_losses
from tests.dcrnn_tf.models import planted
from tests.dcrnn_tf.models.side_by_side import FEATURES, inputs_of, networks, sigmoid, tower
from tests.dcrnn_tf.models.test_values import FIELDS, SCHEMA, build

LABELS = {
    "click": tf.constant([1.0, 1.0, 0.0, 1.0, 0.0]),
    "conversion": tf.constant([1.0, 0.0, 0.0, 0.0, 0.0]),
}


def small(**settings):
    """With examples that differ much in their logits."""
    model = build("esmm", network_units=(6, 5), tower_units=(4,), **settings)
    model.embedding.table.assign(3 * model.embedding.table)
    return model


def factors(model):
    """p(click) and p(conversion after click)."""
    hidden = networks(model.networks, inputs_of(model))
    return [sigmoid(tower(*pair)) for pair in zip(model.towers, hidden, strict=True)]


def test_a_conversion_is_a_click_times_a_conversion_after_it():
    model = small()
    click, after = factors(model)
    assert np.std(after) > 0.1
    logits = model(FEATURES)
    np.testing.assert_allclose(tf.sigmoid(logits["click"]), click, rtol=1e-5)
    np.testing.assert_allclose(tf.sigmoid(logits["conversion"]), click * after, rtol=1e-5)
    (derived,) = model.outputs_in_sequence
    assert derived == ("conversion_after_click", "conversion", "click", False, "binary")
    np.testing.assert_allclose(tf.sigmoid(derived.logit(logits)), after, rtol=1e-4)


def test_both_losses_are_over_all_exposures():
    """Their gradient by the logit b is that of `-log(p q)` or `-log(1 - p q)`, clicked or not."""
    model = small()
    click, after = factors(model)
    bias = model.towers[1].logit.bias
    losses = multi_task_losses({"click": 1.0, "conversion": 1.0})
    with tf.GradientTape() as tape:
        logits = model.training_logits(FEATURES, LABELS)
        total = sum(losses[task](LABELS[task], logits[task]) for task in LABELS)
    joint, converted = click * after, LABELS["conversion"].numpy()
    # d(-log p q)/db = -(1 - q); d(-log(1 - p q))/db = p q (1 - q) / (1 - p q).
    by_row = np.where(converted > 0, -(1 - after), joint * (1 - after) / (1 - joint))
    (gradient,) = tape.gradient(total, bias.value).numpy()
    assert gradient == pytest.approx(by_row.mean(), rel=1e-4)
    assert model.losses == []


@pytest.mark.parametrize("name", ["esmm", "escm2"])
def test_two_tasks_are_needed(name):
    def schema(*tasks):
        return Schema("tiny", FIELDS, tasks, splits={})

    three = schema(Task("click"), Task("like"), Task("share"))
    sentence = f"model {name}: it needs exactly two tasks in sequence, such as click and conversion"
    with pytest.raises(models.ModelError, match=f"{sentence}, .* has 3: click, like, share"):
        models.build(name, three)
    with pytest.raises(models.ModelError, match="has 1: click"):
        models.build(name, schema(Task("click")))


def test_positive_weights_that_grow_are_refused():
    model = models.build("esmm", SCHEMA)
    model.check_positive_weights({"click": 1.0, "conversion": 1.0})
    model.check_positive_weights({"click": 20.0, "conversion": 5.0})
    with pytest.raises(models.ModelError) as refusal:
        model.check_positive_weights({"click": 20.0, "conversion": 4000.0})
    assert str(refusal.value) == (
        "model esmm holds the probability of conversion to that of click, which a larger positive "
        "weight (4000 to 20) contradicts; use positive_weights=none"
    )


def test_equal_weights_are_taken_off_exactly():
    """What minimises the weighted losses has, corrected, the true probabilities."""
    click, after, weight = 0.3, 0.2, 7.0
    truth = {"click": click, "conversion": click * after}

    def shifted(p):
        return weight * p / (weight * p + 1 - p)

    first = np.log(shifted(click) / (1 - shifted(click)))
    # A factor in [0, 1] that makes the weighted optimum of the product.
    factor = shifted(click * after) / shifted(click)
    assert factor < 1
    second = np.log(factor / (1 - factor))
    model = small()
    for layer, logit in zip(model.towers, (first, second), strict=True):
        layer.logit.kernel.assign(tf.zeros_like(layer.logit.kernel))
        layer.logit.bias.assign([logit])
    logits = model(FEATURES)
    corrected = {task: logits[task] - np.log(weight) for task in truth}
    for task, probability in truth.items():
        np.testing.assert_allclose(tf.sigmoid(corrected[task]), probability, rtol=1e-4)
        loss = multi_task_losses({task: weight})[task]
        with tf.GradientTape() as tape:
            tape.watch(logits[task])
            value = probability * loss(tf.ones(5), logits[task])
            value += (1 - probability) * loss(tf.zeros(5), logits[task])
        np.testing.assert_allclose(tape.gradient(value, logits[task]), np.zeros(5), atol=1e-6)
    (derived,) = model.outputs_in_sequence
    np.testing.assert_allclose(tf.sigmoid(derived.logit(corrected)), after, rtol=1e-4)


def test_without_a_sequence_nothing_is_derived():
    assert models.build("esmm", SCHEMA, tasks_in_sequence=False).outputs_in_sequence == ()


@pytest.mark.parametrize("name", ["mmoe", "shared_bottom"])
def test_any_model_may_have_its_tasks_in_sequence(name):
    assert models.build(name, SCHEMA).outputs_in_sequence == ()
    schema = dataclasses.replace(SCHEMA, tasks=(Task("click"), Task("cart"), Task("buy")))
    model = models.build(name, schema, tasks_in_sequence=True)
    names = [(derived.name, derived.task, derived.given) for derived in model.outputs_in_sequence]
    assert names == [("cart_after_click", "cart", "click"), ("buy_after_cart", "buy", "cart")]
    again = type(model).from_config(model.get_config())
    assert again.outputs_in_sequence == model.outputs_in_sequence
    apart = dataclasses.replace(SCHEMA, tasks=(Task("click"), Task("buy", only_where="click")))
    assert models.build(name, apart).tasks_on_every_exposure == ()
    model = models.build(name, apart, tasks_in_sequence=True)
    assert model.tasks_on_every_exposure == ("buy",)
    assert model.outputs_in_sequence == ()  # it is what the task is


def test_it_learns():
    logits, labels = planted.fit_sequence("esmm", network_units=(32, 16), tower_units=(16,))
    for task in labels:
        assert auc(labels[task], logits[task]) > 0.8
