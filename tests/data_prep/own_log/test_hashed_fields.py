"""Fields whose ids are hashed: declaration, summary, and the estimate of distinct ids."""

import pathlib

import numpy as np
import polars as pl
import pytest

from data_prep.own_log.declaration import parse_declaration, with_min_count
from data_prep.own_log.learning.id_sketch import IdSketch, colliding_share
from data_prep.own_log.preparation import prepare
from data_prep.own_log.row_encoder import RowEncoder
from data_prep.own_log.statistics import summary
from dcrnn_tf.dataset.encodings import Ids
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError, Field, load_schema

FIELDS = {
    "item": {"kind": "categorical", "hashed": 1000},
    "history": {"kind": "multi_categorical", "shares": "item"},
}


def declaration(**fields):
    content = {
        "name": "shop",
        "split": {"by": "fraction", "files": "log.csv", "test_fraction": 0.5},
        "fields": FIELDS | fields,
        "tasks": {"click": {}},
    }
    return parse_declaration(content, pathlib.Path("shop.yaml"))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    rows = {
        "item": [str(row % 300) for row in range(3000)],
        "history": [f"{row % 300}.0;{row % 7}" if row % 3 else "" for row in range(3000)],
        "click": [row % 2 for row in range(3000)],
    }
    pl.DataFrame(rows).write_csv(folder / "log.csv")
    prepare(declaration(), folder, folder / "prepared")
    return folder / "prepared"


def test_there_is_no_vocabulary_and_the_table_has_the_declared_rows(prepared):
    schema = load_schema(prepared)
    assert [field.vocabulary_size for field in schema.fields] == [1002, 1002]
    assert not any((prepared / "vocabularies").iterdir())
    assert PreparedDataset(prepared).vocabularies() == {}


def test_ids_keep_their_rows_however_they_are_spelled(prepared):
    encoder = RowEncoder(prepared)
    texts = pl.DataFrame({"item": ["5", " 5.0 ", "new", None], "history": ["5;new", "", "", ""]})
    rows = encoder(texts)
    assert rows["item"][0] == rows["item"][1] == rows["history"][0, 0] > 1
    assert rows["item"][2] == rows["history"][0, 1] > 1
    assert rows["item"][3] == 0
    typed = encoder(pl.DataFrame({"item": [5.0], "history": [[5]]}))
    assert typed["item"][0] == typed["history"][0, 0] == rows["item"][0]


def test_the_summary_says_how_many_ids_share_a_row(prepared):
    schema = load_schema(prepared)
    counted = schema.filters["hashed"]["item"]
    assert schema.filters["hashed"].keys() == {"item"}
    assert abs(counted - 300) <= 6
    share = 1 - (1 - 1 / 1000) ** (counted - 1)
    said = f"about {counted} ids hashed, {share:.1%} of which are expected to share a row"
    assert summary(schema).count(said) == 2


@pytest.mark.parametrize("distinct", [0, 1, 100, 20_000, 300_000])
def test_the_estimate_of_distinct_ids(distinct):
    whole, parts = IdSketch(), [IdSketch(), IdSketch()]
    ids = pl.Series([str(number) for number in range(distinct)], dtype=pl.String)
    for sketch in (whole, *parts):
        sketch.add(ids if sketch is whole else ids.sample(fraction=0.7, seed=id(sketch) % 97))
    assert abs(whole.distinct() - distinct) <= 0.025 * distinct
    whole.merge(parts[0])
    whole.add(ids)
    assert abs(whole.distinct() - distinct) <= 0.025 * distinct
    parts[0].merge(parts[1])
    assert parts[0].distinct() <= whole.distinct()


def test_the_expected_share_of_collisions():
    random = np.random.default_rng(0)
    for ids, rows in ((1, 5), (0, 5), (2, 1), (300, 1000), (5000, 1000)):
        drawn = [np.bincount(random.integers(rows, size=ids)) for _ in range(300)]
        shares = [count[count > 1].sum() / max(ids, 1) for count in drawn]
        assert abs(colliding_share(ids, rows) - np.mean(shares)) < 0.01


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"hashed": 0}, "hashed is 0, expected a whole number from 1 to 2147483645"),
        ({"hashed": 2**31}, "hashed is 2147483648, expected a whole number"),
        ({"hashed": 5, "min_count": 2}, "give either hashed or min_count, not both"),
        ({"hashed": 5, "bins": "log"}, "give either hashed or bins, not both"),
        ({"hashed": 5, "shares": "item"}, "give either shares or hashed, not both"),
        ({"hashed": 5, "kind": "numeric"}, "'hashed' is not a key of a numeric field"),
    ],
)
def test_what_cannot_be_hashed_is_refused(entry, message):
    with pytest.raises(DatasetError, match=message):
        declaration(other={"kind": "categorical", **entry})


def test_min_count_of_all_fields_leaves_hashed_ones_out():
    changed = with_min_count(declaration(city={"kind": "categorical"}), 7)
    assert [field.min_count for field in changed.fields] == [1, 1, 7]


def test_a_schema_whose_rows_do_not_fit_is_refused():
    with pytest.raises(DatasetError, match="vocabulary_size 9 is not that of 5 rows of hashes"):
        Field("item", vocabulary_size=9, encoding=Ids(values="value", hashed=5))
