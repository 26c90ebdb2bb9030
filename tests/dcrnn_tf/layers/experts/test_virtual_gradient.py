"""Virtual gradients: coefficients, correlations and gradients by hand and by definition."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.layers import ValueGates, VirtualGradient
from dcrnn_tf.layers.experts.virtual_gradient import (
    FORMS,
    FUNCTIONS,
    coefficients,
    correlation,
    label_counts,
    scale_gradient,
    scale_gradient_by_freezing,
)

RANDOM = np.random.default_rng(0)
every_function = pytest.mark.parametrize("function", FUNCTIONS)

# Worked out by hand from the table of Fig. 4, at (x, y).
BY_HAND = {
    "cosine_product": {(0, 0): 2, (1, 1): 2, (1, 0.5): 0, (0.5, 0.5): 1},
    "absolute_product": {(0, 0): 2, (1, 1): 2, (1, 0.5): 0, (0.5, 0.5): 1},
    "square_product": {(0, 0): 2, (1, 1): 2, (1, 0.5): 0, (0.5, 0.5): 0.5},
    "root_product": {(0, 0): 2, (1, 1): 2, (1, 0.5): 0, (0.5, 0.5): 2**0.5},
    "cosine_sum": {(0, 0): 2, (1, 1): 2, (1, 0): 0, (0.25, 0.25): 1},
    "absolute_sum": {(0, 0): 2, (1, 1): 2, (1, 0): 0, (0.25, 0.25): 1},
    "square_sum": {(0, 0): 2, (1, 1): 2, (1, 0): 0, (0.25, 0.25): 0.5},
    "root_sum": {(0, 0): 2, (1, 1): 2, (1, 0): 0, (0.25, 0.25): 2**0.5},
}


@every_function
def test_functions_of_figure_4(function):
    for (x, y), expected in BY_HAND[function].items():
        value = FUNCTIONS[function](tf.constant(x, tf.float64), tf.constant(y, tf.float64))
        assert float(value) == pytest.approx(expected, abs=1e-12)


def test_correlations_are_those_of_numpy():
    labels = (RANDOM.random((3, 200)) < [[0.4], [0.2], [0.7]]).astype("float32")
    labels[1] *= labels[0]
    counts = label_counts(labels)
    np.testing.assert_allclose(correlation(counts, "pearson"), abs(np.corrcoef(labels)), rtol=1e-6)
    norms = np.sqrt((labels**2).sum(axis=1))
    cosine = labels @ labels.T / np.outer(norms, norms)
    np.testing.assert_allclose(correlation(counts, "cosine"), cosine, rtol=1e-6)


def test_opposite_labels_have_correlation_one_and_cosine_zero():
    counts = label_counts(np.array([[1, 0, 1, 0], [0, 1, 0, 1]], "float32"))
    assert correlation(counts, "pearson")[0, 1] == 1
    assert correlation(counts, "cosine")[0, 1] == 0


@pytest.mark.parametrize("measure", ["pearson", "cosine"])
@pytest.mark.parametrize("constant", [0, 1])
def test_a_constant_label_has_correlation_zero_never_nan(measure, constant):
    labels = np.array([[1, 0, 1, 0], [constant] * 4], "float32")
    found = correlation(label_counts(labels), measure)
    assert np.isfinite(found).all()
    if measure == "pearson" or constant == 0:
        assert found[0, 1] == found[1, 0] == 0


def test_rows_without_a_label_are_left_out_pair_by_pair():
    labels = np.array([[1, 0, 1, 0, 1, 0], [1, -1, 0, -1, 1, 0], [0, 1, 1, 0, -1, -1]], "float32")
    found = correlation(label_counts(labels), "pearson").numpy()
    for j, t in ((0, 1), (0, 2), (1, 2)):
        both = (labels[j] >= 0) & (labels[t] >= 0)
        expected = abs(np.corrcoef(labels[j, both], labels[t, both])[0, 1])
        assert found[j, t] == found[t, j] == pytest.approx(expected, abs=1e-12)


@every_function
def test_coefficients_multiply_over_all_other_tasks(function):
    gates = RANDOM.normal(size=(3, 4, 2))
    x = RANDOM.random((3, 3))
    x = (x + x.T) / 2
    actual = coefficients(tf.constant(gates), tf.constant(x), function)
    for t in range(3):
        expected = np.ones((4, 2))
        for j in range(3):
            if j != t:
                y = np.minimum(1, abs(gates[t] - gates[j]))
                expected *= FUNCTIONS[function](tf.constant(x[j, t]), tf.constant(y)).numpy()
        np.testing.assert_allclose(actual[t], expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("compiled", ["eagerly", "as a graph", "by XLA"])
@pytest.mark.parametrize("scale", [scale_gradient, scale_gradient_by_freezing])
def test_forward_is_the_same_bits_and_the_gradient_is_the_factor(dtype, compiled, scale):
    tensor = tf.cast(RANDOM.normal(size=50) * 10.0 ** RANDOM.integers(-6, 6, 50), dtype)
    factor = tf.cast(RANDOM.random(50) * 2, dtype)
    upstream = tf.cast(RANDOM.normal(size=50), dtype)

    def forward_and_gradient(tensor, factor):
        with tf.GradientTape() as tape:
            tape.watch(tensor)
            result = scale(tensor, factor)
        return result, tape.gradient(result, tensor, upstream)

    if compiled != "eagerly":
        forward_and_gradient = tf.function(forward_and_gradient, jit_compile=compiled == "by XLA")
    result, gradient = forward_and_gradient(tensor, factor)
    assert result.numpy().tobytes() == tensor.numpy().tobytes()
    np.testing.assert_array_equal(gradient, upstream * factor)


def layer_gradient(gates, labels, upstream, **settings):
    layer = VirtualGradient(dtype="float64", **settings)
    with tf.GradientTape() as tape:
        tape.watch(gates)
        scaled, factors, correlations = layer(gates, labels)
    return scaled, factors, correlations, tape.gradient(scaled, gates, upstream)


@pytest.mark.parametrize("shape", [(3, 4, 2), (5, 3, 4, 2)])
@every_function
def test_the_layer_scales_by_gamma_of_the_labels(function, shape):
    """The gradient is Eq. 8's: gamma of the batch's labels and of the gates, held fixed."""
    gates = tf.constant(RANDOM.normal(size=shape))
    labels = tf.constant(RANDOM.integers(0, 2, (3, 40)).astype("float64"))
    upstream = tf.constant(RANDOM.normal(size=shape))
    scaled, factors, correlations, gradient = layer_gradient(
        gates, labels, upstream, function=function
    )
    np.testing.assert_array_equal(scaled, gates)
    expected = coefficients(gates, correlation(label_counts(labels), "pearson"), function)
    np.testing.assert_allclose(factors, expected, rtol=1e-12)
    np.testing.assert_allclose(gradient, upstream * expected, rtol=1e-12)
    *_, frozen_form = layer_gradient(
        gates, labels, upstream, function=function, form="stop_gradient"
    )
    np.testing.assert_array_equal(gradient, frozen_form)
    assert correlations.shape == (3, 3)


def test_the_literal_form_has_another_gradient():
    """`1 + G gamma'(G) / gamma(G)` for two tasks, each gate moving both coefficients."""
    gates = tf.constant([[[0.9]], [[0.3]]], tf.float64)
    labels = tf.constant([[1, 0, 1, 1], [1, 0, 0, 1]], tf.float64)
    upstream = tf.ones_like(gates)
    scaled, factors, correlations, gradient = layer_gradient(
        gates, labels, upstream, function="square_sum", form="literal"
    )
    np.testing.assert_allclose(scaled, gates, rtol=1e-15)
    x, y = float(correlations[0, 1]), 0.6
    gamma, slope = 2 * (x + y - 1) ** 2, 4 * (x + y - 1)
    assert factors.numpy().ravel() == pytest.approx([gamma, gamma])
    own = np.array([1 + 0.9 * slope / gamma, 1 - 0.3 * slope / gamma])
    others = np.array([0.3 * slope / gamma, -0.9 * slope / gamma])
    assert gradient.numpy().ravel() == pytest.approx(own + others)
    assert gradient.numpy().ravel() != pytest.approx([gamma, gamma], rel=0.01)


def test_running_correlation_remembers_earlier_batches():
    gates = tf.constant(RANDOM.normal(size=(2, 3, 1)))
    first = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], "float64")
    second = np.array([[1, 0, 0, 0], [0, 0, 0, 0]], "float64")
    alone = VirtualGradient(dtype="float64")
    assert alone(gates, second)[2][0, 1] == 0
    assert alone.weights == []
    running = VirtualGradient(momentum=0.5, dtype="float64")
    running(gates, first)
    found = float(running(gates, second)[2][0, 1])
    labels = np.concatenate([first, second], axis=1)
    weights = np.repeat([0.5, 1.0], 4)
    covariance = np.cov(labels, aweights=weights, ddof=0)
    expected = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    assert found == pytest.approx(expected)
    assert [weight.trainable for weight in running.weights] == [False]


def test_low_precision_gates_get_coefficients_of_full_precision():
    gates = RANDOM.normal(size=(2, 3, 2)).astype("float32")
    labels = RANDOM.integers(0, 2, (2, 64)).astype("float32")
    low = VirtualGradient(dtype="mixed_bfloat16")
    scaled, factors, _ = low(gates, labels)
    np.testing.assert_array_equal(scaled, gates)
    exact = coefficients(gates, correlation(label_counts(labels), "pearson"), "root_sum")
    np.testing.assert_array_equal(factors, exact)
    assert ValueGates(2, 3, 2, dtype="mixed_bfloat16")(gates).dtype == tf.float32


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"function": "sum"}, "virtual_gradient='sum' is not one of cosine_product, "),
        ({"correlation": "rank"}, "correlation='rank' is not one of pearson, cosine"),
        ({"form": "other"}, "virtual_gradient_form='other' is not one of custom_gradient, "),
        ({"momentum": 1.0}, "correlation_momentum=1.0 is not from 0 to below 1"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        VirtualGradient(**settings)


def test_config_round_trip():
    layer = VirtualGradient("cosine_sum", "cosine", 0.9, "stop_gradient")
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert again.get_config() == layer.get_config()
    assert set(FORMS) == {"custom_gradient", "stop_gradient", "literal"}
