"""Interactions of features: by hand, against NumPy one number at a time, gradients, precision."""

import itertools

import keras
import keras_rs
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.layers import (
    BiInteraction,
    CompressedInteraction,
    Cross,
    FieldInteraction,
    MatrixCross,
    ResidualLink,
)
from dcrnn_tf.layers.fork import fork

BATCH, FIELDS, DIM = 4, 3, 5
RANDOM = np.random.default_rng(0)
FLAT = RANDOM.normal(size=(BATCH, 6))
EMBEDDED = RANDOM.normal(size=(BATCH, FIELDS, DIM))
NARROW = RANDOM.normal(size=(BATCH, 2))
# Layers, with what they are called on.
CASES = [
    (Cross, {"num_layers": 1}, (FLAT,)),
    (Cross, {"num_layers": 3}, (FLAT,)),
    (MatrixCross, {"num_layers": 3}, (FLAT,)),
    (MatrixCross, {"num_layers": 2, "projection_dim": 2}, (FLAT,)),
    (FieldInteraction, {"num_layers": 1}, (EMBEDDED,)),
    (FieldInteraction, {"num_layers": 3}, (EMBEDDED,)),
    (BiInteraction, {}, (EMBEDDED,)),
    (CompressedInteraction, {"feature_maps": (4,)}, (EMBEDDED,)),
    (CompressedInteraction, {"feature_maps": (4, 2, 3)}, (EMBEDDED,)),
    (CompressedInteraction, {"feature_maps": (4, 2, 3), "split_half": True}, (EMBEDDED,)),
    (CompressedInteraction, {"feature_maps": (4, 3), "activation": "tanh"}, (EMBEDDED,)),
    (ResidualLink, {}, (FLAT, FLAT[::-1].copy())),
    (ResidualLink, {}, (FLAT, NARROW)),
]
every_case = pytest.mark.parametrize(("cls", "settings", "inputs"), CASES)


def randomised(cls, settings, inputs, dtype="float64"):
    """The layer, built as a call builds it, and its weights by name."""
    layer = cls(**settings, dtype=dtype)
    layer.build(*(x.shape for x in inputs))
    assert layer.built
    random = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(random.normal(size=weight.shape))
    return layer, {weight.path.split("/", 1)[1]: weight.numpy() for weight in layer.weights}


def cross(w, num_layers):
    x = FLAT
    for i in range(num_layers):
        x = np.array([x0 * (row @ w["kernel"][:, i]) for x0, row in zip(FLAT, x, strict=True)]) + (
            w["bias"][i] + x
        )
    return x


def matrix_cross(w, num_layers, projection_dim=None):
    x = FLAT
    for i in range(num_layers):
        kernel = w[f"cross_{i}/dense/kernel"]
        if projection_dim:
            kernel = w[f"cross_{i}/projection/kernel"] @ kernel
        x = np.einsum("bi,bi->bi", FLAT, x @ kernel + w[f"cross_{i}/dense/bias"]) + x
    return x


def field_interaction(w, num_layers):
    v = EMBEDDED
    for layer in range(num_layers):
        own = slice(layer * FIELDS, (layer + 1) * FIELDS)
        matrix, link = w["kernel"][:, own].T, w["links"][own]
        v = np.stack(
            [
                sum(matrix[i, j] * v[:, i] * EMBEDDED[:, j] for j in range(FIELDS))
                + link[i] * v[:, i]
                for i in range(FIELDS)
            ],
            axis=1,
        )
    return v


def bi_interaction(w):
    pairs = itertools.combinations(range(FIELDS), 2)
    return sum(EMBEDDED[:, i] * EMBEDDED[:, j] for i, j in pairs)


