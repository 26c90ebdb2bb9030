"""Target attention and its activation: by hand, and against Keras' own layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.kernels import operations
from dcrnn_tf.layers import ActivatedTower, Dice, ListValues, TargetAttention

RANDOM = np.random.default_rng(0)
DIM = 3
# Three examples with lists of 2, 1 and 3 values of 4 distinct ids, the last value of no weight.
POSITION = np.array([0, 3, 1, 2, 0, 2], np.int32)
EXAMPLE = np.array([0, 0, 1, 2, 2, 2], np.int32)
WEIGHT = np.array([1.0, 2.0, 0.5, 1.0, 3.0, 0.0])
IDS = RANDOM.normal(size=(4, DIM))
TARGET = RANDOM.normal(size=(3, DIM))


def values(embeddings=IDS, dtype="float64"):
    weight = tf.constant(WEIGHT, "float32" if dtype == "mixed_bfloat16" else dtype)
    return ListValues(tf.convert_to_tensor(embeddings), POSITION, EXAMPLE, weight)


def randomised(layer, *shapes):
    layer.build(*shapes)
    random = np.random.default_rng(1)
    for weight in layer.weights:
        value = random.normal(size=weight.shape)
        weight.assign(np.abs(value) if weight.name == "moving_variance" else value)
    return layer


def test_dice_by_hand():
    """Mean 2 and variance 4 make s = 0 and 4 into -1 and 1; alpha is 0.5."""
    layer = Dice(epsilon=0.0)
    layer.build((None, 1))
    layer.alpha.assign([0.5])
    p = 1 / (1 + np.exp(-1.0))
    found = layer(np.array([[0.0], [4.0]], "float32"), training=True)
    np.testing.assert_allclose(found, [[0.0], [4 * p + (1 - p) * 0.5 * 4]], rtol=1e-6)
    # A second batch, of mean 3 and variance 9; the first counts 0.99 times as much.
    layer(np.array([[0.0], [6.0]], "float32"), training=True)
    mean, variance = (np.array([0.99, 1]) @ np.array([[2, 4], [3, 9]]) / 1.99).tolist()
    np.testing.assert_allclose(layer.moving_mean, [mean], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, [variance], rtol=1e-6)
    np.testing.assert_allclose(layer.filled, 1 - 0.99**2, rtol=1e-5)
    # For inference the averages count.
    p = 1 / (1 + np.exp(-(4 - mean) / np.sqrt(variance)))
    found = layer(np.array([[4.0]], "float32"))
    np.testing.assert_allclose(found, [[4 * p + (1 - p) * 0.5 * 4]], rtol=1e-6)


def test_dice_is_made_of_batch_normalisation():
    inputs = tf.constant(RANDOM.normal(2.0, 3.0, size=(6, 4)))
    upstream = RANDOM.normal(size=(6, 4))
    alpha = tf.constant(RANDOM.normal(size=4))
    layer = Dice(dtype="float64")
    layer.build((None, 4))
    layer.alpha.assign(alpha)
    normalise = keras.layers.BatchNormalization(
        momentum=0.99, epsilon=1e-8, center=False, scale=False, dtype="float64"
    )
    results = []
    for activation, source in (
        (lambda s: layer(s, training=True), layer.alpha.value),
        (lambda s: _gated(s, tf.sigmoid(normalise(s, training=True)), alpha), alpha),
    ):
        with tf.GradientTape() as tape:
            tape.watch((inputs, alpha))
            outputs = activation(inputs)
            loss = tf.reduce_sum(outputs * upstream)
        results.append([outputs, *tape.gradient(loss, [inputs, source])])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    # Batch normalisation's hold 0.99 of what they started from, 0 and 1.
    np.testing.assert_allclose(layer.moving_mean, normalise.moving_mean / 0.01, rtol=1e-9)
    variance = (normalise.moving_variance - 0.99) / 0.01
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-9)


def _gated(s, p, alpha):
    return p * s + (1 - p) * alpha * s


def test_dice_measures_the_rows_that_count():
    layers = [randomised(Dice(dtype="float64"), (None, 2)) for _ in range(2)]
    inputs = RANDOM.normal(size=(5, 2))
    counted = np.array([True, False, True, True, False])
    found = layers[0](inputs, counted, training=True)
    expected = layers[1](inputs[counted], training=True)
    np.testing.assert_allclose(np.array(found)[counted], expected, rtol=1e-12)
    for one, other in zip(layers[0].weights, layers[1].weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


compiled = pytest.mark.skipif(
    operations.library() is None, reason="python -m dcrnn_tf.kernels found no C++ compiler"
)


@compiled
@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize(
    ("examples", "longest", "dim"), [(70, 9, 5), (70, 40, 33), (3, 1, 16), (2, 0, 4)]
)
def test_compiled_attention_is_that_of_float64(examples, longest, dim, softmax):
    """Sums and gradients of all weights, those of TensorFlow's operations in float64."""
    random = np.random.default_rng(dim)
    lengths = random.integers(0, longest + 1, examples)  # some examples have no value
    example = np.repeat(np.arange(examples, dtype=np.int32), lengths)
    position = random.integers(0, 12, len(example)).astype(np.int32)
    weight = random.choice([0.0, 0.5, 1.0], len(example))
    ids, target = random.normal(size=(12, dim)), random.normal(size=(examples, dim))
    upstream = random.normal(size=(examples, dim))
    results = []
    for dtype in ("float64", "float32"):
        layer = TargetAttention([7, 3], "sigmoid", softmax, dtype=dtype)
        randomised(layer, (None, dim))
        inputs = [tf.constant(ids, dtype), tf.constant(target, dtype)]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            lists = ListValues(inputs[0], position, example, tf.constant(weight, dtype))
            pooled = layer(lists, inputs[1], training=True, compiled=True)
        weights = [w.value for w in layer.trainable_weights]
        by_pooled = tf.constant(upstream, dtype)
        results.append([pooled, *tape.gradient(pooled, [*inputs, *weights], by_pooled)])
    for found, expected in zip(results[1], results[0], strict=True):
        scale = np.abs(expected).max(initial=1.0)
        np.testing.assert_allclose(found, expected, rtol=0, atol=3e-6 * scale)


