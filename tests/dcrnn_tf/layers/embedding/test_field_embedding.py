import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.dataset.schema import CATEGORICAL, MULTI_CATEGORICAL, NUMERIC, Field
from dcrnn_tf.kernels import operations
from dcrnn_tf.layers import FieldEmbedding

DIM = 3
FIELDS = (
    Field("item", CATEGORICAL, 4),
    Field("age", CATEGORICAL, 5, entity="user"),
    Field("tags", MULTI_CATEGORICAL, 6, 3, weighted=True),
    Field("price", NUMERIC),
    Field("history", MULTI_CATEGORICAL, 7, 4, entity="user"),
)
OFFSETS = {"item": 0, "age": 4, "tags": 9, "history": 15}  # 22 rows in all
FEATURES = {
    "item": np.array([3, 0, 1], np.int32),
    "tags": np.array([[2, 5, 0], [0, 0, 0], [4, 4, 3]], np.int32),
    "tags_weight": np.array([[1.0, 3.0, 0.0], [0, 0, 0], [0.5, 0.5, 1.0]], np.float32),
    "price": np.array([2.0, -1.0, 0.0], np.float32),
    "age": np.array([2, 4], np.int32),
    "history": np.array([[6, 6, 1, 2], [0, 0, 0, 0]], np.int32),
    "user_row": np.array([1, 0, 1], np.int32),
}
# What each of the three examples reads: field, {row of the table: share}.
READ = [
    {"item": {3: 1}, "age": {8: 1}, "tags": {11: 0.25, 14: 0.75}, "history": {15: 1}},
    {"item": {0: 1}, "age": {6: 1}, "tags": {9: 1}, "history": {21: 0.5, 16: 0.25, 17: 0.25}},
    {"item": {1: 1}, "age": {8: 1}, "tags": {13: 0.5, 12: 0.5}, "history": {15: 1}},
]


def built_layer(**kwargs):
    layer = FieldEmbedding(FIELDS, DIM, **kwargs)
    layer.build()
    random = np.random.default_rng(0)
    for weight in layer.weights:
        weight.assign(random.normal(size=weight.shape))
    return layer


def expected_embeddings(table, slope, intercept):
    expected = np.zeros((3, len(FIELDS), DIM))
    for example, reads in enumerate(READ):
        for position, field in enumerate(FIELDS):
            if field.kind == NUMERIC:
                expected[example, position] = FEATURES["price"][example] * slope + intercept
            else:
                shares = reads[field.name]
                expected[example, position] = sum(s * table[row] for row, s in shares.items())
    return expected


def test_every_kind_of_field():
    layer = built_layer()
    assert layer.table.shape == (22, DIM)
    assert layer.offsets == OFFSETS | {"price": 15}
    arrays = np.array(layer.table), layer.numeric_slopes[0], layer.numeric_intercepts[0]
    expected = expected_embeddings(arrays[0], np.array(arrays[1]), np.array(arrays[2]))
    np.testing.assert_allclose(layer(FEATURES), expected, rtol=1e-6, atol=1e-6)


def test_gradients_touch_only_the_rows_that_were_read():
    layer = built_layer()
    upstream = np.random.default_rng(1).normal(size=(3, len(FIELDS), DIM)).astype("float32")
    sources = [layer.table, layer.numeric_slopes, layer.numeric_intercepts]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(FEATURES) * upstream)
    table, slope, intercept = tape.gradient(loss, [source.value for source in sources])

    expected = np.zeros((22, DIM))
    for example, reads in enumerate(READ):
        for position, field in enumerate(FIELDS):
            for row, share in reads.get(field.name, {}).items():
                expected[row] += share * upstream[example, position]
    assert isinstance(table, tf.IndexedSlices)
    assert set(table.indices.numpy()) == {row for r in READ for s in r.values() for row in s}
    np.testing.assert_allclose(tf.convert_to_tensor(table), expected, atol=1e-6)
    np.testing.assert_allclose(slope[0], FEATURES["price"] @ upstream[:, 3], rtol=1e-5)
    np.testing.assert_allclose(intercept[0], upstream[:, 3].sum(axis=0), rtol=1e-5)


def test_entity_rows_are_a_shorter_way_to_write_the_same_batch():
    layer = built_layer()
    copied = {name: value for name, value in FEATURES.items() if name != "user_row"}
    for name in ("age", "history"):
        copied[name] = FEATURES[name][FEATURES["user_row"]]
    np.testing.assert_array_equal(layer(copied), layer(FEATURES))


def test_width_of_the_padding_does_not_matter():
    layer = built_layer()
    padded = FEATURES | {"history": np.pad(FEATURES["history"], ((0, 0), (0, 3)))}
    np.testing.assert_array_equal(layer(padded), layer(FEATURES))