def compressed_interaction(w, feature_maps, split_half=False, activation="linear"):
    """Map by map, with loops over the pairs of incoming maps and fields."""
    maps, sums = [EMBEDDED[:, i] for i in range(FIELDS)], []
    for k, count in enumerate(feature_maps):
        kernel = w[f"kernel_{k}"]
        outgoing = []
        for h in range(count):
            new = np.zeros((BATCH, DIM))
            for i, incoming in enumerate(maps):
                for j in range(FIELDS):
                    new += kernel[i * FIELDS + j, h] * incoming * EMBEDDED[:, j]
            outgoing.append(np.tanh(new) if activation == "tanh" else new)
        maps, pooled = outgoing, outgoing
        if split_half and k < len(feature_maps) - 1:
            maps, pooled = outgoing[: count // 2], outgoing[count // 2 :]
        sums += [one.sum(axis=1) for one in pooled]
    return np.stack(sums, axis=1)


LOOPS = {
    Cross: cross,
    MatrixCross: matrix_cross,
    FieldInteraction: field_interaction,
    BiInteraction: bi_interaction,
    CompressedInteraction: compressed_interaction,
}


@pytest.mark.parametrize(("cls", "settings", "inputs"), [c for c in CASES if c[0] in LOOPS])
def test_values_of_loops(cls, settings, inputs):
    layer, weights = randomised(cls, settings, inputs)
    expected = LOOPS[cls](weights, **settings)
    actual = layer(*inputs)
    assert actual.dtype == tf.float64
    assert layer.compute_output_shape(inputs[0].shape) == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-10)


def test_links_around_a_structure():
    layer, weights = randomised(ResidualLink, {}, (FLAT, FLAT))
    np.testing.assert_allclose(layer(FLAT, 2 * FLAT), (2 + weights["scale"]) * FLAT)
    layer, weights = randomised(ResidualLink, {}, (FLAT, NARROW))
    np.testing.assert_allclose(layer(FLAT, NARROW), NARROW + FLAT @ weights["kernel"])
    layer = ResidualLink()
    np.testing.assert_allclose(layer(FLAT, 3 * FLAT), 4 * FLAT, rtol=1e-5)  # as it starts


def test_cross_by_hand():
    """x_1 = [1, 2] 5 + [1, 0] + [1, 2] = [7, 12]; x_2 = [1, 2] (-5) + [0, 2] + [7, 12]."""
    layer = Cross(2)
    layer.build((None, 2))
    layer.set_weights([np.array([[1.0, 1.0], [2.0, -1.0]]), np.array([[1.0, 0.0], [0.0, 2.0]])])
    np.testing.assert_allclose(layer(np.array([[1.0, 2.0]])), [[2, 4]])


def test_matrix_cross_by_hand():
    """W_0 swaps, b_0 = [1, 0]: x_1 = [1, 2] * [3, 1] + [1, 2] = [4, 4]; W_1 = 0, b_1 = [1, -1]."""
    layer = MatrixCross(2)
    layer.build((None, 2))
    swap, nothing = np.array([[0.0, 1.0], [1.0, 0.0]]), np.zeros((2, 2))
    layer.set_weights([swap, np.array([1.0, 0.0]), nothing, np.array([1.0, -1.0])])
    np.testing.assert_allclose(layer(np.array([[1.0, 2.0]])), [[5, 2]])


def test_field_interaction_by_hand():
    """Fields 2 and 3 of width 1: V_1 = [2 (3 + 1), 3 (2 2 - 1)] = [8, 9]."""
    layer = FieldInteraction(1)
    layer.build((None, 2, 1))
    layer.set_weights([np.array([[0.0, 2.0], [1.0, 0.0]]), np.array([1.0, -1.0])])
    np.testing.assert_allclose(layer(np.array([[[2.0], [3.0]]])), [[[8], [9]]])


def test_bi_interaction_by_hand():
    """1 2 + 1 3 + 2 3 = 11 and -1 + 4 - 4 = -1."""
    inputs = np.array([[[1.0, 1.0], [2.0, -1.0], [3.0, 4.0]]])
    np.testing.assert_allclose(BiInteraction()(inputs), [[11, -1]])


def test_pairs_survive_low_precision():
    """129 * 1 is half of 130^2 - (129^2 + 1), and these squares have no form in bfloat16."""
    found = BiInteraction(dtype="mixed_bfloat16")(np.array([[[129.0], [1.0]]], "float32"))
    assert found.dtype == "bfloat16"
    np.testing.assert_array_equal(np.array(found, "float32"), [[129.0]])


