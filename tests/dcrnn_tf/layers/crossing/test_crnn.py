"""CRNN against Keras' own recurrent layers on the explicit sequences, with the same weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.layers import CRNN, FeatureAdaptation, subsequences
from dcrnn_tf.layers.crossing.crnn import GATES

BATCH, DIM, UNITS, TASKS, LENGTH = 6, 7, 5, 3, 3
KERAS_CELLS = {
    "simple_rnn": keras.layers.SimpleRNN,
    "gru": keras.layers.GRU,
    "lstm": keras.layers.LSTM,
}


def keras_layer(cell, bidirectional):
    layer = KERAS_CELLS[cell](UNITS, unroll=True)
    return keras.layers.Bidirectional(layer) if bidirectional else layer


def as_keras(crnn, kernel, recurrent_kernel, bias, recurrent_bias=None):
    """CRNN's weights (or gradients) as Keras lays them out: a list of arrays per network."""
    kernels = np.split(np.asarray(kernel), crnn.networks, axis=1)
    biases = np.split(np.asarray(bias), crnn.networks)
    if crnn.cell == "gru":
        pairs = zip(biases, np.asarray(recurrent_bias)[:, 0], strict=True)
        biases = [np.stack(pair) for pair in pairs]
    return [
        list(arrays) for arrays in zip(kernels, np.asarray(recurrent_kernel), biases, strict=True)
    ]


def weights_of(crnn):
    variables = [crnn.kernel, crnn.recurrent_kernel, crnn.bias, crnn.recurrent_bias]
    return [variable.value for variable in variables if variable is not None]


def randomise(variables, seed):
    random = np.random.default_rng(seed)
    for variable in variables:
        variable.assign(random.normal(scale=0.5, size=variable.shape))


def relative_error(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    return np.max(np.abs(actual - expected)) / np.max(np.abs(expected))


def check_against_keras(cell, bidirectional, ada, interval, jit_compile):
    crnn = CRNN(TASKS, UNITS, LENGTH, interval, cell, bidirectional, jit_compile)
    crnn.build((None, DIM))
    adaptation = FeatureAdaptation(crnn.sequence_length)
    adaptation.build((None, DIM))
    randomise([*crnn.weights, *adaptation.weights] if ada else crnn.weights, seed=1)
    random = np.random.default_rng(2)
    x0 = tf.Variable(random.normal(size=(BATCH, DIM)).astype("float32"))
    directions = 2 if bidirectional else 1
    upstream = random.normal(size=(TASKS, BATCH, directions * UNITS)).astype("float32")

    networks = as_keras(crnn, *weights_of(crnn))
    references = [keras_layer(cell, bidirectional) for _ in range(TASKS)]
    for task, reference in enumerate(references):
        reference.build((None, LENGTH, DIM))
        own = networks[task * directions : (task + 1) * directions]
        reference.set_weights([array for network in own for array in network])
    with tf.GradientTape() as tape:
        parts = subsequences(adaptation(x0), TASKS, LENGTH, interval)
        expected = tf.stack([layer(part) for layer, part in zip(references, parts, strict=True)])
        loss = tf.reduce_sum(expected * upstream)
    reference_weights = [w.value for layer in references for w in layer.weights]
    sources = [x0, adaptation.vectors.value, reference_weights]
    expected_x0, expected_ada, expected_weights = tape.gradient(loss, sources)

    with tf.GradientTape() as tape:
        actual = crnn(x0, adaptation=adaptation.vectors if ada else None)
        loss = tf.reduce_sum(actual * upstream)
    sources = [x0, adaptation.vectors.value, weights_of(crnn)]
    actual_x0, actual_ada, actual_weights = tape.gradient(loss, sources)

    assert relative_error(actual, expected) < 1e-5
    assert relative_error(actual_x0, expected_x0) < 1e-5
    if ada:
        assert relative_error(actual_ada, expected_ada) < 1e-5
    actual_weights = [array for own in as_keras(crnn, *actual_weights) for array in own]
    for one, other in zip(actual_weights, expected_weights, strict=True):
        assert relative_error(one, other) < 1e-5


@pytest.mark.parametrize("interval", [0, 1, LENGTH])
@pytest.mark.parametrize("ada", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", list(GATES))
def test_outputs_and_all_gradients_are_those_of_keras(cell, bidirectional, ada, interval):
    check_against_keras(cell, bidirectional, ada, interval, jit_compile=False)


@pytest.mark.parametrize("cell", list(GATES))
def test_compiled_recurrence_is_the_same(cell):
    check_against_keras(cell, bidirectional=True, ada=True, interval=1, jit_compile=True)


@pytest.mark.parametrize("cell", list(GATES))
def test_starts_as_keras_does(cell):
    """Glorot and orthogonal blocks with the fan of one network, zero biases, forget gates at 1."""
    keras.utils.set_random_seed(0)
    crnn = CRNN(2, 40, 3, 1, cell, bidirectional=True)
    crnn.build((None, 100))
    reference = KERAS_CELLS[cell](40)
    reference.build((None, 3, 100))
    networks = as_keras(crnn, *weights_of(crnn))
    limit = np.sqrt(6 / (100 + 40 * GATES[cell]))
    for number, (kernel, recurrent_kernel, bias) in enumerate(networks):
        assert 0.98 * limit < np.abs(kernel).max() <= limit
        np.testing.assert_allclose(recurrent_kernel @ recurrent_kernel.T, np.eye(40), atol=1e-5)
        np.testing.assert_array_equal(bias, reference.get_weights()[2])
        for other_kernel, other_recurrent_kernel, _ in networks[:number]:
            assert not np.allclose(kernel, other_kernel)
            assert not np.allclose(recurrent_kernel, other_recurrent_kernel)


def test_config_restores_the_layer():
    crnn = CRNN(2, 4, 3, 2, "gru", bidirectional=True, jit_compile=True)
    again = CRNN.from_config(crnn.get_config())
    assert again.get_config() == crnn.get_config()
    x0 = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
    expected = crnn(x0)
    again.build((None, 5))
    again.set_weights(crnn.get_weights())
    np.testing.assert_array_equal(again(x0), expected)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "rnn"}, "cell='rnn' is not one of simple_rnn, gru, lstm"),
        ({"units": 0}, "units=0 must be at least 1"),
        ({"interval": 4}, "interval=4 must lie between 0 and subsequence_length=3"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    possible = {"num_tasks": 2, "units": 4, "subsequence_length": 3, "interval": 1}
    with pytest.raises(ValueError, match=message):
        CRNN(**possible | settings)


def test_adaptation_of_another_length_is_refused():
    with pytest.raises(ValueError, match="has 3 rows, expected one for each of the 4 steps"):
        CRNN(2, 4, 3, 1)(tf.zeros((2, 5)), adaptation=tf.zeros((3, 5)))
