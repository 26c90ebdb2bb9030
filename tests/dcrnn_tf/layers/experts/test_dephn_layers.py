"""Soft selection, explicit mapping, value gates and heterogeneous experts, beside NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.layers import ExplicitMapping, HeterogeneousExperts, SoftSelection, ValueGates, fork
from dcrnn_tf.layers.experts.explicit_mapping import MAPPINGS

RANDOM = np.random.default_rng(0)
EMBEDDINGS = RANDOM.normal(size=(6, 3, 4)).astype("float32")


def randomise(layer):
    random = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(random.normal(scale=0.7, size=weight.shape))


def test_soft_selection_is_keras_attention_mixed_by_gates():
    layer = SoftSelection(3, num_heads=2)
    layer.build(EMBEDDINGS.shape)
    randomise(layer)
    keras_attention = keras.layers.MultiHeadAttention(2, 2, use_bias=False)
    keras_attention.build(EMBEDDINGS.shape, EMBEDDINGS.shape)
    kernels = np.split(np.array(layer.query_key_value), 3, axis=1)
    order = [kernels[0], kernels[1], kernels[2]]  # query, key, value
    weights = [kernel.reshape(4, 2, 2) for kernel in order]
    weights.append(np.array(layer.output_kernel).reshape(2, 2, 4))
    keras_attention.set_weights(weights)
    attended = np.array(keras_attention(EMBEDDINGS, EMBEDDINGS))
    gate = np.array(layer.gate)
    expected = gate * attended + (1 - gate) * EMBEDDINGS
    actual = layer(EMBEDDINGS)
    assert actual.shape == (3, 6, 3, 4)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_soft_selection_by_hand():
    """One field, one head: attention is the identity of the softmax, so only the maps are left."""
    layer = SoftSelection(1, num_heads=1)
    layer.build((None, 1, 2))
    layer.query_key_value.assign(np.concatenate([np.eye(2), np.eye(2), 2 * np.eye(2)], axis=1))
    layer.output_kernel.assign([[0.0, 1.0], [1.0, 0.0]])
    layer.gate.assign([[[[0.25, 1.0]]]])
    # E = (1, 3): E_SA = 2 (3, 1); 0.25 * 6 + 0.75 * 1 and 1 * 2 + 0 * 3.
    np.testing.assert_allclose(layer(np.array([[[1.0, 3.0]]], "float32"))[0], [[[2.25, 2.0]]])


def test_soft_selection_starts_half_way_with_maps_of_their_own():
    layer = SoftSelection(2)
    layer.build(EMBEDDINGS.shape)
    np.testing.assert_array_equal(layer.gate, 0.5)
    query, key, value = np.split(np.array(layer.query_key_value), 3, axis=1)
    assert not np.array_equal(query, key)
    assert not np.array_equal(key, value)


def test_soft_selection_refuses_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="num_heads=3 does not divide the embeddings' 4"):
        SoftSelection(1, num_heads=3).build(EMBEDDINGS.shape)


def gradients_match_finite_differences(layer, inputs):
    """Compares in float64 along one random direction per weight and input."""
    inputs = {name: tf.Variable(value.astype("float64")) for name, value in inputs.items()}
    call = (lambda: layer(dict(inputs))) if len(inputs) > 1 else (lambda: layer(*inputs.values()))
    outputs = call()
    randomise(layer)
    upstream = np.random.default_rng(2).normal(size=outputs.shape)
    variables = [*inputs.values(), *(weight.value for weight in layer.trainable_weights)]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(call() * upstream)
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        direction = np.random.default_rng(3).normal(size=variable.shape)
        start = variable.numpy()
        ends = []
        for step in (1e-6, -1e-6):
            variable.assign(start + step * direction)
            ends.append(float(tf.reduce_sum(call() * upstream)))
        variable.assign(start)
        actual = float(tf.reduce_sum(gradient * direction))
        assert actual == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-6)


def test_soft_selection_gradients():
    gradients_match_finite_differences(SoftSelection(3, dtype="float64"), {"x": EMBEDDINGS})


def test_mappings_by_hand():
    values = np.array([0.0, 0.5, -2.0], "float32").reshape(1, 3, 1)
    expected = {
        "raw": [0, 0.5, -2],
        "sine": [0, 0.47942554, -0.90929743],
        "cosine": [1, 0.87758256, -0.41614684],
        "square": [0, 0.25, 4],
        "cube": [0, 0.125, -8],
        "tanh": [0, 0.46211716, -0.96402758],
        "logarithm": [0, 0.40546511, -1.09861229],
    }
    layer = ExplicitMapping(tuple(expected))
    actual = np.array(layer(values))[0, :, :, 0]
    np.testing.assert_allclose(actual, list(expected.values()), rtol=1e-6)
    assert set(expected) == set(MAPPINGS)


def test_mappings_keep_experts_apart():
    outputs = RANDOM.normal(size=(3, 5, 2)).astype("float32")
    mapped = ExplicitMapping(("cosine", "raw"))(outputs)
    assert mapped.shape == (3, 2, 5, 2)
    np.testing.assert_allclose(mapped[2, 0], np.cos(outputs[2]), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(mapped[1, 1], outputs[1])
    layer = ExplicitMapping(tuple(MAPPINGS), dtype="float64")
    gradients_match_finite_differences(layer, {"x": outputs})


@pytest.mark.parametrize("mappings", [(), ("raw", "raw"), ("raw", "tan")])
def test_impossible_mappings_are_refused(mappings):
    with pytest.raises(ValueError, match="must be different ones of raw, sine, cosine"):
        ExplicitMapping(mappings)


def test_value_gates_start_apart_and_are_the_same_for_every_input():
    layer = ValueGates(2, 3, 4)
    gates = np.array(layer(RANDOM.normal(size=(7, 5))))
    assert gates.shape == (2, 3, 4)
    assert 0.5 <= gates.min() < gates.max() <= 1.5
    assert len(np.unique(gates)) == 24
    np.testing.assert_array_equal(layer(np.zeros((1, 5))), gates)


def relu(x):
    return np.maximum(x, 0)


def test_heterogeneous_experts():
    layer = HeterogeneousExperts(num_dnn_experts=2, expert_units=(5, 4), num_interaction_layers=2)
    inputs = {
        kind: RANDOM.normal(size=(6, 3, 4)).astype("float32") for kind in ("dnn", "cross", "field")
    }
    layer(inputs)
    randomise(layer)
    outputs = np.array(layer(inputs))
    assert layer.names == ("dnn_0", "dnn_1", "dcn", "dcn_v2", "fint")
    assert outputs.shape == (5, 6, 4)

    x = inputs["dnn"].reshape(6, 12)
    kernels, biases = ([np.array(w) for w in ws] for ws in (layer.dnn.kernels, layer.dnn.biases))
    link = x @ np.array(layer.dnn_link.kernel)
    for e in range(2):
        hidden = relu(x @ kernels[0][:, 5 * e : 5 * e + 5] + biases[0][5 * e : 5 * e + 5])
        hidden = relu(hidden @ kernels[1][e] + biases[1][e])
        np.testing.assert_allclose(
            outputs[e], hidden + link[:, 4 * e : 4 * e + 4], rtol=1e-4, atol=1e-4
        )

    def finished(expert, x, crossed):
        linked = crossed + np.array(expert.link.scale) * x
        return linked @ np.array(expert.map.kernel) + np.array(expert.map.bias)

    x = inputs["cross"].reshape(6, 12)
    crossed = x
    for layer_number in range(2):
        w = np.array(layer.dcn.structure.kernel)[:, layer_number]
        b = np.array(layer.dcn.structure.bias)[layer_number]
        crossed = x * (crossed @ w)[:, None] + b + crossed
    np.testing.assert_allclose(outputs[2], finished(layer.dcn, x, crossed), rtol=1e-3, atol=1e-3)
    crossed = x
    for cross in layer.dcn_v2.structure.crosses:
        crossed = (
            x * (crossed @ np.array(cross.dense.kernel) + np.array(cross.dense.bias)) + crossed
        )
    np.testing.assert_allclose(outputs[3], finished(layer.dcn_v2, x, crossed), rtol=1e-3, atol=1e-3)

    v0 = inputs["field"]
    fint = layer.fint.structure
    kernels = np.split(np.array(fint.kernel), 2, axis=1)
    links = np.split(np.array(fint.links), 2)
    v = v0
    for w, u in zip(kernels, links, strict=True):
        v = v * (np.einsum("ji,bjd->bid", w, v0) + u[:, None])
    np.testing.assert_allclose(
        outputs[4],
        finished(layer.fint, v0.reshape(6, 12), v.reshape(6, 12)),
        rtol=1e-3,
        atol=1e-3,
    )


def test_heterogeneous_experts_gradients():
    layer = HeterogeneousExperts(
        num_dnn_experts=2, expert_units=(3, 2), num_interaction_layers=1, dtype="float64"
    )
    inputs = {kind: RANDOM.normal(size=(4, 2, 3)) for kind in ("dnn", "cross", "field")}
    gradients_match_finite_differences(layer, inputs)


def test_kinds_are_chosen_by_name():
    layer = HeterogeneousExperts(("field", "cross"), expert_units=(3,))
    assert layer.names == ("dcn", "dcn_v2", "fint")
    assert layer({"cross": EMBEDDINGS, "field": EMBEDDINGS}).shape == (3, 6, 3)
    with pytest.raises(ValueError, match="must be some of dnn, cross, field"):
        HeterogeneousExperts(("dnn", "tree"))


@pytest.mark.parametrize(
    "layer",
    [
        SoftSelection(2, 4),
        ExplicitMapping(("raw", "tanh")),
        ValueGates(2, 3, 1),
        HeterogeneousExperts(("cross",), 3, (7, 5), 1),
    ],
)
def test_config_round_trip(layer):
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert again.get_config() == layer.get_config()


def test_fork_gives_copies_whose_gradients_add_up():
    tensor = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        one, two, three = fork(tensor, 3)
        loss = tf.reduce_sum(one + 10 * two + 100 * three)
    np.testing.assert_array_equal(tape.gradient(loss, tensor), [111.0, 111.0])
    np.testing.assert_array_equal(one, tensor)
