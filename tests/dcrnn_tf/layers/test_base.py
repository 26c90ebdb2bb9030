"""The configuration of a layer or model: what its constructor was called with."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.dataset.schema import Field
from dcrnn_tf.layers.base import Layer
from dcrnn_tf.models import MMoE, MultiTaskModel


@keras.saving.register_keras_serializable(package="test_base")
class Around(Layer):
    """A layer of an activation, an initializer, another layer, sequences and a mapping."""

    def __init__(self, inner, activation="relu", start="ones", units=(3, 2), named=None, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner
        self.activation = keras.activations.get(activation)
        self.start = keras.initializers.get(start)

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(), initializer=self.start)
        self.inner.build(input_shape)

    def call(self, inputs):
        return self.activation(self.inner(inputs) * self.scale)


@keras.saving.register_keras_serializable(package="test_base")
class Wider(Around):
    """A layer whose arguments reach its base by `**kwargs`."""

    def __init__(self, *, factor: float = 2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor


@keras.saving.register_keras_serializable(package="test_base")
class Sum(MultiTaskModel):
    """A model with a setting, and no `get_config`."""

    def __init__(self, fields, tasks, factor=2.0, **kwargs):
        super().__init__(fields, tasks, **kwargs)
        self.factor = factor

    def logits(self, embeddings, training, labels=None):
        return [self.factor * tf.reduce_sum(embeddings, axis=(1, 2)) for _ in self.tasks]


def round_trip(one):
    """A copy by way of JSON, as in a file."""
    return keras.saving.deserialize_keras_object(
        json.loads(json.dumps(keras.saving.serialize_keras_object(one)))
    )


def test_activations_initializers_and_layers_come_back_as_such():
    start = keras.initializers.Constant(3.0)
    one = Around(keras.layers.Dense(2, name="inner"), keras.activations.tanh, start, name="around")
    copy = round_trip(one)
    assert isinstance(copy.inner, keras.layers.Dense)
    assert copy.inner.units == 2
    assert copy.activation is keras.activations.tanh
    assert copy.start(()) == 3
    assert copy.name == "around"
    inputs = np.ones((1, 4), np.float32)
    expected = one(inputs)
    copy(inputs)
    copy.set_weights(one.get_weights())
    np.testing.assert_array_equal(copy(inputs), expected)


def test_defaults_are_in_the_configuration_and_sequences_are_lists():
    config = Around(keras.layers.Dense(2), named={"a": (1, 2)}).get_config()
    assert config["activation"] == "relu"
    assert config["units"] == [3, 2]
    assert config["named"] == {"a": [1, 2]}
    assert {"name", "trainable", "dtype"} < set(config)


def test_arguments_of_a_base_class_are_in_the_configuration():
    one = Wider(inner=keras.layers.Dense(2), units=[7], dtype=keras.DTypePolicy("mixed_bfloat16"))
    config = one.get_config()
    assert (config["factor"], config["units"]) == (2.0, [7])
    copy = round_trip(one)
    assert copy.dtype_policy.name == "mixed_bfloat16"
    assert copy.get_config() == config


def test_a_changed_list_does_not_change_a_layer_made_of_its_copy():
    one = Around(keras.layers.Dense(2), units=[3])
    copy = Around.from_config(one.get_config())
    one.get_config()["units"].append(4)
    assert one.get_config()["units"] == copy.get_config()["units"] == [3]


def test_a_model_without_a_configuration_of_its_own_is_saved_with_its_settings(tmp_path):
    model = Sum([Field("item", vocabulary_size=9)], ["click"], factor=5.0, embedding_dim=3)
    model.build()
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert (copy.factor, copy.embedding_dim, copy.tasks) == (5.0, 3, ("click",))
    features = {"item": tf.constant([1, 2])}
    np.testing.assert_array_equal(copy(features)["click"], model(features)["click"])


def test_the_settings_that_a_registered_model_was_made_with():
    model = MMoE([Field("item", vocabulary_size=9)], ["click"], expert_units=(4, 2), name="mmoe")
    config = model.get_config()
    assert config["expert_units"] == [4, 2]
    assert config["fields"][0]["name"] == "item"
    assert MMoE.from_config(config).get_config() == config


def test_a_missing_argument_is_refused_as_python_does():
    with pytest.raises(TypeError, match="inner"):
        Around()
