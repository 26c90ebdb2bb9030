"""Hard raw rows, encoded by a preparation, `RowEncoder` and a served graph: the same features."""

import numpy as np
import polars as pl
import pytest
import tensorflow as tf
import yaml

from data_prep.own_log.cells import text_of
from data_prep.own_log.declaration import load_declaration
from data_prep.own_log.preparation import prepare
from data_prep.own_log.row_encoder import RowEncoder
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.serving.raw_features import RawFeatures

MISSING = ["-", "-1", "unknown"]
PRICES = [
    *(None, float("nan"), -1.0, 0.0, -0.0, 2.0, 2.5, -2.5, 7.0, 1e-40, -1e-40, 3.4e38, -3.4e38),
    *(0.1, 16777217.0, 2.0**53, np.e, 1e-300, 20.0, 100.0),
]
CITIES = ["rome", " rome ", "\u2009oslo\x85", "-", "", " - ", "unknown", None, "-1", "Rome", "new"]
TAGS = [["a", " b"], ["-", "c", "a", "b"], [], None, [None, "a"], ["", " - ", "d"], ["new", "a"]]
TRIPS = [["rome", " oslo"], ["-", "far", "new", "far", "rome"], [], None, ["", " rome "]]
LIKED = [["a:0.5", " b : 2e-1"], ["-:3", "x:y:0.25", "d", "a:0"], [], None, ["new:7", ":1"]]
TASTES = [[0.5, -1.0, 2.0], [1e-40, 3.4e38, 0.1], [], None]
FIELDS = {
    "row": {"kind": "numeric", "scaling": "none"},
    "city": {"kind": "categorical", "min_count": 35},
    "tags": {"kind": "multi_categorical", "min_count": 5, "max_values": 2},
    "last_tags": {"kind": "multi_categorical", "min_count": 5, "max_values": 2, "keep": "last"}
    | {"column": "tags"},
    "home": {"kind": "categorical", "min_count": 60},
    "trips": {"kind": "multi_categorical", "shares": "home", "max_values": 3},
    "liked": {
        **{"kind": "multi_categorical", "min_count": 5, "max_values": 2},
        **{"weights": ":", "keep": "last"},
    },
    "city_hash": {"kind": "categorical", "hashed": 50, "column": "city"},
    "tags_hash": {"kind": "multi_categorical", "hashed": 9, "column": "tags", "max_values": 2},
    "home_hash": {"kind": "categorical", "shares": "city_hash", "column": "home"},
    "price_hash": {"kind": "categorical", "hashed": 1000, "column": "price"},
    "taste": {"kind": "vector", "length": 3},
    "price": {"kind": "numeric", "scaling": "standard"},
    "price_plain": {"kind": "numeric", "scaling": "none", "column": "price"},
    "price_log": {"kind": "numeric", "scaling": "log", "column": "price"},
    "price_rank": {"kind": "numeric", "scaling": "quantile", "column": "price"},
    "price_bins": {"kind": "categorical", "bins": "log", "min_count": 15, "column": "price"},
    "price_steps": {"kind": "categorical", "bins": "quantile", "min_count": 15, "column": "price"},
    "price_id": {"kind": "categorical", "min_count": 15, "column": "price"},
}
ROWS = 400


def raw_rows():
    draw = np.random.default_rng(6)
    rows = range(ROWS)
    return pl.DataFrame(
        {
            "row": np.arange(ROWS),
            "city": [CITIES[n] for n in draw.integers(len(CITIES), size=ROWS)],
            "tags": [TAGS[n] for n in draw.integers(len(TAGS), size=ROWS)],
            "home": [CITIES[n] for n in draw.integers(len(CITIES), size=ROWS)],
            "trips": [TRIPS[n] for n in draw.integers(len(TRIPS), size=ROWS)],
            "liked": [LIKED[n] for n in draw.integers(len(LIKED), size=ROWS)],
            "taste": [TASTES[n] for n in draw.integers(len(TASTES), size=ROWS)],
            "price": [PRICES[n] for n in draw.integers(len(PRICES), size=ROWS)],
            "click": draw.integers(2, size=ROWS),
            # What one split alone has, the vocabulary does not know.
            "part": ["test" if row % 3 == 0 else "train" for row in rows],
        },
        strict=False,
    )


def as_csv(rows):
    """The same rows as text, missing numbers and list cells in several spellings."""
    tags = pl.col("tags", "trips", "liked").list.eval(pl.element().fill_null("-"))
    tags = tags.list.join(";").fill_null("")
    price = [
        "NaN" if n is None or n != n else "-1.0" if n == -1 else repr(n) for n in rows["price"]
    ]
    taste = pl.col("taste").cast(pl.List(pl.String)).list.join(";").fill_null("")
    return rows.with_columns(tags, taste, price=pl.Series(price))


def declaration(folder, file):
    content = {
        "name": "shop",
        "missing_values": [*MISSING, "NaN"],
        "split": {"by": "column", "files": file, "column": "part", "test": "test"},
        "fields": FIELDS,
        "tasks": {"click": {}},
    }
    path = folder / f"{file}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return load_declaration(path)


@pytest.fixture(scope="module", params=["rows.parquet", "rows.csv"])
def log(request, tmp_path_factory):
    """A folder of the log, its declaration and the rows in it."""
    folder = tmp_path_factory.mktemp("log")
    rows = raw_rows()
    if request.param == "rows.csv":
        rows = as_csv(rows)
        rows.write_csv(folder / request.param)
    else:
        rows.write_parquet(folder / request.param)
    return folder, declaration(folder, request.param), rows