def test_compressed_interaction_by_hand():
    """X^0 = [1, 2], [3, -1]; X^1 = X^0_1 X^0_2 = [3, -2]; X^2 = X^1 (X^0_1 - X^0_2) = [-6, -6]."""
    layer = CompressedInteraction((1, 1))
    layer.build((None, 2, 2))
    layer.set_weights([np.array([[0.0], [1.0], [0.0], [0.0]]), np.array([[1.0], [-1.0]])])
    np.testing.assert_allclose(layer(np.array([[[1.0, 2.0], [3.0, -1.0]]])), [[1, -12]])


def test_compressed_interaction_with_an_activation_by_hand():
    """X^1 = max([3, -2], 0) = [3, 0]; X^2 = max([3, 0] * [-2, 3], 0) = [0, 0]."""
    layer = CompressedInteraction((1, 1), activation="relu")
    layer.build((None, 2, 2))
    layer.set_weights([np.array([[0.0], [1.0], [0.0], [0.0]]), np.array([[1.0], [-1.0]])])
    np.testing.assert_allclose(layer(np.array([[[1.0, 2.0], [3.0, -1.0]]])), [[3, 0]])


def test_compressed_interaction_with_split_maps_by_hand():
    """X^1 = [3, -2], which goes on, and X^0_1 X^0_1 = [1, 4], which goes out; X^2 = [-6, -6]."""
    layer = CompressedInteraction((2, 1), split_half=True)
    layer.build((None, 2, 2))
    first = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    layer.set_weights([first, np.array([[1.0], [-1.0]])])
    np.testing.assert_allclose(layer(np.array([[[1.0, 2.0], [3.0, -1.0]]])), [[5, -12]])


def gradients_of_sum(layer, weights, inputs):
    """Of the sum of all outputs, by the inputs and each weight."""
    layer.build(np.shape(inputs))
    layer.set_weights([np.array(weight, "float32") for weight in weights])
    inputs = tf.Variable(inputs, dtype=tf.float32)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(tf.convert_to_tensor(inputs)))
    return tape.gradient(total, [inputs, *(weight.value for weight in layer.weights)])


def check_all(actual, *expected):
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other)


def test_gradients_of_cross_by_hand():
    """x_1 = [7, 12] as above, w_1 = [1, 0]; the gradient by x_1 is w_1 (1 + 2) + [1, 1] = [4, 1].

    By w_1 it is 3 x_1, by w_0 ([4, 1] . x_0) x_0 = 6 x_0, and by x_0
    [1, 1] (x_1 . w_1) + [4, 1] (x_0 . w_0) + 6 w_0 + [4, 1].
    """
    weights = [[[1, 1], [2, 0]], [[1, 0], [0, 2]]]
    by_kernel, by_bias = [[6, 21], [12, 36]], [[4, 1], [1, 1]]
    check_all(gradients_of_sum(Cross(2), weights, [[1, 2]]), [[37, 25]], by_kernel, by_bias)


def test_gradients_of_matrix_cross_by_hand():
    """Weights as above; x_1 = [4, 4]. By W_1 the gradient is x_1 [1, 2], by x_1 [1, 1].

    By x_0 it is [1, -1] of the second layer and [3, 1] + [1, 1] + [2, 1] of the first.
    """
    weights = [[[0, 1], [1, 0]], [1, 0], [[0, 0], [0, 0]], [1, -1]]
    expected = [[[7, 2]], [[1, 2], [2, 4]], [1, 2], [[4, 8], [4, 8]], [1, 2]]
    check_all(gradients_of_sum(MatrixCross(2), weights, [[1, 2]]), *expected)