@pytest.mark.parametrize("width", [0, 4])
def test_rows_are_all_that_a_batch_reads(width):
    layer = built_layer()
    features = FEATURES | {
        "history": FEATURES["history"][1:, :width],
        "user_row": np.zeros(3, np.int32),
    }
    features["age"] = FEATURES["age"][:1]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(features))
    read = set(tape.gradient(loss, layer.table.value).indices.numpy())
    assert 15 in read  # the row of a missing history
    assert read <= set(layer.rows(features).numpy()) <= set(range(22))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_static_shapes_give_the_same_values_and_gradients(jit_compile):
    static = built_layer(static_shapes=True)
    upstream = np.random.default_rng(1).normal(size=(3, len(FIELDS), DIM)).astype("float32")
    found = []
    for layer in (built_layer(), static):

        @tf.function(jit_compile=jit_compile and layer is static)
        def compute(features, layer=layer):
            with tf.GradientTape() as tape:
                embedded = layer(features)
                loss = tf.reduce_sum(embedded * upstream)
            gradient = tape.gradient(loss, layer.table.value)
            return embedded, gradient.indices, tf.convert_to_tensor(gradient)

        found.append(compute({name: tf.constant(value) for name, value in FEATURES.items()}))
    (one, one_rows, one_gradient), (other, other_rows, other_gradient) = found
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(one_gradient, other_gradient, atol=1e-6)
    assert set(other_rows.numpy()) == set(one_rows.numpy())  # none is touched in vain


# What `list_values` gives of each list: example, row of the table, weight.
TAGS = [(0, 11, 1.0), (0, 14, 3.0), (1, 9, 1.0), (2, 13, 0.5), (2, 13, 0.5), (2, 12, 1.0)]
HISTORY = [(0, 15, 1), (1, 21, 1), (1, 21, 1), (1, 16, 1), (1, 17, 1), (2, 15, 1)]


@pytest.mark.parametrize("static_shapes", [False, True])
@pytest.mark.parametrize(("name", "expected"), [("tags", TAGS), ("history", HISTORY)])
def test_list_values_one_by_one(name, expected, static_shapes):
    layer = built_layer(static_shapes=static_shapes)
    found = layer.list_values(name, FEATURES)
    table = np.array(layer.table)
    kept = np.array(found.weight) > 0
    assert kept.all() or static_shapes
    example, row, weight = map(np.array, zip(*expected, strict=True))
    np.testing.assert_array_equal(np.array(found.example)[kept], example)
    np.testing.assert_array_equal(np.array(found.weight)[kept], weight)
    embedded = np.array(found.embeddings)[np.array(found.position)]
    np.testing.assert_array_equal(embedded[kept], table[row])
    assert (np.diff(found.example) >= 0).all()
    if not static_shapes:
        assert len(found.embeddings) == len(set(row))  # each id is read once


@pytest.mark.parametrize("static_shapes", [False, True])
def test_list_values_read_no_row_in_vain(static_shapes):
    layer = built_layer(static_shapes=static_shapes)
    with tf.GradientTape() as tape:
        found = layer.list_values("history", FEATURES)
        upstream = np.arange(1.0, 1 + len(found.position), dtype="float32")
        each = tf.gather(found.embeddings, found.position) * found.weight[:, None]
        loss = tf.reduce_sum(each * upstream[:, None])
    gradient = tape.gradient(loss, layer.table.value)
    assert isinstance(gradient, tf.IndexedSlices)
    assert set(gradient.indices.numpy()) == {row for _, row, _ in HISTORY}
    expected = np.zeros((22, DIM))
    values = upstream[np.array(found.weight) > 0]
    for (_, row, _), value in zip(HISTORY, values, strict=True):
        expected[row] += value
    np.testing.assert_allclose(tf.convert_to_tensor(gradient), expected)


def test_list_values_of_lists_that_are_all_empty():
    layer = built_layer()
    found = layer.list_values("history", FEATURES | {"history": np.zeros((2, 0), np.int32)})
    np.testing.assert_array_equal(found.example, [0, 1, 2])
    np.testing.assert_array_equal(found.embeddings, layer.table.numpy()[15:16])
    np.testing.assert_array_equal(found.weight, [1, 1, 1])


def test_some_of_the_fields():
    layer = built_layer()
    whole = np.array(layer(FEATURES))
    np.testing.assert_array_equal(layer(FEATURES, fields=("history", "item")), whole[:, [0, 4]])


