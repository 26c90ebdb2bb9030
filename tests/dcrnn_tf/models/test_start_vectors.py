"""Embeddings that start from given vectors, and embeddings that are not trained."""

import numpy as np
import polars as pl
import pytest
import tensorflow as tf

from dcrnn_tf import models, optimizers
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import Field
from dcrnn_tf.layers import FieldEmbedding
from dcrnn_tf.models.base import ModelError
from dcrnn_tf.models.start_vectors import start_from
from tests.shop import prepare_shop

HASHED = {"city_hash": {"kind": "categorical", "hashed": 1000, "column": "city"}}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return PreparedDataset(prepare_shop(tmp_path_factory.mktemp("shop"), **HASHED))


def write(folder, ids, vectors):
    pl.DataFrame({"id": ids, "vector": vectors}).write_parquet(folder / "vectors.parquet")
    return folder / "vectors.parquet"


@pytest.mark.parametrize("settings", [{}, {"table_shards": 2}])
def test_rows_of_known_ids_start_from_their_vectors(dataset, tmp_path, settings):
    model = models.build("mmoe", dataset.schema, embedding_dim=2, **settings)
    model.build()
    names = ["city", "level"]

    def embedded(name):
        size = {f.name: f.vocabulary_size for f in dataset.schema.fields}[name]
        features = {name: tf.range(size)}
        return model.embedding(features, fields=[name]).numpy()[:, 0]

    before = {name: embedded(name) for name in names}
    path = write(tmp_path, ["rome", "nowhere", "oslo"], [[1.0, 2.0], [9.0, 9.0], [3.0, 4.0]])
    ids = dataset.vocabularies()["city"].tolist()
    assert start_from(model, dataset, "city", path) == (2, len(ids))
    expected = before["city"].copy()
    expected[2 + ids.index("rome")] = [1, 2]
    expected[2 + ids.index("oslo")] = [3, 4]
    np.testing.assert_array_equal(embedded("city"), expected)
    np.testing.assert_array_equal(embedded("level"), before["level"])
    path = write(tmp_path, ["5.0"], [[7.0, 8.0]])
    assert start_from(model, dataset, "level", path)[0] == 1
    five = 2 + dataset.vocabularies()["level"].tolist().index("5")
    np.testing.assert_array_equal(embedded("level")[five], [7, 8])


def test_each_task_of_a_single_task_model_and_hashed_ids(dataset, tmp_path):
    model = models.build("fm", dataset.schema, embedding_dim=2)
    path = write(tmp_path, ["rome"], [[1.0, 2.0]])
    start_from(model, dataset, "city_hash", path)
    row = 2 + int(tf.strings.to_hash_bucket_strong("rome", 1000, [0, 0]))
    features = {"city_hash": tf.constant([row])}
    embedded = model.embedding(features, fields=["city_hash"])[0, 0]
    np.testing.assert_array_equal(embedded[:2], [1, 2])
    assert embedded.shape == (3,)  # and the weight of the linear part


@pytest.mark.parametrize(
    ("field", "ids", "vectors", "message"),
    [
        ("town", ["rome"], [[1.0, 2.0]], "the dataset has no field of ids 'town'"),
        ("price", ["rome"], [[1.0, 2.0]], "the dataset has no field of ids 'price'"),
        ("city", ["rome"], [[1.0]], "a vector of 1 numbers, the model has embedding_dim 2"),
        ("city", ["x"], [[1.0, 2.0]], "holds none of the .* ids of field city"),
        ("city", ["rome"], [[1.0, float("nan")]], "missing or not finite"),
        ("city", ["rome"], ["1"], "is no Parquet file with the columns id and vector"),
    ],
)
def test_files_that_cannot_be_used_are_refused(dataset, tmp_path, field, ids, vectors, message):
    model = models.build("mmoe", dataset.schema, embedding_dim=2)
    with pytest.raises(ModelError, match=message):
        start_from(model, dataset, field, write(tmp_path, ids, vectors))


@pytest.mark.parametrize("kind", [optimizers.LazyAdam, optimizers.DeferredAdam])
def test_frozen_embeddings_stay_as_they_are(kind):
    fields = (
        Field("item", vocabulary_size=5),
        Field("city", vocabulary_size=4),
        Field("history", "multi_categorical", 5, 3, shares="item"),
    )
    layer = FieldEmbedding(fields, 3, frozen_fields=["history"])
    layer.build()
    before = layer.table.numpy()
    features = {
        "item": tf.constant([1, 2]),
        "city": tf.constant([1, 2]),
        "history": tf.constant([[1, 3, 0], [0, 0, 0]]),
    }
    optimizer = kind(0.1)
    optimizer.build([layer.table])
    for _ in range(3):
        if hasattr(optimizer, "catch_up"):
            optimizer.catch_up(layer.table, layer.rows(features))
        with tf.GradientTape() as tape:
            values = layer.list_values("history", features)
            loss = tf.reduce_sum(tf.square(layer(features, training=True)))
            loss += tf.reduce_sum(values.embeddings)
        gradient = tape.gradient(loss, layer.table.value)
        assert set(gradient.indices.numpy()) == {6, 7}
        optimizer.apply([gradient], [layer.table])
    after = layer.table.numpy()
    np.testing.assert_array_equal(after[:5], before[:5])
    assert np.abs(after[6:8] - before[6:8]).min() > 0


def test_what_cannot_be_frozen_is_refused():
    fields = (Field("item", vocabulary_size=5), Field("price", "numeric"))
    with pytest.raises(ValueError, match="names 'price', which is no field of ids"):
        FieldEmbedding(fields, 3, frozen_fields=["price"])
