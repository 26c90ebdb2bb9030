"""PEPNet against an independent computation, and which gradients its gates let through."""

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models
from tests.dcrnn_tf.models.side_by_side import (
    FEATURES,
    inputs_of,
    networks,
    sigmoid,
    sub_networks,
    tower,
)
from tests.dcrnn_tf.models.test_values import DIM, SCHEMA, build

SMALL = {"network_units": (6, 5), "gate_units": 3}
FULL = SMALL | {"domain_fields": ["field_2"], "prior_fields": ["field_1", "field_0"]}


def gate(unit, inputs):
    hidden = np.maximum(inputs @ np.array(unit.hidden.kernel) + np.array(unit.hidden.bias), 0)
    return 2 * sigmoid(hidden @ np.array(unit.gate.kernel) + np.array(unit.gate.bias))


@pytest.mark.parametrize("settings", [SMALL, FULL])
def test_logits_and_gates(settings):
    model = build("pepnet", **settings)
    embeddings = inputs_of(model)
    prior = embeddings
    if "domain_fields" in settings:
        domain = embeddings[:, 2 * DIM :]
        prior = np.hstack([embeddings[:, DIM : 2 * DIM], embeddings[:, :DIM]])
        embeddings = embeddings * gate(model.domain_gate, np.hstack([domain, embeddings]))
    gates = [gate(unit, np.hstack([prior, embeddings])) for unit in model.gates]
    hidden = [
        h * g for h, g in zip(networks(model.first, embeddings), split(gates[0]), strict=True)
    ]
    hidden = sub_networks(model.later[0], hidden)
    hidden = [h * g for h, g in zip(hidden, split(gates[1]), strict=True)]
    for logit, layer, own in zip(model(FEATURES).values(), model.towers, hidden, strict=True):
        np.testing.assert_allclose(logit, tower(layer, own), rtol=1e-4, atol=1e-5)
    found = model.explain(FEATURES)
    assert list(found) == ["gate, layer 1", "gate, layer 2"]
    for explanation, wanted in zip(found.values(), gates, strict=True):
        values = np.stack(split(wanted), axis=1)
        np.testing.assert_allclose(explanation.values, values, rtol=1e-4, atol=1e-5)


def split(gates):
    return np.split(gates, 2, axis=1)


def test_gates_do_not_change_the_embeddings_that_they_weigh():
    """With gates alone in the way of the loss, only the prior fields' embeddings get a gradient."""
    model = build("pepnet", **FULL)
    table = model.embedding.table.value
    with tf.GradientTape() as tape:
        _, gates = model._gates(model.embedding(FEATURES))
        total = tf.reduce_sum(gates[0])
    rows = np.abs(tf.convert_to_tensor(tape.gradient(total, table))).max(axis=1)
    assert rows[:20].max() > 0
    assert rows[20:].max() == 0


def test_gates_start_as_ones():
    model = models.build("pepnet", SCHEMA, embedding_dim=DIM, **FULL)
    for values, *_ in model.explain(FEATURES).values():
        np.testing.assert_allclose(values, 1, atol=0.1)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"domain_fields": ["user"]}, r"domain_fields=\['user'\]: user is not one of field_0, fie"),
        ({"prior_fields": ["a"]}, r"prior_fields=\['a'\]: a is not one of field_0"),
        ({"network_units": []}, r"network_units=\[\] must not be empty"),
    ],
)
def test_settings_that_cannot_be(settings, sentence):
    with pytest.raises(models.ModelError, match=sentence):
        models.build("pepnet", SCHEMA, **settings)