@compiled
def test_compiled_attention_adds_gradients_two_by_two():
    layer = randomised(TargetAttention([3], "dice"), (None, DIM))

    @tf.function(autograph=False)
    def gradients(ids, target):
        with tf.GradientTape() as tape:
            tape.watch((ids, target))
            pooled = layer(values(ids, "float32"), target, training=True, compiled=True)
        return tape.gradient(pooled, [ids, target, *(w.value for w in layer.trainable_weights)])

    rows = tf.TensorSpec((None, DIM))
    operators = gradients.get_concrete_function(rows, rows).graph.get_operations()
    assert sum(op.type.startswith("DcrnnList") for op in operators) == 6
    assert all(len(op.inputs) <= 2 for op in operators if op.type.startswith("AddN"))


@compiled
def test_compiled_lists_with_rows_that_are_not_there_are_refused():
    ids, target = tf.ones((4, 2)), tf.ones((3, 2))
    layer = randomised(TargetAttention([3], "relu"), (None, 2))
    for position, example in (([4], [0]), ([-1], [0]), ([0], [3]), ([0, 0], [1, 0])):
        indices = (np.array(index, np.int32) for index in (position, example))
        lists = ListValues(ids, *indices, tf.ones(len(position)))
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"position .* and example"):
            layer(lists, target, training=True, compiled=True)


@compiled
@pytest.mark.parametrize(
    ("rows", "units", "counting"),
    [(200, 33, "all"), (200, 33, "some"), (65, 1, "some"), (7, 16, "none"), (0, 3, "all")],
)
def test_compiled_dice_is_that_of_float64(rows, units, counting):
    """Values, gradients and averages, those of TensorFlow's operations in float64."""
    random = np.random.default_rng(rows)
    inputs = random.normal(1.0, 3.0, size=(rows, units)) * np.linspace(0.01, 30, units)
    counted = {"all": None, "some": random.random(rows) < 0.7, "none": np.zeros(rows, bool)}
    upstream = random.normal(size=(rows, units))
    alpha = random.normal(size=units)
    results = []
    for dtype in ("float64", "float32"):
        layer = Dice(dtype=dtype, epsilon=1e-2)
        layer.build((None, units))
        layer.alpha.assign(alpha)
        s = tf.constant(inputs, dtype)
        with tf.GradientTape() as tape:
            tape.watch(s)
            outputs = layer(s, counted[counting], training=True, compiled=True)
        source = layer.alpha.value
        gradients = tape.gradient(outputs, [s, source], tf.constant(upstream, dtype))
        results.append([outputs, *gradients, layer.moving_mean, layer.moving_variance])
    assert outputs.dtype == tf.float32
    for expected, found in zip(*(map(np.array, result) for result in results), strict=True):
        largest = np.abs(expected).max(initial=0)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * largest)


def test_dice_counts_with_flags_for_each_row():
    if operations.library() is None:
        pytest.skip("python -m dcrnn_tf.kernels found no C++ compiler")
    with pytest.raises(tf.errors.InvalidArgumentError, match="counted must have a flag for each"):
        operations.library().dcrnn_dice(tf.ones((3, 2)), tf.ones(2), [True], epsilon=0.1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="alpha must have a number for each"):
        operations.library().dcrnn_dice(tf.ones((3, 2)), tf.ones(3), [True] * 3, epsilon=0.1)


