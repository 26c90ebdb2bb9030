"""Raw features encoded inside a graph, against what preparation does with the same values."""

import numpy as np
import polars as pl
import pytest
import tensorflow as tf

from data_prep.own_log.learning.scaling import ScalingLearner
from data_prep.own_log.row_encoder import RowEncoder
from dcrnn_tf.dataset.encodings import INTEGER, NUMBER, TEXT, Bins, Ids, Scaling
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import (
    CATEGORICAL,
    MULTI_CATEGORICAL,
    NUMERIC,
    DatasetError,
    Field,
    Schema,
)
from dcrnn_tf.serving.graph_size import graph_bytes
from dcrnn_tf.serving.raw_features import RawFeatures
from tests.shop import FIELDS, prepare_shop, raw_rows

NUMBERS = ("row", "price", "price_log", "price_rank", "price_bins", "level_bins")
IDS = {"item": np.array([7, 2**62, 5]), "tags": np.array([11, 12, 13, 14])}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return prepare_shop(tmp_path_factory.mktemp("shop"))


def features_of(folder):
    dataset = PreparedDataset(folder)
    return RawFeatures(dataset.schema, dataset.vocabularies())


def inputs_of(frame):
    """The shop's rows as a client has them: numbers are numbers, lists are padded."""
    inputs = {}
    for name, declared in FIELDS.items():
        column = frame[declared.get("column", name)]
        if name in NUMBERS:
            numbers = column.cast(pl.Float64, strict=False).fill_null(float("nan"))
            inputs[name] = tf.constant(numbers.to_numpy(), tf.float64)
        elif declared["kind"] == "multi_categorical":
            lists = [text.split(";") for text in column.to_list()]
            width = max(map(len, lists))
            inputs[name] = tf.constant([row + [""] * (width - len(row)) for row in lists])
        else:
            inputs[name] = tf.constant(column.to_list())
    return inputs


def lists_of(features):
    """Ids without padding, which is all that a model sees of a list."""
    return [[row for row in rows if row] for rows in np.asarray(features).tolist()]


def assert_same(found, expected):
    assert set(found) == set(expected)
    for name, column in expected.items():
        if column.ndim == 2:
            assert lists_of(found[name]) == lists_of(column), name
        else:
            assert found[name].dtype == column.dtype, name
            np.testing.assert_array_equal(found[name], column, err_msg=name)


def test_rows_are_encoded_as_preparation_encoded_them(shop):
    frame = raw_rows()
    expected = RowEncoder(shop)(frame)
    assert_same(features_of(shop).encode(inputs_of(frame)), expected)
    for name in ("city", "price_bins", "tags"):
        assert {0, 1, 2} <= set(np.unique(expected[name]))  # missing, rare and known ones


def test_values_that_preparation_never_saw(shop):
    frame = (
        raw_rows()
        .head(6)
        .with_columns(
            city=pl.Series(["\u2009rome\x85", " rome", "-", "\u3000", "\u00a0a\u3000", "\x00"]),
            tags=pl.Series(["z;z;z;a", "-;;a;b;c", "", ";;;;", "a; b ;c;d;e;f", "-"]),
            price=pl.Series(["-3", "0", "1e30", "1e-30", "2.0000001", ""]),
            level=pl.Series(["-1", "0.5", "7", "07", "1e9", ""]),
        )
    )
    assert_same(features_of(shop).encode(inputs_of(frame)), RowEncoder(shop)(frame))


def test_examples_give_what_named_inputs_give(shop):
    raw = features_of(shop)
    frame = raw_rows().head(200)
    inputs = inputs_of(frame)
    serialized = []
    for row in range(frame.height):
        features = {}
        for name, column in inputs.items():
            value = column[row].numpy()
            if name in NUMBERS:
                if np.isnan(value):
                    continue  # left out
                features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
            else:
                texts = tf.train.BytesList(value=np.atleast_1d(value).tolist())
                features[name] = tf.train.Feature(bytes_list=texts)
        example = tf.train.Example(features=tf.train.Features(feature=features))
        serialized.append(example.SerializeToString())
    for name in NUMBERS:  # an Example's numbers have float32's digits
        inputs[name] = tf.cast(tf.cast(inputs[name], tf.float32), tf.float64)
    assert_same(
        raw.encode(raw.parse(tf.constant(serialized))),
        {name: column.numpy() for name, column in raw.encode(inputs).items()},
    )


