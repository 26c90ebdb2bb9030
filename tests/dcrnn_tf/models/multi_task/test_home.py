"""HoME against an independent computation, expert by expert and gate by gate."""

import numpy as np
import pytest

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import Schema, Task
from dcrnn_tf.layers import NormalizedExperts
from tests.dcrnn_tf.models.side_by_side import FEATURES, inputs_of, sigmoid, softmax, tower
from tests.dcrnn_tf.models.test_values import DIM, FIELDS

TASKS = ("click", "like", "order")
SCHEMA = Schema("shop", FIELDS, tuple(map(Task, TASKS)), splits={})
SMALL = {
    "task_groups": [1, 2, 1],
    "num_shared_experts": 2,
    "num_group_experts": 2,
    "num_task_experts": 1,
    "expert_units": (6, 5),
    "gate_rank": 2,
}


def expert(gates, experts, number, inputs, training):
    """Expert `number` of a level on its input, seen through its feature gate."""
    down, up = np.array(gates.down)[number], np.array(gates.up)[number]
    seen = 2 * sigmoid(inputs @ down @ up) * inputs
    products = seen @ np.array(experts.kernel)[number]
    averages = (experts.moving_mean, experts.moving_variance)
    mean, variance = (np.array(average)[number] for average in averages)
    if training:
        mean, variance = products.mean(axis=0), products.var(axis=0)
    normal = (products - mean) / np.sqrt(variance + experts.epsilon)
    normal = normal * np.array(experts.scale)[number] + np.array(experts.shift)[number]
    return normal * sigmoid(normal)


def mixture(shares, outputs):
    return sum(shares[:, e, None] * x for e, x in enumerate(outputs))


def expected(model, training):
    """The towers' inputs: experts lie as group 1, group 2, shared, and then one of each task."""
    x = inputs_of(model)
    first = [expert(model.feature_gates, model.experts, n, x, training) for n in range(6)]
    groups, shared = (first[0:2], first[2:4]), first[4:6]
    kernels = np.split(np.array(model.group_gates.kernel), 2, axis=1)
    states = [
        mixture(softmax(x @ kernel), own + shared)
        for kernel, own in zip(kernels, groups, strict=True)
    ]
    shared_state = mixture(softmax(x @ np.array(model.shared_gate.kernel)), first)
    shared_state = shared_state + mixture(softmax(x @ np.array(model.self_gate.kernel)), shared)
    inputs = [states[0]] * 2 + [states[1]] * 2 + [shared_state] * 2
    inputs += [states[0], states[1], states[0]]
    second = [
        expert(model.state_gates, model.state_experts, n, inputs[n], training) for n in range(9)
    ]
    mixtures = []
    for t, group in enumerate((0, 1, 0)):
        gate = np.hstack([states[group], shared_state]) @ np.array(model.task_gates[t].kernel)
        chosen = second[2 * group : 2 * group + 2] + second[4:6] + [second[6 + t]]
        mixtures.append(mixture(softmax(gate), chosen))
    return mixtures


@pytest.mark.parametrize("training", [False, True])
def test_logits(training):
    model = models.build("home", SCHEMA, embedding_dim=DIM, **SMALL)
    random = np.random.default_rng(1)
    for weight in model.weights:
        value = random.normal(scale=0.7, size=weight.shape)
        weight.assign(np.abs(value) if "variance" in weight.name else value)
    wanted = expected(model, training)
    logits = model(FEATURES, training=training)
    for task, layer, own in zip(TASKS, model.towers, wanted, strict=True):
        np.testing.assert_allclose(logits[task], tower(layer, own), rtol=1e-3, atol=1e-3)


def test_moving_averages_are_those_of_the_batches():
    layer = NormalizedExperts(2, momentum=0.9)
    layer.build((1, None, 2))
    layer.kernel.assign(np.eye(2)[None])
    batches = np.random.default_rng(0).normal(size=(3, 1, 50, 2)).astype("float32")
    for batch in batches:
        layer(batch, training=True)
    weights = np.array([0.081, 0.09, 0.1])[:, None] / 0.271  # the start has no part
    for average, wanted in (
        (layer.moving_mean, batches[:, 0].mean(axis=1)),
        (layer.moving_variance, batches[:, 0].var(axis=1)),
    ):
        np.testing.assert_allclose(average[0, 0], (weights * wanted).sum(axis=0), rtol=1e-4)


def test_gates_are_those_of_a_tasks_own_experts():
    model = models.build("home", SCHEMA, embedding_dim=DIM, **SMALL)
    gate = model.explain(FEATURES)["gate"]
    assert gate.columns == (
        *("group_1_0", "group_1_1", "group_2_0", "group_2_1", "shared_0", "shared_1"),
        *("click_0", "like_0", "order_0"),
    )
    seen = (np.array(gate.values).min(axis=0) > 0).astype(int)
    np.testing.assert_array_equal(
        seen,
        [[1, 1, 0, 0, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1, 0, 1, 0], [1, 1, 0, 0, 1, 1, 0, 0, 1]],
    )
    np.testing.assert_allclose(np.sum(gate.values, axis=2), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"task_groups": [1, 1]},
            r"task_groups=\[1, 1\] must be the number of a group for each of",
        ),
        ({"task_groups": [1, 3, 1]}, "without a gap"),
        ({"expert_units": [8]}, r"expert_units=\[8\] must be two widths"),
    ],
)
def test_settings_that_cannot_be(settings, sentence):
    with pytest.raises(models.ModelError, match=sentence):
        models.build("home", SCHEMA, **settings)