@pytest.mark.parametrize("softmax", [False, True])
def test_attention_by_hand(softmax):
    """Without hidden layers `a = k1 . e + k2 . t + k3 . (e - t) + k4 . (e * t) + b`."""
    layer = randomised(TargetAttention((), softmax=softmax, dtype="float64"), (None, DIM))
    kernel, bias = layer.get_weights()
    k1, k2, k3, k4 = np.split(kernel[:, 0], 4)
    expected = np.zeros((3, DIM))
    factors = np.zeros(6)
    for n, (position, example) in enumerate(zip(POSITION, EXAMPLE, strict=True)):
        e, t = IDS[position], TARGET[example]
        factors[n] = k1 @ e + k2 @ t + k3 @ (e - t) + k4 @ (e * t) + bias[0]
    if softmax:
        factors = np.exp(factors)
        for example in range(3):
            own = example == EXAMPLE
            factors[own] /= (WEIGHT[own] * factors[own]).sum()
    for n, (position, example) in enumerate(zip(POSITION, EXAMPLE, strict=True)):
        expected[example] += WEIGHT[n] * factors[n] * IDS[position]
    np.testing.assert_allclose(layer(values(), TARGET), expected, rtol=1e-9)


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize("activation", ["dice", "prelu", "sigmoid"])
def test_attention_is_a_perceptron_on_what_is_side_by_side(activation, softmax):
    """Values and gradients of the form as written, one product of all four parts."""
    layer = TargetAttention((4, 2), activation, softmax, dtype="float64")
    randomised(layer, (None, DIM))
    ids, target = tf.constant(IDS), tf.constant(TARGET)
    upstream = RANDOM.normal(size=TARGET.shape)
    weight = tf.constant(WEIGHT)
    states = layer.non_trainable_weights
    start = [w.numpy() for w in states]

    def as_written():
        e, t = tf.gather(ids, POSITION), tf.gather(target, EXAMPLE)
        counted = tf.constant(WEIGHT > 0)
        a = layer.unit(tf.concat([e, t, e - t, e * t], axis=1), counted, training=True)
        if softmax:
            a = tf.exp(a)
            a /= tf.gather(tf.math.segment_sum(weight * a, EXAMPLE), EXAMPLE)
        return tf.math.segment_sum((weight * a)[:, None] * e, EXAMPLE)

    results = []
    for compute in (as_written, lambda: layer(values(ids), target, training=True)):
        for state, value in zip(states, start, strict=True):
            state.assign(value)
        with tf.GradientTape() as tape:
            tape.watch((ids, target))
            outputs = compute()
            loss = tf.reduce_sum(outputs * upstream)
        sources = [ids, target, *(w.value for w in layer.trainable_weights)]
        gradients = map(tf.convert_to_tensor, tape.gradient(loss, sources))
        results.append([outputs, *gradients, *(s.numpy() for s in states)])
    for expected, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_softmax_of_a_list_without_weights_is_zero_and_large_scores_are_finite():
    layer = randomised(TargetAttention((), softmax=True, dtype="float64"), (None, DIM))
    layer.unit.dense[0].kernel.assign(1e4 * layer.unit.dense[0].kernel)
    weight = tf.constant(WEIGHT * (EXAMPLE != 1))
    found = np.array(layer(values()._replace(weight=weight), TARGET))
    np.testing.assert_array_equal(found[1], 0)
    assert np.isfinite(found).all()
    assert np.abs(found[[0, 2]]).min() > 0


def test_low_precision_adds_up_in_full_precision():
    """1,000 values of 1 and of weight 1 add up to 1,000; in bfloat16 they would stop at 256."""
    layer = TargetAttention((), dtype="mixed_bfloat16")
    layer.build((None, 1))
    layer.set_weights([np.zeros((4, 1)), np.ones(1)])
    count = 1000
    zeros = np.zeros(count, np.int32)
    many = ListValues(tf.ones((1, 1), "bfloat16"), zeros, zeros, tf.ones(count))
    found = layer(many, tf.ones((1, 1), "bfloat16"))
    assert found.dtype == "bfloat16"
    np.testing.assert_array_equal(np.array(found, "float32"), [[1000.0]])


@pytest.mark.parametrize(
    "layer",
    [
        Dice(momentum=0.9, epsilon=1e-3),
        ActivatedTower((4,), "prelu"),
        TargetAttention((4, 2), "relu", True),
    ],
)
def test_config_restores_the_layer(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_a_tower_with_relu_is_a_perceptron():
    tower = randomised(ActivatedTower((4, 2), "relu", dtype="float64"), (None, 3))
    inputs = hidden = RANDOM.normal(size=(5, 3))
    weights = tower.get_weights()
    for kernel, bias in zip(weights[:4:2], weights[1:4:2], strict=True):
        hidden = np.maximum(hidden @ kernel + bias, 0)
    expected = hidden @ weights[4] + weights[5]
    np.testing.assert_allclose(tower(inputs), expected[:, 0], rtol=1e-12)


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="dise"):
        ActivatedTower((4,), "dise")
