"""Fields that share the embedding rows of another one: values, gradients and steps of training."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models, optimizers
from dcrnn_tf.dataset.schema import CATEGORICAL, MULTI_CATEGORICAL, Field, Schema, Task
from dcrnn_tf.kernels import operations
from dcrnn_tf.layers import FieldEmbedding

DIM = 3
FIELDS = (
    Field("other", CATEGORICAL, 4),
    Field("history", MULTI_CATEGORICAL, 5, 3, entity="user", shares="item"),
    Field("item", CATEGORICAL, 5),
)
FEATURES = {
    "other": tf.constant([1, 2, 1]),
    "item": tf.constant([3, 2, 0]),
    "history": tf.constant([[3, 2, 3], [0, 0, 0]]),
    "user_row": tf.constant([0, 1, 0]),
}


@pytest.fixture(params=["tensorflow", "compiled"])
def compiled(request):
    if request.param == "compiled" and operations.library() is None:
        pytest.skip("the operations in C++ have not been compiled")
    return request.param == "compiled"


def test_a_shared_row_is_read_by_both_and_gets_the_gradients_of_both(compiled):
    layer = FieldEmbedding(FIELDS, DIM)
    layer.build()
    assert layer.table.shape == (9, DIM)
    assert layer.offsets == {"other": 0, "history": 4, "item": 4}
    table = np.array(layer.table)
    upstream = np.random.default_rng(1).normal(size=(3, 3, DIM)).astype("float32")
    with tf.GradientTape() as tape:
        embedded = layer(FEATURES, training=compiled)
        loss = tf.reduce_sum(embedded * upstream)
    history = (2 * table[7] + table[6]) / 3
    expected = np.stack([table[[1, 2, 1]], [history, table[4], history], table[[7, 6, 4]]], axis=1)
    np.testing.assert_allclose(embedded, expected, rtol=1e-6, atol=1e-6)
    both = upstream[0, 1] + upstream[2, 1]  # of the first user's history, in two examples
    gradient = np.zeros((9, DIM))
    gradient[1], gradient[2] = upstream[0, 0] + upstream[2, 0], upstream[1, 0]
    gradient[7] = upstream[0, 2] + both * 2 / 3
    gradient[6] = upstream[1, 2] + both / 3
    gradient[4] = upstream[2, 2] + upstream[1, 1]
    slices = tape.gradient(loss, layer.table.value)
    np.testing.assert_allclose(tf.convert_to_tensor(slices), gradient, rtol=1e-5, atol=1e-6)
    assert set(slices.indices.numpy()) <= set(layer.rows(FEATURES).numpy())


def test_fields_share_rows_without_the_one_that_they_are_called_after():
    fields = (Field("a", CATEGORICAL, 5, shares="item"), Field("b", CATEGORICAL, 5, shares="item"))
    layer = FieldEmbedding(fields, DIM)
    assert layer.total_rows == 5
    embedded = layer({"a": tf.constant([3, 1]), "b": tf.constant([1, 3])})
    np.testing.assert_array_equal(embedded[0], embedded[1][::-1])


@pytest.mark.parametrize("kind", [optimizers.LazyAdam, optimizers.DeferredAdam])
def test_steps_are_those_of_dense_adam_where_every_row_is_read(kind, compiled):
    random = np.random.default_rng(2)
    tables = []
    for optimizer in (kind(0.05), keras.optimizers.Adam(0.05)):
        random = np.random.default_rng(2)
        layer = FieldEmbedding(FIELDS, DIM)
        layer.build()
        layer.table.assign(random.normal(size=(9, DIM)))
        optimizer.build([layer.table])
        for _ in range(6):
            upstream = tf.constant(random.normal(size=(9, 3, DIM)), tf.float32)
            features = {
                "other": tf.range(9) % 4,
                "item": tf.range(9) % 5,
                "history": tf.constant(random.integers(0, 5, (2, 3)), tf.int32),
                "user_row": tf.range(9) % 2,
            }
            if hasattr(optimizer, "catch_up"):
                optimizer.catch_up(layer.table, layer.rows(features))
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.square(layer(features, training=compiled) - upstream))
            gradient = tape.gradient(loss, layer.table.value)
            if isinstance(optimizer, keras.optimizers.Adam):
                gradient = tf.convert_to_tensor(gradient)
            optimizer.apply([gradient], [layer.table])
        tables.append(np.array(layer.table))
    np.testing.assert_allclose(tables[0], tables[1], rtol=1e-4, atol=1e-5)


def test_din_compares_an_item_with_the_same_item_in_the_history():
    history = Field("history", MULTI_CATEGORICAL, 5, 3, attended_by="item", shares="item")
    schema = Schema("shop", (Field("item", vocabulary_size=5), history), (Task("click"),), {})
    model = models.build("din", schema, hidden_units=[4])
    features = {"item": tf.constant([3]), "history": tf.constant([[3, 2, 0]])}
    item = model.embedding(features, fields=["item"])[0, 0]
    values = model.embedding.list_values("history", features)
    seen = tf.gather(values.embeddings, values.position)
    np.testing.assert_array_equal(seen[0], item)
    assert model.parameter_counts()["embedding"] == 5 * model.embedding_dim