@pytest.fixture(scope="module")
def prepared(log):
    folder, declared, _ = log
    prepare(declared, folder, folder / "prepared")
    return folder / "prepared"


def features_by_row(folder):
    """The features on disk in the order of the raw rows; `row` is its own number."""
    parts = {}
    for split in ("train", "test"):
        for features, _ in PreparedDataset(folder).batches(split, 64):
            for name, column in features.items():
                parts.setdefault(name, []).extend(np.asarray(column))
    order = np.argsort(parts["row"])
    return {name: np.array(column)[order] for name, column in parts.items()}


def assert_same(found, expected):
    assert set(found) == set(expected) == {*FIELDS, "liked_weight"}
    for name, column in expected.items():
        other = np.asarray(found[name])
        assert other.dtype == column.dtype, name
        if name == "liked_weight":  # of what is no padding
            kept, others = expected["liked"] > 0, np.asarray(found["liked"]) > 0
            assert [w[k].tolist() for w, k in zip(other, others, strict=True)] == [
                w[k].tolist() for w, k in zip(column, kept, strict=True)
            ]
        elif column.ndim == 2 and name != "taste":  # a model sees what is not padding
            assert [r[r > 0].tolist() for r in other] == [r[r > 0].tolist() for r in column], name
        else:
            np.testing.assert_array_equal(other.view(np.int32), column.view(np.int32), err_msg=name)


def served_inputs(rows):
    """The rows as a client sends them."""
    inputs = {}
    for name in ("city", "home", "city_hash", "home_hash"):
        cities = rows[FIELDS[name].get("column", name)]
        inputs[name] = tf.constant([city or "" for city in cities])
    for name in ("tags", "last_tags", "trips", "tags_hash"):
        lists = [items or [] for items in rows[FIELDS[name].get("column", name)].to_list()]
        width = max(map(len, lists))
        padded = [[item or "" for item in items] + [""] * (width - len(items)) for items in lists]
        inputs[name] = tf.constant(padded)
    items = [(items or []) + [""] * 4 for items in rows["liked"].to_list()]
    pairs = [[item.rpartition(":") for item in row[:4]] for row in items]
    inputs["liked"] = tf.constant([[i if mark else w for i, mark, w in row] for row in pairs])
    weights = [[float(w if mark else 1) for _, mark, w in row] for row in pairs]
    inputs["liked_weight"] = tf.constant(weights, tf.float32)
    prices = text_of(rows["price"]).fill_null("").to_list()
    inputs["price_id"] = inputs["price_hash"] = tf.constant(prices)
    tastes = [taste or [np.nan] * 3 for taste in rows["taste"].to_list()]
    inputs["taste"] = tf.constant(tastes, tf.float32)
    for name in FIELDS.keys() - inputs.keys():
        column = rows[FIELDS[name].get("column", name)].cast(pl.Float64).to_numpy()
        inputs[name] = tf.constant(column, tf.float64)
    return inputs


def test_row_encoder_gives_what_preparation_wrote(prepared, log):
    on_disk = features_by_row(prepared)
    assert_same(RowEncoder(prepared)(log[2]), on_disk)
    for name in ("city", "home", "price_bins", "price_steps", "price_id"):
        assert {0, 1, 2} <= set(on_disk[name].tolist()), name  # missing, unknown, known
    prices = raw_rows()["price"].to_list()
    missing = [price is None or price != price or price == -1 for price in prices]
    for name in ("price_bins", "price_steps", "price_id"):
        assert [row == 0 for row in on_disk[name].tolist()] == missing, name
    assert [not number for number in on_disk["price_plain"]] == [
        gone or abs(price) < 1.2e-38 for price, gone in zip(prices, missing, strict=True)
    ]
    counts = PreparedDataset(prepared).schema.filters["missing"]
    assert counts["price"] == counts["price_id"] == sum(missing)


def test_a_served_graph_gives_what_preparation_wrote(prepared):
    dataset = PreparedDataset(prepared)
    raw = RawFeatures(dataset.schema, dataset.vocabularies())
    found = tf.function(raw.encode)(served_inputs(raw_rows()))
    assert_same(found, features_by_row(prepared))


def test_numbers_that_no_preparation_takes_are_missing_when_they_are_served(prepared):
    dataset = PreparedDataset(prepared)
    raw = RawFeatures(dataset.schema, dataset.vocabularies())
    huge = tf.constant([1e300, -1e300, np.inf, -np.inf, 3.5e38, np.nan, -1.0], tf.float64)
    names = [name for name in FIELDS if name.startswith("price")]
    names = [name for name in names if name not in ("price_id", "price_hash")]
    found = raw.encode(raw.defaults() | dict.fromkeys(names, huge))
    for name in names:
        assert not np.any(found[name]), name


def test_beam_learns_and_writes_the_same(log, prepared):
    pytest.importorskip("apache_beam")
    from data_prep.beam.own_log.preparation import prepare as prepare_on_beam

    folder, declared, _ = log
    schema = prepare_on_beam(declared, folder, folder / "on_beam")
    alone = PreparedDataset(prepared).schema
    assert schema.fields == alone.fields
    assert schema.filters == alone.filters
    assert_same(features_by_row(folder / "on_beam"), features_by_row(prepared))
