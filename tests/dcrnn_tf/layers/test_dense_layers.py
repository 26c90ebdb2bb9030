"""Perceptron, tower, experts and gates against NumPy."""

import keras
import numpy as np
import pytest

from dcrnn_tf.layers import MLP, Experts, SoftmaxGates, Tower
from dcrnn_tf.layers.initializers import blockwise

INPUTS = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")


def randomise(layer):
    layer.build(INPUTS.shape)
    random = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(random.normal(size=weight.shape))
    return [np.array(weight) for weight in layer.weights]


def relu(x):
    return np.maximum(x, 0)


def test_mlp():
    layer = MLP((5, 3))
    w0, b0, w1, b1 = randomise(layer)
    expected = relu(relu(INPUTS @ w0 + b0) @ w1 + b1)
    np.testing.assert_allclose(layer(INPUTS), expected, rtol=1e-5, atol=1e-5)
    assert layer.compute_output_shape(INPUTS.shape) == expected.shape


def test_mlp_without_layers_is_the_identity():
    layer = MLP(())
    np.testing.assert_array_equal(layer(INPUTS), INPUTS)
    assert layer.compute_output_shape(INPUTS.shape) == INPUTS.shape


def test_tower_ends_in_a_logit_without_activation():
    layer = Tower((5,))
    w0, b0, w1, b1 = randomise(layer)
    expected = (relu(INPUTS @ w0 + b0) @ w1 + b1)[:, 0]
    assert expected.min() < 0  # a ReLU would show
    np.testing.assert_allclose(layer(INPUTS), expected, rtol=1e-5, atol=1e-5)


def test_experts():
    layer = Experts(3, (5, 4, 2))
    weights = randomise(layer)
    kernels, biases = weights[0::2], weights[1::2]
    actual = np.array(layer(INPUTS))
    assert actual.shape == (3, 4, 2)
    for e in range(3):
        own = slice(5 * e, 5 * e + 5)
        hidden = relu(INPUTS @ kernels[0][:, own] + biases[0][own])
        hidden = relu(hidden @ kernels[1][e] + biases[1][e])
        hidden = relu(hidden @ kernels[2][e] + biases[2][e])
        np.testing.assert_allclose(actual[e], hidden, rtol=1e-5, atol=1e-5)


def test_gates():
    layer = SoftmaxGates(2, 3)
    (kernel,) = randomise(layer)
    scores = np.stack([INPUTS @ kernel[:, :3], INPUTS @ kernel[:, 3:]], axis=1)
    expected = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(layer(INPUTS), expected, rtol=1e-5)


def test_every_expert_starts_with_values_and_fan_of_its_own():
    keras.utils.set_random_seed(0)
    layer = Experts(4, (50, 20))
    layer.build((None, 100))
    first = np.split(np.array(layer.kernels[0]), 4, axis=1)
    second = list(np.array(layer.kernels[1]))
    for blocks, fans in ((first, 100 + 50), (second, 50 + 20)):
        limit = np.sqrt(6 / fans)
        for number, block in enumerate(blocks):
            assert 0.98 * limit < np.abs(block).max() <= limit
            assert not any(np.allclose(block, other) for other in blocks[:number])


@pytest.mark.parametrize(("axis", "shape"), [(0, (3, 4, 5)), (1, (4, 15))])
def test_blockwise_follows_the_global_seed(axis, shape):
    def draw(seed):
        keras.utils.set_random_seed(seed)
        return np.array(blockwise(keras.initializers.GlorotUniform, 3, axis)(shape, "float32"))

    assert draw(1).shape == shape
    np.testing.assert_array_equal(draw(1), draw(1))
    assert not np.allclose(draw(1), draw(2))


@pytest.mark.parametrize(
    "layer", [MLP((5, 3), "tanh"), Tower((5,)), Experts(3, (5, 4)), SoftmaxGates(2, 3)]
)
def test_config_restores_the_layer(layer):
    again = type(layer).from_config(layer.get_config())
    weights = randomise(layer)
    again.build(INPUTS.shape)
    again.set_weights(weights)
    np.testing.assert_array_equal(again(INPUTS), layer(INPUTS))
