"""The compiled steps of recurrent networks against those of TensorFlow's operations."""

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.kernels import operations
from dcrnn_tf.layers import CRNN
from dcrnn_tf.layers.crossing import compiled_recurrence

pytestmark = pytest.mark.skipif(
    operations.library() is None, reason="python -m dcrnn_tf.kernels found no C++ compiler"
)
DIM = 7


def states_and_gradients(crnn, x0, adaptation, upstream, compiled):
    """The last states, and their gradients by the inputs, the adaptation and all weights."""
    sources = [x0, *([] if adaptation is None else [adaptation])]
    weights = [weight.value for weight in crnn.weights]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        states = crnn(x0, adaptation=adaptation, compiled=compiled)
    gradients = tape.gradient(states, [*sources, *weights], upstream)
    return [states, *(g if g is None else tf.convert_to_tensor(g) for g in gradients)]


@pytest.mark.parametrize(
    ("cell", "batch", "units", "length", "ada", "scale"),
    [
        ("lstm", 130, 33, 3, True, 1.0),  # three blocks of examples, odd vectors
        ("gru", 130, 33, 3, True, 1.0),
        ("lstm", 65, 8, 2, False, 30.0),  # saturated gates
        ("gru", 65, 8, 2, False, 30.0),
        ("lstm", 3, 1, 1, False, 1.0),  # a single step
        ("gru", 3, 1, 1, False, 1.0),
        ("lstm", 0, 5, 3, True, 1.0),  # no example
        ("gru", 0, 5, 3, True, 1.0),
    ],
)
def test_values_and_gradients_are_those_of_tensorflow(cell, batch, units, length, ada, scale):
    random = np.random.default_rng(units)
    crnn = CRNN(2, units, length, int(length > 1), cell, bidirectional=True)
    crnn.build((None, DIM))
    for weight in crnn.weights:
        weight.assign(random.normal(scale=0.5 * scale, size=weight.shape))
    x0 = tf.constant(random.normal(size=(batch, DIM)), tf.float32)
    adaptation = None
    if ada:
        adaptation = tf.constant(random.normal(size=(crnn.sequence_length, DIM)), tf.float32)
    upstream = tf.constant(random.normal(size=(2, batch, 2 * units)), tf.float32)
    found = states_and_gradients(crnn, x0, adaptation, upstream, compiled=True)
    expected = states_and_gradients(crnn, x0, adaptation, upstream, compiled=False)
    for one, other in zip(found, expected, strict=True):
        if other is None:  # no gradient is a gradient of zero
            np.testing.assert_array_equal(one, 0)
            continue
        largest = np.abs(other).max(initial=0)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-6 * largest)


def test_gates_are_those_of_tensorflow_to_the_bit():
    """Of every size, where they saturate, and of what is no number."""
    edges = [0, -0.0, 7.9, 8, 16.6, 17, 87, 89, 104, 104.1, 1e-30, 1e-40, 1e30, np.inf, np.nan]
    sums = np.concatenate([np.linspace(-30, 30, 4001), edges, -np.array(edges)])
    sums = tf.constant(sums, tf.float32)
    nothing = tf.zeros((0, 0, 0))
    *_, kept = operations.library().dcrnn_lstm_step(
        tf.tile(sums[None], (1, 4)), tf.zeros(4 * len(sums)), nothing, [], nothing,
        networks=1, first=True,
    )  # fmt: skip
    entry, forget, candidate, output = tf.split(kept[0, 0], 4)
    for gate in (entry, forget, output):
        np.testing.assert_array_equal(gate, tf.sigmoid(sums))
    np.testing.assert_array_equal(candidate, tf.tanh(sums))


def test_a_step_that_is_not_finite_is_not_hidden():
    kernel = tf.ones((1, 2, 8))
    inputs = tf.constant([[1.0] * 8, [np.nan] * 8])
    states = compiled_recurrence.last_hidden("lstm", inputs, tf.zeros((2, 8)), kernel, None)
    np.testing.assert_array_equal(np.isnan(states), [[[False] * 2, [True] * 2]])


@pytest.mark.parametrize("cell", compiled_recurrence.CELLS)
def test_tensors_that_do_not_fit_are_refused(cell):
    step = getattr(operations.library(), f"dcrnn_{cell}_step")
    width = 12 if cell == "gru" else 16
    nothing = tf.zeros((0, 0, 0))
    with pytest.raises(tf.errors.InvalidArgumentError, match="offset must have the shape"):
        step(tf.zeros((3, width)), tf.zeros(width - 1), nothing, tf.zeros(width), nothing,
             networks=2, first=True)  # fmt: skip
    with pytest.raises(tf.errors.InvalidArgumentError, match="before must have the shape"):
        step(tf.zeros((3, width)), tf.zeros(width), nothing, tf.zeros(width), nothing,
             networks=2, first=False)  # fmt: skip
