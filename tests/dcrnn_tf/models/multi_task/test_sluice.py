"""Sluice networks against an independent computation, subspace by subspace."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.layers import SkipMixture, join_subspaces, overlap, split_subspaces
from dcrnn_tf.metrics.auc import auc
from tests.dcrnn_tf.models import planted
from tests.dcrnn_tf.models.side_by_side import FEATURES, IDS, networks, sub_networks
from tests.dcrnn_tf.models.test_values import SCHEMA, build, check


def mixed(alpha, outputs, subspaces):
    """The tasks' outputs after their subspaces are mixed."""
    parts = [part for output in outputs for part in np.split(output, subspaces, axis=1)]
    new = [sum(a * part for a, part in zip(row, parts, strict=True)) for row in np.array(alpha)]
    return [np.hstack(new[first : first + subspaces]) for first in range(0, len(new), subspaces)]


@pytest.mark.parametrize(("layers", "subspaces"), [(1, 2), (2, 1), (2, 2), (3, 3)])
def test_logits(layers, subspaces):
    model = build(
        "sluice", num_layers=layers, num_subspaces=subspaces, subspace_units=6 // subspaces
    )
    assert model.alphas[0].alpha.shape == (2 * subspaces, 2 * subspaces)

    def mixtures(x0):
        outputs = [mixed(model.alphas[0].alpha, networks(model.first, x0), subspaces)]
        for layer, alpha in zip(model.later, model.alphas[1:], strict=True):
            outputs.append(mixed(alpha.alpha, sub_networks(layer, outputs[-1]), subspaces))
        for task, beta in enumerate(np.array(model.beta.beta)):
            yield sum(b * output[task] for b, output in zip(beta, outputs, strict=True))

    check(model, IDS, mixtures)


def kernels_of(model):
    """Of each layer and task, `(inputs, units)`."""
    first = np.split(np.array(model.first.kernels[0]), 2, axis=1)
    return [*first, *(kernel for layer in model.later for kernel in np.array(layer.kernel))]


def test_penalty_and_its_gradient():
    model = build("sluice", num_subspaces=3, subspace_units=2, orthogonality_penalty=0.2)
    kernel = model.later[0].kernel
    with tf.GradientTape() as tape:
        model(FEATURES, training=True)
        (loss,) = model.losses
    gradient = tape.gradient(loss, kernel.value)
    total = 0.0
    for own in kernels_of(model):
        for one, other in itertools.combinations(np.split(own, 3, axis=1), 2):
            total += np.linalg.norm(one.T @ other) ** 2
    assert float(loss) == pytest.approx(0.2 * total, rel=1e-5)
    assert float(model.statistics["subspace_overlap"]) == pytest.approx(total, rel=1e-5)
    for own, found in zip(np.array(kernel), gradient, strict=True):
        parts = np.split(own, 3, axis=1)
        # d/dG_s ||G_s^T G_r||^2 = 2 G_r G_r^T G_s.
        expected = [0.2 * sum(2 * r @ r.T @ s for r in parts if r is not s) for s in parts]
        np.testing.assert_allclose(found, np.hstack(expected), rtol=1e-4, atol=1e-5)


def test_there_is_no_penalty_outside_training_nor_of_factor_0():
    model = models.build("sluice", SCHEMA)
    model(FEATURES)
    assert model.losses == []
    free = models.build("sluice", SCHEMA, orthogonality_penalty=0.0)
    free(FEATURES, training=True)
    assert free.losses == []


def test_overlap_is_0_for_orthogonal_subspaces_and_for_one():
    kernels = tf.eye(4)[None] * 3.0
    assert float(overlap(kernels, 2)) == 0
    assert float(overlap(tf.ones((2, 5, 4)), 1)) == 0
    # Columns of fives ones: four pairs across, products of 5, twice.
    assert float(overlap(tf.ones((2, 5, 4)), 2)) == 2 * 4 * 25


def test_subspaces_are_split_task_by_task():
    outputs = tf.reshape(tf.range(2 * 3 * 4), (2, 3, 4))
    parts = split_subspaces(outputs, 2)
    np.testing.assert_array_equal(parts[0], outputs[0, :, :2])
    np.testing.assert_array_equal(parts[1], outputs[0, :, 2:])
    np.testing.assert_array_equal(parts[2], outputs[1, :, :2])
    np.testing.assert_array_equal(join_subspaces(parts, 2), outputs)


def test_mixture_of_layers_by_hand_with_gradients():
    layer = SkipMixture(last_share=0.9)
    inputs = np.random.default_rng(0).normal(size=(3, 2, 4, 5)).astype("float32")
    with tf.GradientTape() as tape:
        outputs = layer(inputs)
        loss = tf.reduce_sum(outputs[1])
    np.testing.assert_allclose(layer.beta, [[0.05, 0.05, 0.9]] * 2, rtol=1e-6)
    expected = 0.05 * inputs[0] + 0.05 * inputs[1] + 0.9 * inputs[2]
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-6)
    gradient = tape.gradient(loss, layer.beta.value)
    by_layer = inputs[:, 1].sum(axis=(1, 2))
    np.testing.assert_allclose(gradient, [np.zeros(3), by_layer], rtol=1e-4, atol=1e-5)
    again = SkipMixture.from_config(layer.get_config())
    np.testing.assert_array_equal(again(inputs), outputs)
    alone = SkipMixture()
    np.testing.assert_array_equal(alone(inputs[:1]), inputs[0])


def test_matrices_are_explained():
    model = build("sluice", num_layers=3, num_subspaces=2, subspace_units=3)
    found = model.explain(FEATURES)
    values, rows, columns = found.pop("beta")
    assert (rows, columns) == (("click", "conversion"), ("layer_1", "layer_2", "layer_3"))
    np.testing.assert_array_equal(values, model.beta.beta)
    assert list(found) == ["alpha, layer 1", "alpha, layer 2", "alpha, layer 3"]
    for (values, rows, columns), alpha in zip(found.values(), model.alphas, strict=True):
        assert rows == columns == ("click_0", "click_1", "conversion_0", "conversion_1")
        np.testing.assert_array_equal(values, alpha.alpha)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"subspace_units": 0}, "subspace_units=0 must be a whole number from 1"),
        ({"orthogonality_penalty": -1}, "orthogonality_penalty=-1 must not be negative"),
        ({"num_layers": 0}, "num_layers=0 must be a whole number from 1"),
    ],
)
def test_impossible_settings_are_refused(settings, sentence):
    with pytest.raises(models.ModelError, match=f"model sluice: {sentence}"):
        models.build("sluice", SCHEMA, **settings)


@pytest.mark.slow
def test_it_learns():
    logits, labels = planted.fit("sluice", subspace_units=12, tower_units=(16,))
    for task in labels:
        assert auc(labels[task], logits[task]) > 0.8
