"""Fields that share the ids of another one: one vocabulary, learned over all of them."""

import pathlib

import numpy as np
import polars as pl
import pytest

from data_prep.own_log.declaration import parse_declaration, with_min_count
from data_prep.own_log.preparation import prepare
from data_prep.own_log.row_encoder import RowEncoder
from data_prep.own_log.statistics import summary
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError, Field, Schema, load_schema

FIELDS = {
    "item": {"kind": "categorical", "min_count": 3, "width": 6},
    "history": {"kind": "multi_categorical", "shares": "item", "max_values": 3},
    "last": {"kind": "categorical", "shares": "item"},
}
ROWS = [  # item, history, last, click
    ("a", "b;b", "b", 1),  # b four times, a three times, c twice, in the training rows
    ("a", "c;5.0;zz;b", "5", 0),
    ("5", "", "", 1),
    ("c", "a", "", 0),
]
TEST = [("b", "a;5;c;b", "zz", 1)]


def declaration(**fields):
    content = {
        "name": "shop",
        "split": {"by": "file", "train": "train.csv", "test": "test.csv"},
        "fields": FIELDS | fields,
        "tasks": {"click": {}},
    }
    return parse_declaration(content, pathlib.Path("shop.yaml"))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    for name, rows in (("train", ROWS), ("test", TEST)):
        columns = ["item", "history", "last", "click"]
        pl.DataFrame(rows, columns, orient="row").write_csv(folder / f"{name}.csv")
    prepare(declaration(), folder, folder / "prepared")
    return folder / "prepared"


def test_ids_of_all_fields_are_counted_together(prepared):
    ids = pl.read_parquet(prepared / "vocabularies" / "item.parquet")
    # A list is cut to three values before its ids are counted, as everywhere.
    assert ids.rows() == [("5", 3), ("a", 3), ("b", 3)]
    assert [path.name for path in (prepared / "vocabularies").iterdir()] == ["item.parquet"]
    schema = load_schema(prepared)
    assert [(f.vocabulary_size, f.width) for f in schema.fields] == [(5, 6)] * 3
    assert "field last: categorical, 5 embedding rows of width 6" in summary(schema)


def test_an_id_has_the_same_row_in_each_field(prepared):
    ((features, _),) = PreparedDataset(prepared).batches("test", 9)
    assert features["item"].numpy().tolist() == [4]
    assert features["history"].numpy().tolist() == [[3, 2, 1]]
    assert features["last"].numpy().tolist() == [1]
    rows = RowEncoder(prepared)(
        pl.DataFrame({"item": ["b"], "history": ["a;5.00;c"], "last": [None]})
    )
    assert {name: column.tolist() for name, column in rows.items()} == {
        "item": [4],
        "history": [[3, 2, 1]],
        "last": [0],
    }


def test_a_field_alone_keeps_the_ids_that_it_shared(prepared):
    dataset = PreparedDataset(prepared, ["history"])
    assert dataset.vocabularies()["history"].tolist() == ["5", "a", "b"]
    rows = RowEncoder(prepared, ["history"])(pl.DataFrame({"history": ["b;b"]}))
    assert rows["history"].tolist() == [[4, 4, 0]]


def test_a_list_is_attended_to_by_the_field_whose_ids_it_shares():
    fields = {field.name: field for field in declaration().fields}
    assert fields["history"].attended_by == "item"
    assert fields["last"].attended_by is None
    history = FIELDS["history"] | {"attended_by": "last"}
    fields = {field.name: field for field in declaration(history=history).fields}
    assert fields["history"].attended_by == "last"


def test_min_count_is_that_of_the_field_whose_ids_are_shared():
    assert [field.min_count for field in declaration().fields] == [3, 3, 3]
    changed = with_min_count(declaration(), 7)
    assert [field.min_count for field in changed.fields] == [7, 7, 7]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"last": {"shares": "items"}}, "shares names 'items', which is no field.*'item'"),
        ({"last": {"shares": "history"}}, "which shares the ids of 'item'; name that one"),
        ({"last": {"shares": "last"}}, "expected another field of ids, without bins"),
        ({"last": {"shares": "item", "min_count": 2}}, "either shares or min_count, not both"),
        ({"last": {"shares": "item", "bins": "log"}}, "either shares or bins, not both"),
        ({"last": {"shares": "item", "width": 2}}, "either shares or width, not both"),
        ({"last": {"width": 0}}, "width is 0, expected a whole number from 1 to 4096"),
        ({"item": {"bins": "log"}}, "shares names 'item', expected another field of ids"),
    ],
)
def test_what_cannot_be_shared_is_refused(fields, message):
    fields = {name: {"kind": "categorical", **entry} for name, entry in fields.items()}
    with pytest.raises(DatasetError, match=message):
        declaration(**fields)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (Field("b", vocabulary_size=5, shares="a"), "vocabulary_size 5 is not that of the fields"),
        (Field("b", vocabulary_size=4, shares="c"), "'c', which itself shares the ids of another"),
        (Field("b", vocabulary_size=4, shares="n"), "'n', which has no ids"),
    ],
)
def test_a_schema_in_which_shares_do_not_fit_is_refused(second, message):
    first, third = Field("a", vocabulary_size=4), Field("c", vocabulary_size=4, shares="a")
    with pytest.raises(DatasetError, match=message):
        Schema("shop", (first, second, third, Field("n", "numeric")), (), {})


def test_beam_gives_the_same(prepared, tmp_path):
    pytest.importorskip("apache_beam")
    from data_prep.beam.own_log.preparation import prepare as prepare_on_beam
    from tests.data_prep.beam.same import assert_same

    prepare_on_beam(declaration(), prepared.parent, tmp_path / "beam")
    assert np.all(load_schema(tmp_path / "beam").fields == load_schema(prepared).fields)
    assert_same(prepared, tmp_path / "beam")
