"""STEM-Net against an independent computation, and which gradients it lets through."""

import numpy as np
import tensorflow as tf

from dcrnn_tf import models
from tests.dcrnn_tf.models.side_by_side import FEATURES, IDS, networks, softmax, tower
from tests.dcrnn_tf.models.test_values import DIM, FIELDS, SCHEMA, build

SMALL = {"num_shared_experts": 3, "num_task_experts": 2, "expert_units": (6, 5)}
TASKS = ("click", "conversion")


def inputs(model):
    """The embeddings side by side: click's, conversion's and the shared ones."""
    table = np.array(model.embedding.table).reshape(len(FIELDS), 10, 3, DIM)
    rows = np.stack([table[f, IDS[:, f]] for f in range(len(FIELDS))], axis=1)
    return [rows[:, :, part].reshape(len(IDS), -1) for part in range(3)]


def test_logits_and_gates():
    model = build("stem", **SMALL)
    assert model.embedding_width == 3 * DIM
    assert model.vector_columns == (0, DIM, 2 * DIM)
    *own, shared = inputs(model)
    experts = [
        output
        for layer, x in zip((*model.own_experts, model.shared_experts), (*own, shared), strict=True)
        for output in networks(layer, x)
    ]
    logits, gate = model(FEATURES), model.explain(FEATURES)["gate"]
    assert gate.columns == (
        *("click_0", "click_1", "conversion_0", "conversion_1"),
        *("shared_0", "shared_1", "shared_2"),
    )
    for t, task in enumerate(TASKS):
        shares = softmax((own[t] + shared) @ np.array(model.gates[t].kernel))
        np.testing.assert_allclose(gate.values[:, t], shares, rtol=1e-4, atol=1e-6)
        mixture = sum(shares[:, e, None] * x for e, x in enumerate(experts))
        expected = tower(model.towers[t], mixture)
        np.testing.assert_allclose(logits[task], expected, rtol=1e-4, atol=1e-5)


def test_a_loss_reaches_its_own_and_the_shared_embeddings_alone():
    model = build("stem", **SMALL)
    with tf.GradientTape() as tape:
        logit = model(FEATURES)["click"]
    other = [w for layer in (model.own_experts[1], model.gates[1]) for w in layer.weights]
    variables = [model.embedding.table, *model.own_experts[0].weights, *other]
    table, *gradients = tape.gradient(logit, [variable.value for variable in variables])
    width = np.abs(tf.convert_to_tensor(table)).max(axis=0).reshape(3, DIM).max(axis=1)
    assert width[0] > 0
    assert width[1] == 0
    assert width[2] > 0
    own = len(model.own_experts[0].weights)
    assert all(np.abs(gradient).max() > 0 for gradient in gradients[:own])
    assert all(gradient is None for gradient in gradients[own:])


def test_number_of_parameters():
    model = models.build("stem", SCHEMA, embedding_dim=DIM)
    d, everyone = len(FIELDS) * DIM, 8
    experts = everyone * ((d + 1) * 128 + (128 + 1) * 64)
    towers = 2 * ((64 + 1) * 64 + (64 + 1) * 32 + 32 + 1)
    assert model.parameter_counts()["other"] == experts + 2 * everyone * d + towers
    assert model.parameter_counts()["embedding"] == 30 * 3 * DIM
