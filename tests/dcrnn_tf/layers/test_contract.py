"""What Keras asks of a layer, asked of every public layer."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src import testing

from dcrnn_tf import layers
from dcrnn_tf.dataset.schema import CATEGORICAL, MULTI_CATEGORICAL, NUMERIC, Field

FIELDS = (
    Field("item", CATEGORICAL, vocabulary_size=9),
    Field("tags", MULTI_CATEGORICAL, vocabulary_size=7, max_values=3, weighted=True),
    Field("price", NUMERIC),
    Field("age", CATEGORICAL, vocabulary_size=5, entity="user"),
)
FEATURES = {
    "item": np.array([3, 8, 0, 3, 1], np.int32),
    "tags": np.array([[2, 3], [4, 0], [0, 0], [6, 2], [3, 0]], np.int32),
    "tags_weight": np.array([[1, 0.5], [2, 0], [0, 0], [1, 1], [1, 0]], np.float32),
    "price": np.array([0.5, -1.0, 2.0, 0.0, 1.0], np.float32),
    "age": np.array([4, 1], np.int32),
    "user_row": np.array([1, 0, 1, 1, 0], np.int32),
}


def random(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


LIST_VALUES = layers.ListValues(
    random(4, 2),
    np.array([0, 1, 3, 1, 2], np.int32),
    np.array([0, 0, 0, 1, 4], np.int32),
    np.array([1.0, 1.0, 0.5, 1.0, 1.0], np.float32),
)
KINDS = ("dnn", "cross", "field")

# Layer, arguments of its constructor, inputs of its call, trainable weights, other weights.
# Where an axis has the size 5 it is that of the batch.
CASES = [
    (layers.ActivatedTower, {"units": [3, 2]}, [random(5, 4)], 8, 6),
    (layers.ActivatedTower, {"units": [3], "activation": "prelu"}, [random(5, 4)], 5, 0),
    (layers.AttentionTransfer, {}, [random(5, 4), random(5, 4)], 3, 0),
    (layers.BiInteraction, {}, [random(5, 3, 4)], 0, 0),
    (layers.CompressedInteraction, {"feature_maps": [4, 3]}, [random(5, 3, 4)], 2, 0),
    (
        layers.CompressedInteraction,
        {"feature_maps": [4, 2], "activation": "relu", "split_half": True},
        [random(5, 3, 4)],
        2,
        0,
    ),
    (
        layers.CRNN,
        {"num_tasks": 2, "units": 3, "subsequence_length": 2, "interval": 1},
        [random(5, 4)],
        3,
        0,
    ),
    (
        layers.CRNN,
        {"num_tasks": 2, "units": 3, "subsequence_length": 2, "interval": 1}
        | {"cell": "gru", "bidirectional": True},
        [random(5, 4), random(3, 4)],
        4,
        0,
    ),
    (layers.Cross, {"num_layers": 3}, [random(5, 4)], 2, 0),
    (layers.CrossStitch, {}, [random(2, 5, 4)], 1, 0),
    (layers.CrossStitch, {"per_channel": True}, [random(2, 5, 4)], 1, 0),
    (layers.Dice, {}, [random(5, 4)], 1, 3),
    (layers.Experts, {"num_experts": 3, "units": [4, 2]}, [random(5, 4)], 4, 0),
    (layers.ExplicitMapping, {"mappings": ["raw", "logarithm"]}, [random(3, 5, 4)], 0, 0),
    (layers.FeatureAdaptation, {"sequence_length": 3}, [random(5, 4)], 1, 0),
    (layers.FeatureGates, {"num_gates": 3, "rank": 2}, [random(5, 4)], 2, 0),
    (layers.FieldEmbedding, {"fields": FIELDS, "embedding_dim": 2}, [FEATURES], 3, 0),
    (layers.FieldInteraction, {"num_layers": 2}, [random(5, 3, 4)], 2, 0),
    (layers.GateControl, {"num_tasks": 2, "units": [3]}, [random(5, 4)], 3, 0),
    (
        layers.GateControl,
        {"num_tasks": 2, "units": [3], "shared_gate": True},
        [random(3, 5, 4)],
        8,
        0,
    ),
    (layers.GateUnit, {"hidden_units": 3, "units": 2}, [random(5, 4)], 4, 0),
    (
        layers.HeterogeneousExperts,
        {"num_dnn_experts": 3, "expert_units": [4]},
        [{kind: random(5, 3, 2) for kind in KINDS}],
        20,
        0,
    ),
    (layers.HiddenEnd, {"normalization": "batch"}, [random(5, 4)], 2, 2),
    (layers.HiddenEnd, {"normalization": "layer", "groups": 2}, [random(5, 4)], 2, 0),
    (layers.MatrixCross, {"num_layers": 2}, [random(5, 4)], 4, 0),
    (layers.MatrixCross, {"num_layers": 2, "projection_dim": 2}, [random(5, 4)], 6, 0),
    (layers.MLP, {"units": [3, 2], "activation": "tanh"}, [random(5, 4)], 4, 0),
    (layers.NormalizedExperts, {"units": 2}, [random(3, 5, 4)], 3, 3),
    (layers.MLP, {"units": [3, 2], "normalization": "batch"}, [random(5, 4)], 8, 4),
    (
        layers.Experts,
        {"num_experts": 2, "units": [3, 2], "normalization": "layer"},
        [random(5, 4)],
        8,
        0,
    ),
    (layers.ResidualLink, {}, [random(5, 4), random(5, 4)], 1, 0),
    (layers.ResidualLink, {}, [random(5, 4), random(5, 3)], 1, 0),
    (layers.SkipMixture, {}, [random(3, 2, 5, 4)], 1, 0),
    (layers.SoftSelection, {"num_structures": 3}, [random(5, 3, 4)], 3, 0),
    (layers.SoftmaxGates, {"num_gates": 2, "num_experts": 3}, [random(5, 4)], 1, 0),
    (layers.SubNetworkRouting, {"num_outputs": 2}, [random(3, 5, 4)], 2, 0),
    (layers.SubNetworkRouting, {"num_outputs": 2, "transform": "aver"}, [random(3, 5, 4)], 1, 0),
    (layers.SubNetworks, {"units": 2}, [random(3, 5, 4)], 2, 0),
    (layers.TargetAttention, {"units": [3]}, [LIST_VALUES, random(5, 2)], 5, 3),
    (layers.Tower, {"units": [3, 2]}, [random(5, 4)], 6, 0),
    (
        layers.ValueGates,
        {"num_tasks": 2, "num_experts": 3, "num_mappings": 2},
        [random(5, 4)],
        1,
        0,
    ),
    (
        layers.VirtualGradient,
        {"momentum": 0.5},
        [random(2, 3, 2), np.array([[0, 1, 0, 1], [0, 1, 0, 0]], np.float32)],
        0,
        1,
    ),
]
ONE_TENSOR = [case for case in CASES if len(case[2]) == 1 and isinstance(case[2][0], np.ndarray)]


def over(cases):
    names = ("layer", "arguments", "inputs", "trainable", "others")
    ids = [f"{number}-{layer.__name__}" for number, (layer, *_) in enumerate(cases)]
    return pytest.mark.parametrize(names, cases, ids=ids)


def flat(values):
    return keras.tree.flatten(values)


def tensors(inputs):
    return keras.tree.map_structure(tf.constant, inputs)


def symbols(inputs):
    """What Keras traces a layer on, with batches of any size."""

    def symbol(value):
        return keras.KerasTensor(any_batch(value.shape), value.dtype.name)

    return keras.tree.map_structure(symbol, inputs)


def any_batch(shape):
    return tuple(None if size == 5 else size for size in shape)


def test_every_public_layer_is_among_the_cases():
    public = {getattr(layers, name) for name in layers.__all__}
    public = {one for one in public if isinstance(one, type) and issubclass(one, keras.Layer)}
    assert {layer for layer, *_ in CASES} == public


@over(ONE_TENSOR)
def test_keras_own_test_of_a_layer_of_one_tensor(layer, arguments, inputs, trainable, others):
    testing.TestCase().run_layer_test(
        layer,
        {**arguments, "name": "layer"},
        input_data=tf.constant(inputs[0]),
        expected_num_trainable_weights=trainable,
        expected_num_non_trainable_weights=others,
    )


@over(CASES)
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16", "float64"])
def test_a_symbolic_call_tells_shapes_and_types(
    layer, arguments, inputs, trainable, others, policy
):
    symbolic, eager = layer(**arguments, dtype=policy), layer(**arguments, dtype=policy)
    specs = flat(symbolic(*symbols(inputs)))
    outputs = flat(eager(*tensors(inputs)))
    for spec, output in zip(specs, outputs, strict=True):
        assert (spec.shape, spec.dtype) == (any_batch(output.shape), output.dtype.name)
    for one in (symbolic, eager):
        assert len(one.trainable_weights) == trainable
        assert len(one.non_trainable_weights) == others
        for weight in one.weights:
            assert weight.dtype in (one.variable_dtype, "float64")


@over(CASES)
def test_a_copy_from_a_file_computes_the_same(
    layer, arguments, inputs, trainable, others, tmp_path
):
    keras_inputs = keras.tree.map_structure(
        lambda symbol: keras.Input(symbol.shape[1:], symbol.shape[0], symbol.dtype), symbols(inputs)
    )
    model = keras.Model(keras_inputs, layer(**arguments)(*keras_inputs))
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    draws = layer is layers.SubNetworkRouting  # in training, from a state that no file holds
    for training in (False,) if draws else (False, True):
        expected = flat(model(tensors(inputs), training=training))
        for output, given in zip(
            flat(copy(tensors(inputs), training=training)), expected, strict=True
        ):
            np.testing.assert_array_equal(output, given)


@over(CASES)
def test_the_configuration_holds_the_arguments(layer, arguments, inputs, trainable, others):
    config = layer(**arguments, name="layer", dtype="mixed_bfloat16").get_config()
    assert json.loads(json.dumps(config)) == config
    for name, value in arguments.items():
        expected = [dataclasses.asdict(field) for field in FIELDS] if name == "fields" else value
        assert config[name] == expected
    copy = layer.from_config(config)
    assert copy.get_config() == config
    assert copy.dtype_policy.name == "mixed_bfloat16"
