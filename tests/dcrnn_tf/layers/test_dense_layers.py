"""Perceptron, tower, experts and gates against NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.layers import MLP, Experts, SharedRows, SoftmaxGates, Tower
from dcrnn_tf.layers.initializers import blockwise
from dcrnn_tf.layers.product import product, use_bfloat16_products
from tests.dcrnn_tf.bfloat16 import products_are_cut_off

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


@pytest.fixture
def bfloat16_products():
    use_bfloat16_products(True)
    yield
    use_bfloat16_products(False)


def rounded(array):
    return np.asarray(tf.cast(tf.cast(array, tf.bfloat16), tf.float64))


def test_bfloat16_products_round_operands_and_results_alone(bfloat16_products):
    random = np.random.default_rng(0)
    inputs, kernel, upstream = (
        random.normal(size=shape).astype(np.float32) for shape in ((5, 40), (40, 7), (5, 7))
    )
    variables = tf.Variable(inputs), tf.Variable(kernel)
    with tf.GradientTape() as tape:
        result = product(tf.convert_to_tensor(variables[0]), tf.convert_to_tensor(variables[1]))
        total = tf.reduce_sum(result * upstream)
    assert result.dtype == tf.float32
    x, k, u = rounded(inputs), rounded(kernel), rounded(upstream)
    found = (result, *tape.gradient(total, variables))
    for one, exact in zip(found, (x @ k, u @ k.T, x.T @ u), strict=True):
        np.testing.assert_array_equal(one, rounded(one))  # a number of bfloat16
        rtol = 2**-7 if products_are_cut_off() else 2**-8
        np.testing.assert_allclose(one, exact, rtol=rtol, atol=1e-6)
    assert (np.asarray(result) != (inputs @ kernel)).any()


def test_bfloat16_products_of_shared_rows(bfloat16_products):
    random = np.random.default_rng(1)
    shared, own, kernel = (
        tf.constant(random.normal(size=shape), tf.float32) for shape in ((2, 3), (4, 5), (8, 6))
    )
    row = tf.constant([1, 0, 0, 1])
    parts = SharedRows(shared, row, own, tf.range(3), tf.range(3, 8))
    expected = product(tf.gather(shared, row), kernel[:3]) + product(own, kernel[3:])
    np.testing.assert_array_equal(product(parts, kernel), expected)


def test_products_of_wider_types_are_left_as_they_are(bfloat16_products):
    random = np.random.default_rng(2)
    inputs, kernel = random.normal(size=(3, 4)), random.normal(size=(4, 2))
    np.testing.assert_allclose(
        product(tf.constant(inputs), tf.constant(kernel)), inputs @ kernel, rtol=1e-14
    )
