"""Dropout and normalisation in perceptrons and experts, beside NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import layers, models
from dcrnn_tf.dataset.schema import Field, Schema, Task

INPUTS = np.random.default_rng(0).normal(size=(32, 5)).astype(np.float32)


def normalized(products, axis):
    mean, variance = products.mean(axis, keepdims=True), products.var(axis, keepdims=True)
    return (products - mean) / np.sqrt(variance + 1e-3)


@pytest.mark.parametrize(("kind", "axis"), [("batch", 0), ("layer", 1)])
def test_a_perceptron_normalises_before_its_activation(kind, axis):
    mlp = layers.MLP([4, 3], normalization=kind)
    found = mlp(tf.constant(INPUTS), training=True).numpy()
    hidden = INPUTS
    for dense in mlp.hidden:
        products = hidden @ dense.kernel.numpy() + dense.bias.numpy()
        hidden = np.maximum(normalized(products, axis), 0)
    np.testing.assert_allclose(found, hidden, rtol=1e-4, atol=1e-5)
    if kind == "batch":  # at inference its averages count, which have hardly moved from 0 and 1
        first = mlp.hidden[0]
        moved = 0.01 * (INPUTS @ first.kernel.numpy()).mean(axis=0)
        np.testing.assert_allclose(
            mlp.ends[0].normalization.moving_mean.numpy(), moved, rtol=1e-4, atol=1e-7
        )


@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_each_expert_is_normalised_by_itself(kind):
    experts = layers.Experts(3, [4, 2], normalization=kind)
    found = experts(tf.constant(INPUTS), training=True).numpy()
    axis = 0 if kind == "batch" else 1
    for e in range(3):
        first = slice(4 * e, 4 * (e + 1))
        products = INPUTS @ experts.kernels[0].numpy()[:, first] + experts.biases[0].numpy()[first]
        hidden = np.maximum(normalized(products, axis), 0)
        products = hidden @ experts.kernels[1].numpy()[e] + experts.biases[1].numpy()[e]
        expected = np.maximum(normalized(products, axis), 0)
        np.testing.assert_allclose(found[e], expected, rtol=1e-3, atol=1e-4)


def test_dropout_drops_its_share_in_training_alone():
    end = layers.HiddenEnd("linear", dropout=0.25)
    ones = tf.ones((100, 100))
    dropped = end(ones, training=True).numpy()
    np.testing.assert_array_equal(np.unique(dropped), np.float32([0.0, 1 / 0.75]))
    assert np.mean(dropped == 0) == pytest.approx(0.25, abs=0.02)
    assert (dropped != end(ones, training=True).numpy()).any()
    np.testing.assert_array_equal(end(ones).numpy(), ones)
    state = end.dropout.seed_generator.state
    assert state.path in {variable.path for variable in end.variables}


def test_by_default_there_is_nothing_new():
    assert layers.MLP([4]).ends == layers.Experts(2, [4]).ends == ()


SCHEMA = Schema(
    "shop",
    (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90)),
    (Task("click"), Task("buy")),
    splits={},
)


def test_a_model_drops_in_training_and_is_the_same_when_loaded(tmp_path):
    keras.utils.set_random_seed(1)
    model = models.build(
        "mmoe", SCHEMA, expert_units=[8], tower_units=[8], dropout=0.5, normalization="layer"
    )
    features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
    still = model(features)["click"].numpy()
    np.testing.assert_array_equal(model(features)["click"].numpy(), still)
    assert (model(features, training=True)["click"].numpy() != still).any()
    assert {end.normalization.name for end in model.experts.ends} == {"layer"}
    assert all(tower.hidden.ends[0].dropout.rate == 0.5 for tower in model.towers)
    again = type(model).from_config(model.get_config())
    assert (again.dropout, again.normalization) == (0.5, "layer")


@pytest.mark.parametrize(
    ("model", "settings", "words"),
    [
        ("mmoe", {"dropout": 1.0}, "model mmoe: dropout=1.0 must be from 0 to below 1"),
        ("mmoe", {"normalization": "group"}, "normalization='group' must be one of none, batch"),
        ("fm", {"dropout": 0.5}, "model fm: dropout=0.5 has no hidden layer to act on; leave it"),
    ],
)
def test_what_cannot_be_is_refused(model, settings, words):
    with pytest.raises(models.ModelError, match=words):
        models.build(model, SCHEMA, **settings)


@pytest.mark.slow
@pytest.mark.parametrize("name", models.names())
def test_every_model_takes_the_options_or_says_that_it_has_no_hidden_layer(name):
    lists = Field("bought", "multi_categorical", 90, 4, vocabulary_of="item")
    schema = Schema("shop", (*SCHEMA.fields, lists), SCHEMA.tasks, splits={})
    options = {"dropout": 0.5, "normalization": "none" if name == "din" else "batch"}
    if name in ("fm", "logistic_regression"):
        with pytest.raises(models.ModelError, match="has no hidden layer to act on"):
            models.build(name, schema, **options)
        return
    model = models.build(name, schema, **options)
    features = {
        "user": tf.constant([3, 4]),
        "item": tf.constant([7, 8]),
        "bought": tf.constant([[1, 2, 0, 0], [5, 0, 0, 0]]),
    }
    still = model(features)["click"].numpy()
    np.testing.assert_array_equal(model(features)["click"].numpy(), still)
    drawn = [model(features, training=True)["click"].numpy() for _ in range(8)]
    assert any((one != drawn[0]).any() for one in drawn)
