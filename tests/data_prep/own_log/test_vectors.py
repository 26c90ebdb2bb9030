"""Fields of vectors: cells, bad rows, missing ones, and what a model makes of them."""

import pathlib

import numpy as np
import polars as pl
import pytest
import tensorflow as tf

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.lists.vectors import vectors_of
from data_prep.own_log.preparation import prepare
from data_prep.own_log.row_encoder import RowEncoder
from data_prep.own_log.statistics import summary
from dcrnn_tf import models
from dcrnn_tf.dataset.encodings import Vector
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError, Field, load_schema
from dcrnn_tf.layers import FieldEmbedding
from experiments.baselines import inputs

VECTORS = [[1.0, 2.0], [0.5, -0.5], None, []]


def declaration(**changes):
    content = {
        "name": "shop",
        "split": {"by": "file", "train": "train.parquet", "test": "test.parquet"},
        "fields": {
            "taste": {"kind": "vector", "length": 2} | changes,
            "item": {"kind": "categorical", "min_count": 1},
        },
        "tasks": {"click": {}},
    }
    return parse_declaration(content, pathlib.Path("shop.yaml"))


def write(folder, vectors):
    rows = {"taste": vectors, "item": [*"abcd"], "click": [0, 1, 0, 1]}
    for name in ("train", "test"):
        pl.DataFrame(rows).write_parquet(folder / f"{name}.parquet")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    write(folder, VECTORS)
    prepare(declaration(), folder, folder / "prepared")
    return folder / "prepared"


@pytest.mark.parametrize(
    ("cells", "vectors", "unusable"),
    [
        ([[1, 2], [3, None], [1], [], None], [[1, 2], None, None, None, None], [1, 2]),
        (["1;2", "[0.5, 1e3]", "1;x", "1;2;3", "[]", None], [[1, 2], [0.5, 1000]], [2, 3]),
        (
            ["(1, 2)", "{0.5,1e3}", "[ 1.  2.e+0]", "(1, 2, 3)", "(1"],
            [[1, 2], [0.5, 1000], [1, 2]],
            [3, 4],
        ),
        ([[1.0, float("inf")], [1e39, 0], [1e30, 0]], [None, None, [1e30, 0]], [0, 1]),
    ],
)
def test_cells(cells, vectors, unusable):
    found, bad = vectors_of(pl.Series("taste", cells, strict=False), Vector(length=2))
    expected = [vector or [np.nan, np.nan] for vector in vectors]
    expected += [[np.nan, np.nan]] * (len(cells) - len(expected))
    np.testing.assert_array_equal(found, expected)
    assert np.flatnonzero(bad).tolist() == unusable


def test_white_space_stands_between_numbers():
    cells = pl.Series("taste", ["1 2", " -.5\t 1e3 ", "[1 2]", "1  2 3", "1,2", "x 1", None])
    found, bad = vectors_of(cells, Vector(length=2, separator=" "))
    nothing = [np.nan, np.nan]
    expected = [[1, 2], [-0.5, 1000], [1, 2], nothing, nothing, nothing, nothing]
    np.testing.assert_array_equal(found, expected)
    assert np.flatnonzero(bad).tolist() == [3, 4, 5]


def test_vectors_are_prepared_and_read(prepared):
    field = load_schema(prepared).fields[0]
    assert (field.kind, field.length, field.vocabulary_size) == ("vector", 2, 0)
    ((features, _),) = PreparedDataset(prepared).batches("test", 9)
    assert features["taste"].dtype == tf.float32
    items, tastes = (features[name].numpy().tolist() for name in ("item", "taste"))
    rows = dict(zip(items, tastes, strict=True))
    assert rows == {2: [1, 2], 3: [0.5, -0.5], 4: [0, 0], 5: [0, 0]}
    frame = pl.DataFrame({"taste": VECTORS, "item": [*"abcd"]})
    for taste in (frame["taste"], pl.Series(["1;2", "[0.5,-0.5]", None, ""])):
        encoded = RowEncoder(prepared)(frame.with_columns(taste=taste))
        assert encoded["taste"].dtype == np.float32
        assert encoded["taste"].tolist() == [[1, 2], [0.5, -0.5], [0, 0], [0, 0]]
    assert "field taste: vector, 2 numbers, missing in 4 rows" in summary(load_schema(prepared))


def test_what_is_no_vector_is_named(prepared, tmp_path):
    write(tmp_path, [[1.0, 2.0], [1.0], [1.0, float("nan")], None])
    said = r"field taste: column 'taste' holds \[1.0\], expected 2 numbers"
    with pytest.raises(DatasetError, match=f"train.parquet, row 2: {said}"):
        prepare(declaration(), tmp_path, tmp_path / "prepared")
    schema = prepare(declaration(), tmp_path, tmp_path / "prepared", max_bad_rows=9)
    assert schema.filters["bad_rows"] == {"not a vector": 4}
    frame = pl.DataFrame({"taste": [[1.0, 2.0], [1.0]], "item": ["a", "b"]})
    with pytest.raises(DatasetError, match=r"holds \[1.0\] in row 1 .*expected 2 numbers"):
        RowEncoder(prepared)(frame)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length": 0}, "length is 0, expected a whole number from 1 to 65535"),
        ({"scaling": "log"}, "'scaling' is not a key of a vector field"),
    ],
)
def test_keys_are_checked(changes, message):
    with pytest.raises(DatasetError, match=message):
        declaration(**changes)


def test_length_is_needed():
    content = dict(declaration().content)
    content["fields"] = {"taste": {"kind": "vector"}}
    with pytest.raises(DatasetError, match="the key 'length' is missing"):
        parse_declaration(content, pathlib.Path("shop.yaml"))


def test_the_embedding_is_a_product():
    fields = [Field("a", vocabulary_size=4), Field("v", "vector", length=2, entity="user")]
    layer = FieldEmbedding(fields, 3)
    features = {
        "a": tf.constant([1, 2, 3]),
        "v": tf.constant([[1.0, 2.0], [0.0, 0.0]]),
        "user_row": tf.constant([0, 1, 0]),
    }
    with tf.GradientTape() as tape:
        embedded = layer(features)
        loss = tf.reduce_sum(embedded[:, 1, 0])
    kernel, bias = layer.vector_kernels[0].numpy(), layer.vector_biases.numpy()[0]
    expected = [[1, 2] @ kernel + bias, bias, [1, 2] @ kernel + bias]
    np.testing.assert_allclose(embedded[:, 1], expected, rtol=1e-5)
    gradient = tape.gradient(loss, layer.vector_kernels[0].value)
    np.testing.assert_allclose(gradient, [[2, 0, 0], [4, 0, 0]])
    assert len(layer.trainable_weights) == 3


@pytest.mark.parametrize("name", ["mmoe", "fm", "din"])
def test_models_take_vectors(prepared, name):
    dataset = PreparedDataset(prepared)
    model = models.build(name, dataset.schema)
    ((features, _),) = dataset.batches("test", 9)
    before = model(features)["click"].numpy()
    changed = features | {"taste": features["taste"] + 3.0}
    assert before.shape == (4,)
    assert np.abs(model(changed)["click"].numpy() - before).min() > 0


def test_baselines_take_each_number(prepared):
    dataset = PreparedDataset(prepared)
    names = [column.name for column in inputs.columns(dataset.schema.fields)]
    assert names == ["taste/0", "taste/1", "item"]
    ((table, _),) = inputs.batches(dataset, "test")
    assert sorted(table[:, :2].tolist()) == [[0, 0], [0, 0], [0.5, -0.5], [1, 2]]