def whole_numbers(max_values=3, weighted=False, keep="first"):
    lists = Ids(("-1",), INTEGER, max_values=max_values, keep=keep)
    fields = (
        Field("item", CATEGORICAL, 5, encoding=Ids(("-1",), INTEGER)),
        Field("tags", MULTI_CATEGORICAL, 6, max_values=2, weighted=weighted, encoding=lists),
        Field("price", NUMERIC, encoding=Scaling(method="log")),
    )
    return RawFeatures(Schema("log", fields, (), {}), IDS)


def test_whole_numbers_as_ids_by_hand():
    raw = whole_numbers()
    found = raw.encode(
        {
            "item": tf.constant([7, 5, 2**62, 6, -1, -(2**63), 2**63 - 1], tf.int64),
            "tags": tf.constant(
                [
                    [11, 12, 13, 14],  # cut to three
                    [14, -1, 9, 11],  # a missing one takes no place, an unknown one does
                    [-1, 11, -1, -1],
                    [-1, -1, -1, -1],
                    [14, 14, 14, 14],
                    [-(2**63), 2**63 - 1, 0, 11],
                    [11, -1, -1, -1],
                ],
                tf.int64,
            ),
            "price": tf.constant([0, 1, -1, np.nan, np.inf, -np.inf, 1e300], tf.float64),
        }
    )
    assert found["item"].numpy().tolist() == [2, 4, 3, 1, 0, 1, 1]
    assert lists_of(found["tags"]) == [
        [2, 3, 4],
        [5, 1, 2],
        [2],
        [],
        [5, 5, 5],
        [1, 1, 1],
        [2],
    ]
    log = np.log(2)
    np.testing.assert_allclose(found["price"], [0, log, -log, 0, 0, 0, 0], rtol=1e-7)


def test_what_is_left_out_is_missing_and_one_row_counts_for_all():
    raw = whole_numbers()
    item = tf.constant([7, 5, 8], tf.int64)
    found = raw.encode(raw.defaults() | {"item": item})
    assert found["item"].numpy().tolist() == [2, 4, 1]
    assert lists_of(found["tags"]) == [[], [], []]
    assert found["price"].numpy().tolist() == [0, 0, 0]
    found = raw.encode(raw.defaults() | {"item": item, "tags": tf.constant([[12, 13]], tf.int64)})
    assert lists_of(found["tags"]) == [[3, 4]] * 3
    for empty in ({"item": item[:0]}, {"tags": tf.zeros((0, 4), tf.int64), "item": item[:0]}):
        found = raw.encode(raw.defaults() | empty)
        assert {name: len(column) for name, column in found.items()} == dict.fromkeys(found, 0)
    with pytest.raises(tf.errors.InvalidArgumentError):
        raw.encode(raw.defaults() | {"item": item, "price": tf.zeros(2, tf.float64)})


def test_weights_stay_with_their_values():
    raw = whole_numbers(weighted=True)
    tags = tf.constant([[11, -1, 12, 13, 14], [14, -1, -1, -1, -1]], tf.int64)
    weights = tf.constant([[1.0, 9.0, 2.0, 3.0, 4.0], [5.0, 9.0, 9.0, 9.0, 9.0]])
    found = raw.encode(raw.defaults() | {"tags": tags, "tags_weight": weights})
    kept = found["tags"].numpy() != 0
    assert found["tags_weight"].numpy()[kept].tolist() == [1, 2, 3, 5]
    found = raw.encode(raw.defaults() | {"tags": tags})  # without weights all count alike
    assert found["tags_weight"].numpy()[kept].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("keep", "lists", "weights"),
    [
        ("first", [[2, 3, 4], [5, 4], [2, 2, 2], []], [1, 2, 3, 5, 1, 1, 1, 1]),
        ("last", [[3, 4, 5], [5, 4], [2, 2, 2], []], [2, 3, 4, 5, 1, 1, 1, 1]),
    ],
)
def test_lists_of_examples_are_cut_and_keep_their_weights(keep, lists, weights):
    raw = whole_numbers(weighted=True, keep=keep)

    def example(tags, values):
        features = {
            "tags": tf.train.Feature(int64_list=tf.train.Int64List(value=tags)),
            "tags_weight": tf.train.Feature(float_list=tf.train.FloatList(value=values)),
        }
        return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()

    parsed = raw.parse(
        tf.constant(
            [
                example([11, -1, 12, 13, 14], [1, 9, 2, 3, 4]),
                example([14, 13], [5]),  # too few weights
                example([11] * 100_000, []),
                b"",
            ]
        )
    )
    assert parsed["tags"].shape == (4, 3)
    found = raw.encode(parsed)
    assert lists_of(found["tags"]) == lists
    kept = found["tags"].numpy() != 0
    assert found["tags_weight"].numpy()[kept].tolist() == weights
    assert found["item"].numpy().tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("kind", ["none", "standard", "log", "quantile"])
