"""Cross-stitch networks against an independent computation, unit by unit."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.layers import CrossStitch
from dcrnn_tf.metrics.auc import auc
from tests.dcrnn_tf.models import planted
from tests.dcrnn_tf.models.side_by_side import FEATURES, IDS, networks, sub_networks
from tests.dcrnn_tf.models.test_values import SCHEMA, build, check


def stitched(alpha, outputs):
    """`sum_s alpha_ts h_s`, whether alpha is `(T, T)` or `(T, T, d)`."""
    return [sum(a * h for a, h in zip(row, outputs, strict=True)) for row in np.array(alpha)]


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("units", [(6,), (6, 5), (6, 5, 4)])
def test_logits(units, per_channel):
    model = build("cross_stitch", network_units=units, per_channel=per_channel)

    def mixtures(x0):
        mixed = stitched(model.stitches[0].alpha, networks(model.first, x0))
        for layer, stitch in zip(model.later, model.stitches[1:], strict=True):
            mixed = stitched(stitch.alpha, sub_networks(layer, mixed))
        return mixed

    check(model, IDS, mixtures)


def test_units_by_hand_with_gradients():
    layer = CrossStitch(own_share=0.8)
    inputs = tf.constant([[[1.0, 2.0]], [[10.0, -4.0]]])  # (2, 1, 2)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
        loss = tf.reduce_sum(outputs * tf.constant([[[1.0, 1.0]], [[2.0, 0.0]]]))
    np.testing.assert_allclose(outputs, [[[2.8, 0.8]], [[8.2, -2.8]]], rtol=1e-6)
    by_alpha, by_inputs = tape.gradient(loss, [layer.alpha.value, inputs])
    np.testing.assert_allclose(by_alpha, [[3, 6], [2, 20]], rtol=1e-6)
    np.testing.assert_allclose(by_inputs, [[[1.2, 0.8]], [[1.8, 0.2]]], rtol=1e-6)


@pytest.mark.parametrize("per_channel", [False, True])
def test_units_start_near_the_identity(per_channel):
    layer = CrossStitch(0.9, per_channel)
    layer.build((3, None, 4))
    assert layer.alpha.shape == ((3, 3, 4) if per_channel else (3, 3))
    expected = np.full((3, 3), 0.05) + 0.85 * np.eye(3)
    np.testing.assert_allclose(layer.shares(), expected, rtol=1e-6)
    alone = CrossStitch(0.9, per_channel)
    inputs = tf.ones((1, 2, 4))
    np.testing.assert_array_equal(alone(inputs), inputs)


def test_networks_left_to_themselves_are_apart():
    """With alpha the identity, one task's loss has no gradient by the other's network."""
    model = models.build("cross_stitch", SCHEMA, network_units=(6, 5), own_share=1.0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(FEATURES)["click"])
    by_first, by_later = tape.gradient(
        loss, [model.first.kernels[0].value, model.later[0].kernel.value]
    )
    assert np.abs(by_first[:, :6]).max() > 0
    assert np.abs(by_first[:, 6:]).max() == 0
    assert np.abs(by_later[0]).max() > 0
    assert np.abs(by_later[1]).max() == 0


@pytest.mark.parametrize("per_channel", [False, True])
def test_units_are_explained(per_channel):
    model = build("cross_stitch", network_units=(6, 5), per_channel=per_channel)
    found = model.explain(FEATURES)
    assert list(found) == ["stitch, layer 1", "stitch, layer 2"]
    for (values, rows, columns), stitch in zip(found.values(), model.stitches, strict=True):
        assert rows == columns == ("click", "conversion")
        alpha = np.array(stitch.alpha)
        np.testing.assert_allclose(values, alpha.mean(axis=2) if per_channel else alpha, rtol=1e-5)


def test_every_network_starts_with_weights_of_its_own():
    keras.utils.set_random_seed(0)
    model = models.build("cross_stitch", SCHEMA, network_units=(6, 5))
    one, other = np.split(np.array(model.first.kernels[0]), 2, axis=1)
    assert not np.allclose(one, other)
    assert not np.allclose(*np.array(model.later[0].kernel))


def test_a_network_without_layers_is_refused():
    with pytest.raises(models.ModelError, match=r"network_units=\[\] must not be empty"):
        models.build("cross_stitch", SCHEMA, network_units=[])


def test_config_restores_the_layer():
    layer = CrossStitch(0.7, per_channel=True)
    again = CrossStitch.from_config(layer.get_config())
    inputs = np.random.default_rng(0).normal(size=(3, 2, 4)).astype("float32")
    np.testing.assert_array_equal(again(inputs), layer(inputs))


@pytest.mark.slow
def test_it_learns():
    units = {"network_units": (32, 16), "tower_units": (16,)}
    logits, labels = planted.fit("cross_stitch", **units)
    for task in labels:
        assert auc(labels[task], logits[task]) > 0.8