def test_low_rank_matrix_cross_by_hand():
    """x . u = 5, inner 5 [1, -1] + [1, 0] = [6, -5], x_1 = [6, -10] + [1, 2]."""
    layer = MatrixCross(1, projection_dim=1)
    weights = [[[1], [2]], [[1, -1]], [1, 0]]
    # By the inner vector the gradient is [1, 2], by x . u therefore 1 - 2 = -1.
    gradients = gradients_of_sum(layer, weights, [[1, 2]])
    check_all(gradients, [[6, -6]], [[-1], [-2]], [[5, 10]], [1, 2])
    np.testing.assert_allclose(layer(np.array([[1.0, 2.0]])), [[7, -8]])


def test_gradients_of_compressed_interaction_by_hand():
    """Weights as above; by X^1 = [3, -2] the gradient is [1, 1] + ([1, 2] - [3, -1]) = [-1, 4].

    By W^1_ij it is [-1, 4] . (X^0_i * X^0_j), by W^2_j X^1 . X^0_j, by the fields
    [-1, 4] * [3, -1] + [3, -2] and [-1, 4] * [1, 2] - [3, -2].
    """
    weights = [[[0], [1], [0], [0]], [[1], [-1]]]
    expected = [[[[0, -6], [-4, 10]]], [[15], [-11], [-11], [-5]], [[-1], [11]]]
    layer = CompressedInteraction((1, 1))
    check_all(gradients_of_sum(layer, weights, [[[1, 2], [3, -1]]]), *expected)


def test_compressed_interaction_of_two_layers_with_tensors():
    """Polynomials of the fields: `p^2_h = sum W^2_(g k) W^1_(i j) (v_i * v_j * v_k)` over all."""
    layer, weights = randomised(CompressedInteraction, {"feature_maps": (4, 2)}, (EMBEDDED,))
    first = weights["kernel_0"].reshape(FIELDS, FIELDS, 4)
    second = weights["kernel_1"].reshape(4, FIELDS, 2)
    two = np.einsum("bid,bjd,ijg->bg", EMBEDDED, EMBEDDED, first)
    three = np.einsum("bid,bjd,bkd,ijg,gkh->bh", EMBEDDED, EMBEDDED, EMBEDDED, first, second)
    np.testing.assert_allclose(layer(EMBEDDED), np.concatenate([two, three], axis=1))


@every_case
def test_gradients_by_finite_differences(cls, settings, inputs):
    layer, _ = randomised(cls, settings, inputs)
    variables = [*map(tf.Variable, inputs), *(weight.value for weight in layer.weights)]
    upstream = RANDOM.normal(size=layer(*inputs).shape)

    def value():
        return tf.reduce_sum(layer(*map(tf.convert_to_tensor, variables[: len(inputs)])) * upstream)

    with tf.GradientTape() as tape:
        gradients = tape.gradient(value(), variables)
    for variable, gradient in zip(variables, gradients, strict=True):
        start = variable.numpy()
        for _ in range(3):
            direction = RANDOM.normal(size=start.shape)
            ends = []
            for step in (1e-6, -1e-6):
                variable.assign(start + step * direction)
                ends.append(float(value()))
            variable.assign(start)
            actual = float(tf.reduce_sum(gradient * direction))
            assert actual == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6, abs=1e-6)


@every_case
def test_config_restores_the_layer(cls, settings, inputs):
    layer, _ = randomised(cls, settings, inputs)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is cls
    assert again.get_config() == layer.get_config()
    again(*inputs)  # creates the weights
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(*inputs), layer(*inputs))