def test_lists_that_are_all_empty_need_no_width():
    layer = built_layer()
    wide = FEATURES | {"history": np.zeros((2, 3), np.int32)}
    narrow = FEATURES | {"history": np.zeros((2, 0), np.int32)}
    np.testing.assert_array_equal(layer(narrow), layer(wide))
    np.testing.assert_allclose(layer(narrow)[:, 4], np.tile(layer.table[15], (3, 1)), rtol=1e-6)


def test_weights_that_sum_to_zero_give_zeros():
    weights = FEATURES["tags_weight"].copy()
    weights[0] = 0
    embedded = np.array(built_layer()(FEATURES | {"tags_weight": weights}))
    np.testing.assert_array_equal(embedded[0, 2], 0)
    assert np.isfinite(embedded).all()


def test_low_precision_rounds_the_result_and_never_the_table():
    exact, rounded = built_layer(), built_layer(dtype="mixed_bfloat16")
    assert rounded.table.dtype == "float32"
    embedded = rounded(FEATURES)
    assert embedded.dtype == tf.bfloat16
    np.testing.assert_array_equal(embedded, tf.cast(exact(FEATURES), tf.bfloat16))


def test_config_restores_the_layer():
    layer = built_layer()
    again = FieldEmbedding.from_config(layer.get_config())
    again.build()
    again.set_weights(layer.get_weights())
    assert again.fields == FIELDS
    np.testing.assert_array_equal(again(FEATURES), layer(FEATURES))


def test_starts_uniform_in_the_range_asked_for():
    keras.utils.set_random_seed(4)
    layer = FieldEmbedding([Field("id", CATEGORICAL, 5000)], DIM, initial_range=0.02)
    layer.build()
    table = np.array(layer.table)
    assert -0.02 <= table.min() < -0.0199
    assert 0.0199 < table.max() <= 0.02
    assert abs(table.mean()) < 5 * 0.02 / np.sqrt(3 * table.size)


@pytest.mark.parametrize("field", [FIELDS[0], FIELDS[3], FIELDS[4]])
def test_one_kind_of_field_alone(field):
    layer = FieldEmbedding([field], DIM)
    features = {"item": [1, 2], "price": [0.5, 1.0], "history": [[1, 0], [0, 0]]}
    embedded = layer({field.name: tf.constant(features[field.name])})
    assert embedded.shape == (2, 1, DIM)
    assert (layer.table is None) == (field.kind == NUMERIC)


compiled = pytest.mark.skipif(
    operations.library() is None, reason="python -m dcrnn_tf.kernels found no C++ compiler"
)


def pooled_with_gradient(layer, features, training):
    """Embeddings and the gradient of their weighted sum, whose slices are returned as they are."""
    weights = tf.random.stateless_normal((300, len(layer.fields), layer.embedding_dim), (1, 2))

    @tf.function(autograph=False)
    def embed():
        with tf.GradientTape() as tape:
            embedded = layer(features, training=training)
            total = tf.reduce_sum(embedded * weights)
        return embedded, tape.gradient(total, layer.table.value)

    return embed()


@compiled
@pytest.mark.parametrize("dim", [1, 32, 33])
def test_compiled_pooling_is_that_of_tensorflow_to_the_bit(dim):
    random = np.random.default_rng(dim)
    fields, features = [], {}
    for number, width in enumerate((3, 40, 26)):  # lists of every length from none to 40
        fields.append(Field(f"list_{number}", MULTI_CATEGORICAL, 90, width))
        ids = random.integers(1, 90, (300, width))
        ids[np.arange(width) >= random.integers(0, width + 1, (300, 1))] = 0
        features[f"list_{number}"] = tf.constant(ids, tf.int32)
    layer = FieldEmbedding(fields, dim)
    layer.build()
    (found, slices), (expected, gradient) = (
        pooled_with_gradient(layer, features, training) for training in (True, False)
    )
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(tf.convert_to_tensor(slices), tf.convert_to_tensor(gradient))
    assert len(np.unique(slices.indices)) == len(slices.indices) < 3 * 90 + 1


@compiled
def test_compiled_pooling_refuses_ids_outside_of_the_table():
    layer = FieldEmbedding([Field("list", MULTI_CATEGORICAL, 5, 3)], 2)
    layer.build()
    ids = tf.constant([[1, 2, 0], [4, 5, 0]])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"row 5 is not in \[0, 5\)"):
        layer({"list": ids}, training=True)


@compiled
def test_weighted_lists_are_pooled_with_their_weights_in_training_too():
    layer = built_layer()
    np.testing.assert_array_equal(layer(FEATURES, training=True), layer(FEATURES))


def test_more_rows_than_int32_numbers_are_refused():
    fields = [Field(name, vocabulary_size=2**30) for name in ("user", "item")]
    with pytest.raises(ValueError, match="2,147,483,648 embedding rows together, exp"):
        FieldEmbedding(fields)
