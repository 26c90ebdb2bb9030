"""Each model's logits against an independent computation from its weights."""

import keras
import numpy as np
import pytest

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import CATEGORICAL, Field, Schema, Task

BATCH, DIM = 5, 4
FIELDS = tuple(Field(f"field_{i}", CATEGORICAL, 10) for i in range(3))
SCHEMA = Schema("tiny", FIELDS, (Task("click"), Task("conversion")), splits={})


@pytest.fixture
def ids():
    return np.random.default_rng(0).integers(0, 10, (BATCH, 3)).astype("int32")


def build(name, **settings):
    model = models.build(name, SCHEMA, embedding_dim=DIM, **settings)
    random = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(random.normal(scale=0.7, size=weight.shape))
    return model


def check(model, ids, inputs_to_towers):
    """Compares with towers in NumPy on `inputs_to_towers(x0)`, one input per task."""
    table = np.array(model.embedding.table).reshape(3, 10, DIM)
    x0 = np.concatenate([table[f, ids[:, f]] for f in range(3)], axis=1)
    actual = model({field.name: ids[:, f] for f, field in enumerate(FIELDS)})
    for task, tower, hidden in zip(actual, model.towers, inputs_to_towers(x0), strict=True):
        for layer in tower.hidden.hidden:
            hidden = dense(layer, hidden)
        expected = (hidden @ np.array(tower.logit.kernel) + np.array(tower.logit.bias))[:, 0]
        np.testing.assert_allclose(actual[task], expected, rtol=1e-4, atol=1e-5)


def dense(layer, inputs):
    return np.maximum(inputs @ np.array(layer.kernel) + np.array(layer.bias), 0)


def test_mmoe(ids):
    model = build("mmoe", num_experts=3, expert_units=(6, 4))

    def mixtures(x0):
        kernels = [np.array(kernel) for kernel in model.experts.kernels]
        biases = [np.array(bias) for bias in model.experts.biases]
        experts = []
        for e in range(3):
            own = slice(6 * e, 6 * e + 6)
            hidden = np.maximum(x0 @ kernels[0][:, own] + biases[0][own], 0)
            experts.append(np.maximum(hidden @ kernels[1][e] + biases[1][e], 0))
        for task in range(2):
            scores = np.exp(x0 @ np.array(model.gates.kernel)[:, 3 * task : 3 * task + 3])
            shares = scores / scores.sum(axis=1, keepdims=True)
            yield sum(shares[:, e : e + 1] * experts[e] for e in range(3))

    check(model, ids, mixtures)


def test_shared_bottom(ids):
    model = build("shared_bottom", bottom_units=(6, 4))

    def shared(x0):
        for layer in model.bottom.hidden:
            x0 = dense(layer, x0)
        return [x0, x0]

    check(model, ids, shared)


@pytest.mark.parametrize("adaptation", [False, True])
def test_dcrnn(ids, adaptation):
    """A bidirectional LSTM per task over steps 0 to 2 (click) and 1 to 3 (conversion)."""
    model = build("dcrnn", units=2, adaptation=adaptation)
    crnn = model.crnn

    def last_states(x0):
        vectors = np.array(model.adaptation.vectors) if adaptation else np.zeros((4, x0.shape[1]))
        kernels = np.split(np.array(crnn.kernel), 4, axis=1)
        biases = np.split(np.array(crnn.bias), 4)
        for task in range(2):
            lstm = keras.layers.Bidirectional(keras.layers.LSTM(2))
            lstm.build((None, 3, x0.shape[1]))
            weights = []
            for r in (2 * task, 2 * task + 1):
                weights += [kernels[r], np.array(crnn.recurrent_kernel)[r], biases[r]]
            lstm.set_weights(weights)
            steps = [x0 + vectors[i] for i in range(task, task + 3)]
            yield np.array(lstm(np.stack(steps, axis=1).astype("float32")))

    check(model, ids, last_states)


def test_parameter_count_of_the_papers_setting():
    """DCRNN+BiLSTM+Ada with 23 fields of dimension 32, two tasks, L = 3, I = 1, h = 64."""
    fields = tuple(Field(f"field_{i}", CATEGORICAL, 10) for i in range(23))
    schema = Schema("wide", fields, SCHEMA.tasks, splits={})
    d, h = 23 * 32, 64
    recurrent = 4 * (4 * h * (d + h + 1))  # two tasks, two directions, four gates
    towers = 2 * ((2 * h + 1) * 64 + (64 + 1) * 32 + 32 + 1)
    other = recurrent + 4 * d + towers
    assert models.build("dcrnn", schema).parameter_counts() == {
        "total": other + 230 * 32,
        "embedding": 230 * 32,
        "other": other,
    }
    experts = 8 * ((d + 1) * 128 + (128 + 1) * 64)
    towers = 2 * ((64 + 1) * 64 + (64 + 1) * 32 + 32 + 1)
    assert models.build("mmoe", schema).parameter_counts()["other"] == (
        experts + 2 * 8 * d + towers
    )


def test_a_mmoe_gate_is_explained_expert_by_expert(ids):
    model = build("mmoe", num_experts=3, expert_units=(6, 4))
    found = model.explain({field.name: ids[:, f] for f, field in enumerate(FIELDS)})
    gate = found["gate"]
    assert gate.rows == ("click", "conversion")
    assert gate.columns == ("expert_0", "expert_1", "expert_2")
    table = np.array(model.embedding.table).reshape(3, 10, DIM)
    x0 = np.concatenate([table[f, ids[:, f]] for f in range(3)], axis=1)
    scores = np.exp(x0 @ np.array(model.gates.kernel)).reshape(BATCH, 2, 3)
    expected = scores / scores.sum(axis=2, keepdims=True)
    np.testing.assert_allclose(gate.values, expected, rtol=1e-4, atol=1e-6)
    sizes = np.linalg.norm(model.experts(x0), axis=2).T[:, None]
    use = expected * sizes / (expected * sizes).sum(axis=2, keepdims=True)
    np.testing.assert_allclose(found["expert use"].values, use, rtol=1e-4, atol=1e-6)