@every_case
def test_low_precision_stays_near_and_compiled_is_the_same(cls, settings, inputs):
    exact, _ = randomised(cls, settings, inputs)
    low, _ = randomised(cls, settings, inputs, "mixed_bfloat16")
    assert {layer.compute_dtype for layer in low._flatten_layers()} == {"bfloat16"}
    assert {weight.dtype for weight in low.weights} <= {"float32"}
    actual, expected = low(*inputs), exact(*inputs)
    assert actual.dtype == tf.bfloat16
    error = np.abs(tf.cast(actual, tf.float64) - expected)
    assert 0 < error.max() < 8 / 256 * np.abs(expected).max()
    compiled = tf.function(exact, jit_compile=True)(*map(tf.constant, inputs))
    np.testing.assert_allclose(compiled, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("cls", "settings", "message"),
    [
        (Cross, {"num_layers": 0}, "num_layers=0 must be at least 1"),
        (MatrixCross, {"num_layers": 0}, "num_layers=0 must be at least 1"),
        (MatrixCross, {"projection_dim": 0}, "projection_dim=0 must be at least 1"),
        (FieldInteraction, {"num_layers": 0}, "num_layers=0 must be at least 1"),
        (CompressedInteraction, {"feature_maps": ()}, r"feature_maps=\(\) must be"),
        (CompressedInteraction, {"feature_maps": (4, 0)}, r"feature_maps=\(4, 0\) must be"),
        (
            CompressedInteraction,
            {"feature_maps": (3, 4), "split_half": True},
            r"feature_maps=\(3, 4\) cannot be split",
        ),
    ],
)
def test_impossible_settings_are_refused(cls, settings, message):
    with pytest.raises(ValueError, match=message):
        cls(**settings)


@every_case
def test_inputs_of_another_rank_are_refused(cls, settings, inputs):
    layer = cls(**settings)
    with pytest.raises(ValueError, match="expected ndim="):
        layer(inputs[0][None], *inputs[1:])


def test_layers_start_from_values_of_their_own():
    keras.utils.set_random_seed(0)
    layer = Cross(2)
    layer.build((None, 50))
    one, other = np.array(layer.kernel).T
    assert not np.isclose(one, other).any()
    assert 0.9 * np.sqrt(6 / 51) < np.abs(layer.kernel).max() <= np.sqrt(6 / 51)
    layer = FieldInteraction(2)
    layer.build((None, 20, 3))
    one, other = np.split(np.array(layer.kernel), 2, axis=1)
    assert not np.isclose(one, other).any()
    assert 0.9 * np.sqrt(6 / 40) < np.abs(layer.kernel).max() <= np.sqrt(6 / 40)
    np.testing.assert_array_equal(layer.links, np.ones(40))
    for projection_dim in (None, 50):  # 50, to compare the two matrices of a layer too
        layer = MatrixCross(2, projection_dim)
        layer.build((None, 50))
        kernels = [np.array(w) for w in layer.weights if w.path.endswith("kernel")]
        assert len(kernels) == (4 if projection_dim else 2)
        for one, other in itertools.combinations(kernels, 2):
            assert not np.isclose(one, other, rtol=1e-6).all(axis=1).any()
    layer = CompressedInteraction((6, 6))
    layer.build((None, 6, 3))
    assert not np.isclose(*map(np.array, layer.kernels)).all(axis=1).any()


def test_weights_of_matrix_cross_have_names_that_do_not_depend_on_the_process():
    paths = []
    for _ in range(2):
        layer = MatrixCross(2, 3, name="crosses")
        layer.build((None, 6))
        paths.append([weight.path for weight in layer.weights])
    assert paths[0] == paths[1]
    assert paths[0][0] == "crosses/cross_0/projection/kernel"
    assert len(set(paths[0])) == len(paths[0]) == 6


def test_matrix_cross_is_that_of_keras_rs():
    layer, _ = randomised(MatrixCross, {"num_layers": 2}, (FLAT,))
    x = FLAT
    weights = layer.get_weights()
    for own in (weights[:2], weights[2:]):
        cross = keras_rs.layers.FeatureCross(dtype="float64")
        cross(FLAT)
        cross.set_weights(own)
        x = cross(FLAT, x)
    np.testing.assert_allclose(layer(FLAT), x)


def test_a_fork_gives_the_tensor_and_adds_gradients():
    x = tf.Variable([1.0, 2.0])
    for count in (1, 2, 4):
        with tf.GradientTape() as tape:
            copies = fork(x + 0, count)
            total = sum((i + 1) * copy for i, copy in enumerate(copies))
        assert len(copies) == count
        for copy in copies:
            np.testing.assert_array_equal(copy, x)
        expected = count * (count + 1) / 2
        np.testing.assert_array_equal(tape.gradient(total, x), [expected, expected])