def test_numbers_are_scaled_as_in_preparation(kind):
    random = np.random.default_rng(3)
    learner = ScalingLearner(kind)
    learner.add(np.round(random.normal(0, 30, 5000)))
    scaling = learner.encoding()
    field = Field("price", NUMERIC, encoding=scaling)
    raw = RawFeatures(Schema("log", (field,), (), {}), {})
    numbers = np.concatenate([random.normal(0, 60, 3000), np.arange(-99.0, 99), [np.nan]])
    found = raw.encode({"price": tf.constant(numbers)})["price"]
    np.testing.assert_array_equal(found, scaling.numbers(numbers, np))


def test_log_bins_are_those_of_preparation():
    ids = np.arange(-4, 500)
    field = Field("count", CATEGORICAL, len(ids) + 2, encoding=Bins())
    raw = RawFeatures(Schema("log", (field,), (), {}), {"count": ids})
    random = np.random.default_rng(5)
    numbers = np.concatenate([np.arange(-9.0, 100_000), random.lognormal(5, 4, 50_000)])
    numbers = np.append(numbers, [2.5, -2.5, -0.0])
    found = raw.encode({"count": tf.constant(numbers)})["count"]
    # In NumPy's own logarithm, which no number here is so near an edge of as to be wrong by.
    bins = np.where(numbers > 2, np.floor(np.log(np.maximum(numbers, 2)) ** 2) + 3, numbers // 1)
    expected = np.where((bins < -4) | (bins >= 500), 1, bins + 6)
    np.testing.assert_array_equal(found, expected)


def test_vocabularies_too_large_for_a_graph_are_refused_before_anything_is_made_of_them():
    fields = (
        Field("item", CATEGORICAL, 180_000_002, encoding=Ids(("-1",), INTEGER)),
        Field("shop", CATEGORICAL, 10_000_002, encoding=Ids(("-1",), INTEGER)),
    )
    sizes = {field.name: field.vocabulary_size - 2 for field in fields}
    vocabularies = {n: np.broadcast_to(np.int64(7), size) for n, size in sizes.items()}
    told = r"take 2\.1 GiB .* holds 1\.9 GiB .* above all of field item with 180,000,000 ids"
    with pytest.raises(DatasetError, match=told):
        RawFeatures(Schema("log", fields, (), {}), vocabularies)


@pytest.mark.parametrize("values", [INTEGER, TEXT, NUMBER])
def test_the_size_of_a_graph_is_known_beforehand(values, tmp_path):
    ids = np.arange(10**9, 10**9 + 30_000)
    if values != INTEGER:
        ids = ids.astype(str).astype(object)
    encoding = Ids(("-1",), values)
    field = Field("item", CATEGORICAL, len(ids) + 2, encoding=encoding)
    raw = RawFeatures(Schema("log", (field,), (), {}), {"item": ids})
    (spec,) = raw.specs().values()
    functions = [
        tf.function(lambda item: raw.encode({"item": item})["item"], input_signature=[spec])
        for _ in range(3)
    ]
    raw.functions = functions
    tf.saved_model.save(raw, str(tmp_path), signatures={str(n): f for n, f in enumerate(functions)})
    size = (tmp_path / "saved_model.pb").stat().st_size
    assert size == pytest.approx(graph_bytes(encoding, ids), rel=0.1)


def test_what_cannot_be_served_gets_one_sentence():
    price = Field("price", NUMERIC)
    item = Field("item", CATEGORICAL, 4, encoding=Ids(("-1",), INTEGER))
    with pytest.raises(DatasetError, match="does not say how field price was encoded"):
        RawFeatures(Schema("log", (price,), (), {}), {})
    with pytest.raises(DatasetError, match="item holds the id -1"):
        RawFeatures(Schema("log", (item,), (), {}), {"item": np.array([3, -1])})
