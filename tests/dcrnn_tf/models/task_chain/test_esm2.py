"""ESM2 against probabilities worked out one by one, and the tasks that it takes."""

import dataclasses

import numpy as np
import pytest

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import Schema, Split, Task
from dcrnn_tf.metrics.auc import auc
from tests.dcrnn_tf.models import planted
from tests.dcrnn_tf.models.side_by_side import FEATURES, inputs_of, networks, sigmoid, tower
from tests.dcrnn_tf.models.test_values import DIM, FIELDS

TASKS = ("click", "cart", "order")
SCHEMA = Schema("shop", FIELDS, tuple(map(Task, TASKS)), splits={})


def build(schema):
    model = models.build("esm2", schema, embedding_dim=DIM, network_units=(6, 5))
    random = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(random.normal(scale=0.7, size=weight.shape))
    return model


def factors(model):
    hidden = networks(model.networks, inputs_of(model))
    return [sigmoid(tower(t, h)) for t, h in zip(model.towers, hidden, strict=True)]


def test_probabilities():
    model = build(SCHEMA)
    click, cart, after, without = factors(model)
    wanted = {
        "click": click,
        "cart": click * cart,
        "order": click * (cart * after + (1 - cart) * without),
    }
    for task, logit in model(FEATURES).items():
        np.testing.assert_allclose(sigmoid(logit), wanted[task], rtol=1e-4, atol=1e-6)


def test_two_tasks_are_esmm():
    schema = dataclasses.replace(SCHEMA, tasks=SCHEMA.tasks[:2])
    model = build(schema)
    esmm = models.build("esmm", schema, embedding_dim=DIM, network_units=(6, 5))
    esmm.set_weights(model.get_weights())
    wanted = esmm(FEATURES)
    for task, logit in model(FEATURES).items():
        np.testing.assert_array_equal(logit, wanted[task])


def test_logits_stay_finite_and_exact_where_probabilities_round():
    model = build(SCHEMA)
    for layer, bias in zip(model.towers, (-60.0, -40.0, 50.0, -50.0), strict=True):
        layer.logit.kernel.assign(np.zeros(layer.logit.kernel.shape))
        layer.logit.bias.assign([bias])
    found = {task: float(logit[0]) for task, logit in model(FEATURES).items()}
    # log(e^-60 (e^-40 + e^-50))
    assert found == pytest.approx(
        {"click": -60, "cart": -100, "order": -60 + np.log(np.exp(-40) + np.exp(-50))}, rel=1e-5
    )


def split(**positives):
    return {"train": Split("train", 100, positives, dict.fromkeys(positives, 100), ())}


def test_an_order_needs_a_click_and_no_cart():
    fine = dataclasses.replace(SCHEMA, splits=split(click=30, cart=5, order=9))
    model = models.build("esm2", fine)
    model.check_positive_weights({"click": 2.0, "cart": 1.0, "order": 2.0})
    names = [output.name for output in model.outputs_in_sequence]
    assert names == ["cart_after_click", "order_after_click"]
    with pytest.raises(models.ModelError, match="the probability of order to that of click"):
        model.check_positive_weights({"click": 2.0, "cart": 2.0, "order": 3.0})
    more = dataclasses.replace(SCHEMA, splits=split(click=8, cart=5, order=9))
    with pytest.raises(models.ModelError, match="9 positives of order and 8 of click"):
        models.build("esm2", more)


def test_one_task_or_four_are_refused():
    for tasks in (TASKS[:1], (*TASKS, "return")):
        schema = dataclasses.replace(SCHEMA, tasks=tuple(map(Task, tasks)))
        with pytest.raises(models.ModelError, match="it needs two or three tasks, such as click"):
            models.build("esm2", schema)


@pytest.mark.slow
def test_it_learns():
    logits, labels = planted.fit_sequence("esm2", network_units=(32, 16), tower_units=(16,))
    for task in labels:
        assert auc(labels[task], logits[task]) > 0.8
