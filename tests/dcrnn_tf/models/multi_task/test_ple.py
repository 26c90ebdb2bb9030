"""PLE against an independent computation, expert by expert and gate by gate."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.layers import GateControl
from dcrnn_tf.metrics.auc import auc
from tests.dcrnn_tf.models import planted
from tests.dcrnn_tf.models.test_values import BATCH, DIM, FIELDS, SCHEMA, build, check

SHARED, OWN, UNITS = 3, 2, (6, 5)
IDS = np.random.default_rng(0).integers(0, 10, (BATCH, len(FIELDS))).astype("int32")
FEATURES = {field.name: IDS[:, f] for f, field in enumerate(FIELDS)}
SETTINGS = {"num_shared_experts": SHARED, "num_task_experts": OWN, "expert_units": UNITS}


def softmax(scores):
    exponentials = np.exp(scores)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def expert(weights, number, count, x):
    """One expert of an `Experts` layer of `count`, from its weights."""
    kernels, biases = weights[0::2], weights[1::2]
    own = slice(number * UNITS[0], (number + 1) * UNITS[0])
    assert kernels[0].shape[1] == count * UNITS[0]
    hidden = np.maximum(x @ kernels[0][:, own] + biases[0][own], 0)
    return np.maximum(hidden @ kernels[1][number] + biases[1][number, 0], 0)


def group_experts(level, number, inputs):
    """The outputs `{group: [expert, ...]}` of level `number` for `{group: input}`."""
    sizes = {"click": OWN, "conversion": OWN, "shared": SHARED}
    outputs = {}
    if number == 0:  # one layer holds all, task by task and then the shared ones
        weights, first = [np.array(w) for w in level.experts[0].weights], 0
        for group, size in sizes.items():
            every = [
                expert(weights, first + e, 2 * OWN + SHARED, inputs[group]) for e in range(size)
            ]
            outputs[group] = every
            first += size
        return outputs
    for layer, (group, size) in zip(level.experts, sizes.items(), strict=True):
        weights = [np.array(w) for w in layer.weights]
        outputs[group] = [expert(weights, e, size, inputs[group]) for e in range(size)]
    return outputs


def numpy_level(level, number, inputs, last):
    """Mixtures and gates `{group: ...}` of a level."""
    outputs = group_experts(level, number, inputs)
    kernels = np.array(level.task_gates)
    width = OWN + SHARED
    gates, mixtures = {}, {}
    for t, task in enumerate(("click", "conversion")):
        kernel = kernels[:, t * width : (t + 1) * width] if number == 0 else kernels[t]
        gates[task] = softmax(inputs[task] @ kernel)
        chosen = outputs[task] + outputs["shared"]
        mixtures[task] = sum(gates[task][:, e, None] * x for e, x in enumerate(chosen))
    if not last:
        gates["shared"] = softmax(inputs["shared"] @ np.array(level.shared_gate_kernel))
        chosen = outputs["click"] + outputs["conversion"] + outputs["shared"]
        mixtures["shared"] = sum(gates["shared"][:, e, None] * x for e, x in enumerate(chosen))
    return mixtures, gates


def numpy_levels(model, x0):
    mixtures, gates = dict.fromkeys(("click", "conversion", "shared"), x0), []
    for number, level in enumerate(model.levels):
        last = number == len(model.levels) - 1
        mixtures, found = numpy_level(level, number, mixtures, last)
        gates.append(found)
    return mixtures, gates


def inputs_of(model):
    table = np.array(model.embedding.table).reshape(3, 10, DIM)
    return np.concatenate([table[f, IDS[:, f]] for f in range(3)], axis=1)


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_logits(levels):
    model = build("ple", num_levels=levels, **SETTINGS)

    def mixtures(x0):
        found, _ = numpy_levels(model, x0)
        assert set(found) == {"click", "conversion"}
        return found.values()

    check(model, IDS, mixtures)


def test_gates_are_explained_level_by_level():
    model = build("ple", num_levels=2, **SETTINGS)
    explained = model.explain(FEATURES)
    for level in (1, 2):
        gate, use = explained[f"gate, level {level}"], explained.pop(f"expert use, level {level}")
        assert use[1:] == gate[1:]
        np.testing.assert_allclose(np.sum(use.values, axis=2), 1, rtol=1e-5)
        assert np.all(np.array(use.values)[np.array(gate.values) == 0] == 0)
    assert list(explained) == ["gate, level 1", "gate, level 2"]
    _, gates = numpy_levels(model, inputs_of(model))
    columns = ("click_0", "click_1", "conversion_0", "conversion_1")
    columns += ("shared_0", "shared_1", "shared_2")
    for explanation, wanted in zip(explained.values(), gates, strict=True):
        assert explanation.rows == tuple(wanted)
        assert explanation.columns == columns
        values = np.array(explanation.values)
        np.testing.assert_allclose(values.sum(axis=2), 1, rtol=1e-5)
        none = np.zeros((BATCH, OWN))
        click, conversion = wanted["click"], wanted["conversion"]
        np.testing.assert_allclose(
            values[:, 0], np.hstack([click[:, :OWN], none, click[:, OWN:]]), rtol=1e-4, atol=1e-6
        )
        np.testing.assert_allclose(
            values[:, 1], np.hstack([none, conversion]), rtol=1e-4, atol=1e-6
        )
        assert (values[:, 0, OWN : 2 * OWN] == 0).all()
    assert explained["gate, level 1"].rows == ("click", "conversion", "shared")
    shared = explained["gate, level 1"].values[:, 2]
    np.testing.assert_allclose(shared, gates[0]["shared"], rtol=1e-4, atol=1e-6)


def test_number_of_parameters():
    model = models.build("ple", SCHEMA, embedding_dim=DIM)
    d, experts = 3 * DIM, 8

    def level(width, gates):
        perceptron = (width + 1) * 128 + (128 + 1) * 64
        return experts * perceptron + gates * width

    towers = 2 * ((64 + 1) * 64 + (64 + 1) * 32 + 32 + 1)
    # The gates of two tasks over 2 + 4 experts, and the shared one over 8, at the first level only.
    expected = level(d, 2 * 6 + 8) + level(64, 2 * 6) + towers
    assert model.parameter_counts()["other"] == expected


def test_every_expert_and_gate_starts_with_a_fan_of_its_own():
    keras.utils.set_random_seed(0)
    model = models.build("ple", SCHEMA, embedding_dim=100)
    first, second = model.levels
    blocks = [
        *np.split(np.array(first.experts[0].kernels[0]), 8, axis=1),
        *np.split(np.array(first.task_gates), 2, axis=1),
        np.array(first.shared_gate_kernel),
        *np.array(second.task_gates),
    ]
    for number, block in enumerate(blocks):
        limit = np.sqrt(6 / sum(block.shape))
        assert 0.95 * limit < np.abs(block).max() <= limit
        assert not any(block.shape == o.shape and np.allclose(block, o) for o in blocks[:number])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"num_levels": 0}, "model ple: num_levels=0 must be a whole number from 1"),
        ({"num_shared_experts": 0}, "num_shared_experts=0 must be a whole number from 1"),
        ({"num_task_experts": 0}, "num_task_experts=0 must be a whole number from 1"),
    ],
)
def test_settings_without_experts_or_levels_are_refused(settings, sentence):
    with pytest.raises(models.ModelError, match=sentence):
        models.build("ple", SCHEMA, **settings)


@pytest.mark.parametrize("shape", [(BATCH, 6), (3, BATCH, 6)])
def test_config_restores_the_layer(shape):
    layer = GateControl(2, 3, 1, (5, 4), shared_gate=True)
    again = GateControl.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    inputs = np.random.default_rng(0).normal(size=shape).astype("float32")
    layer.build(shape)
    again.build(shape)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(inputs), layer(inputs))
    assert layer(inputs).shape == (3, BATCH, 4)


def test_one_input_is_the_same_input_for_each_group():
    inputs = np.random.default_rng(0).normal(size=(BATCH, 6)).astype("float32")
    one, several = (GateControl(2, 2, 2, (5, 4), shared_gate=True) for _ in range(2))
    one.build(inputs.shape)
    several.build((3, *inputs.shape))
    (all_experts,) = one.experts
    first, bias, second, other = all_experts.get_weights()
    for layer, own in zip(several.experts, (slice(0, 2), slice(2, 4), slice(4, 6)), strict=True):
        wide = slice(5 * own.start, 5 * own.stop)
        layer.set_weights([first[:, wide], bias[wide], second[own], other[own]])
    several.task_gates.assign(np.stack(np.split(np.array(one.task_gates), 2, axis=1)))
    several.shared_gate_kernel.assign(one.shared_gate_kernel)
    np.testing.assert_allclose(several(np.stack([inputs] * 3)), one(inputs), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(BATCH, 6), (3, BATCH, 6)])
def test_xla_computes_the_same_mixtures_and_gradients(shape):
    layer = GateControl(2, 3, 1, (5, 4), shared_gate=True)
    layer.build(shape)
    inputs = tf.constant(np.random.default_rng(0).normal(size=shape), tf.float32)

    def mixtures_and_gradients():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            mixtures = layer(inputs)
            loss = tf.reduce_sum(mixtures**2)
        return [mixtures, *tape.gradient(loss, [inputs, *(v.value for v in layer.weights)])]

    compiled = tf.function(mixtures_and_gradients, jit_compile=True)()
    for one, other in zip(compiled, mixtures_and_gradients(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_it_learns():
    logits, labels = planted.fit("ple", expert_units=(16,), tower_units=(16,))
    for task in labels:
        assert auc(labels[task], logits[task]) > 0.8
