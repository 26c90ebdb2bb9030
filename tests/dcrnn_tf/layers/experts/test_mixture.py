"""Compiled mixtures of experts against TensorFlow's operations."""

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.kernels import operations
from dcrnn_tf.layers import GateControl, mixture

pytestmark = pytest.mark.skipif(
    operations.library() is None, reason="python -m dcrnn_tf.kernels found no C++ compiler"
)


def value_and_gradients(compute, sources, upstream):
    with tf.GradientTape() as tape:
        tape.watch(sources)
        value = compute()
    return [value, *tape.gradient(value, sources, upstream)]


def check(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        largest = np.abs(other).max(initial=0)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-6 * largest)


@pytest.mark.parametrize(
    ("batch", "tasks", "experts", "width"),
    [(130, 2, 8, 64), (65, 3, 5, 33), (1, 1, 1, 1), (0, 2, 3, 4), (7, 2, 3, 0)],
)
def test_mixtures_and_gradients_are_those_of_einsum(batch, tasks, experts, width):
    random = np.random.default_rng(batch)
    gates = tf.constant(random.normal(size=(batch, tasks, experts)), tf.float32)
    outputs = tf.constant(random.normal(size=(experts, batch, width)), tf.float32)
    upstream = tf.constant(random.normal(size=(tasks, batch, width)), tf.float32)
    found, expected = (
        value_and_gradients(
            lambda: mixture(gates, outputs, compiled),  # noqa: B023
            [gates, outputs],
            upstream,
        )
        for compiled in (True, False)
    )
    check(found, expected)


def test_a_level_of_gate_control_is_the_same():
    random = np.random.default_rng(0)
    level = GateControl(2, 2, 1, units=(8, 4), shared_gate=True)
    inputs = tf.constant(random.normal(size=(70, 6)), tf.float32)
    upstream = tf.constant(random.normal(size=(3, 70, 4)), tf.float32)
    level(inputs)
    sources = [inputs, *(weight.value for weight in level.weights)]
    found, expected = (
        value_and_gradients(lambda: level(inputs, compiled=compiled), sources, upstream)  # noqa: B023
        for compiled in (True, False)
    )
    check(found, expected)


def test_tensors_that_do_not_fit_are_refused():
    library = operations.library()
    with pytest.raises(tf.errors.InvalidArgumentError, match="gates must be"):
        library.dcrnn_mixture(tf.zeros((2, 1, 3)), tf.zeros((2, 2, 4)))
    with pytest.raises(tf.errors.InvalidArgumentError, match="the gradient must be"):
        library.dcrnn_mixture_gradient(
            tf.zeros((1, 3, 4)), tf.zeros((2, 1, 3)), tf.zeros((3, 2, 4))
        )
