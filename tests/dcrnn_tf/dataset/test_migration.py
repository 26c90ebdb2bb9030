"""Schemas of format version 1: one that the version before wrote, and others written by hand."""

import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pytest

from dcrnn_tf.dataset.encodings import Bins, Ids, Scaling
from dcrnn_tf.dataset.schema import DatasetError, load_schema
from dcrnn_tf.serving.raw_features import RawFeatures
from tests.dcrnn_tf.dataset.test_schema_fuzz import signed

# Of 60 rows of the shop of `tests.shop`, and its fingerprints by the version that wrote it.
FILE = pathlib.Path(__file__).with_name("schema_of_version_1.json")
FINGERPRINT = "e5bdc1c3a6f4df6e92c1252033b7e7395e96121e0b905ee32ebfcd5adeefb252"
OF_CITY_AND_PRICE = "61d44f560341fb397f5e24b5a586b7555d85c279f9d826d7aa037bfe77cadf24"
EDGES = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 9.0, 12.0, 15.0, 16.0, 17.0, 18.0)


@pytest.fixture
def folder(tmp_path):
    shutil.copyfile(FILE, tmp_path / "schema.json")
    return tmp_path


def test_what_the_filters_said_becomes_encodings(folder):
    schema = load_schema(folder)
    missing = ("", "-")
    encodings = {field.name: field.encoding for field in schema.fields}
    rank = encodings.pop("price_rank")
    assert encodings == {
        "row": Scaling(missing),
        "city": Ids(missing, "text", 40),
        "tags": Ids(missing, "text", 60, ";", 2),
        "price": Scaling(missing, "standard", 12.86345, 10.448082389845517),
        "price_log": Scaling(missing, "log"),
        "price_bins": Bins(missing, "log", (), 30),
        "level_bins": Bins(missing, "quantile", EDGES, 20),
        "level": Ids(missing, "number", 1),
    }
    written = json.loads(FILE.read_text())["filters"]
    assert (rank.method, rank.missing) == ("quantile", missing)
    assert list(rank.knots) == written["scaling"]["price_rank"]["knots"]
    assert list(rank.scaled) == written["scaling"]["price_rank"]["scaled"]
    assert {field.name: field.raw_name for field in schema.fields}["price_rank"] == "price"
    assert schema.settings == {"declaration": written["declaration"]}
    assert set(schema.filters) == {"bad_rows", "ignored_columns", "missing", "truncated_lists"}


def test_the_fingerprint_stays_so_that_runs_find_their_dataset(folder, tmp_path):
    schema = load_schema(folder)
    assert schema.fingerprint == FINGERPRINT
    assert schema.select_fields(["price", "city"]).fingerprint == OF_CITY_AND_PRICE
    other = tmp_path / "other"
    other.mkdir()
    schema.save(other)  # in the format of today, of which the fingerprint is another
    assert load_schema(other) == schema
    assert load_schema(other).fingerprint != FINGERPRINT
    content = json.loads(FILE.read_text())
    (folder / "schema.json").write_text(json.dumps(content | {"seed": 6}))
    with pytest.raises(DatasetError, match="was changed after it was written"):
        load_schema(folder)


def version_1(folder, fields, filters):
    """A schema of a dataset whose raw ids are integers."""
    rest = {"entity": None, "weighted": False, "source": "205"}
    content = {
        "name": "log",
        "fields": [field | rest for field in fields],
        "tasks": [],
        "splits": [],
        "entities": [],
        "source": {},
        "filters": filters,
        "seed": 0,
        "format_version": 1,
    }
    (folder / "schema.json").write_text(json.dumps(signed(content)))
    return load_schema(folder)


ITEM = {"name": "item", "kind": "categorical", "vocabulary_size": 4, "max_values": 1}
TAGS = {"name": "tags", "kind": "multi_categorical", "vocabulary_size": 4, "max_values": 2}
SECONDS = {"name": "seconds", "kind": "numeric", "vocabulary_size": 0, "max_values": 1}


def test_ids_that_are_integers(tmp_path):
    filters = {"min_count": 7, "max_values": 50, "rows": 9, "truncated_lists": {"tags": 3}}
    filters |= {"scaling": {"seconds": {"kind": "log"}}, "test_days": [14], "raw": {"train": {}}}
    schema = version_1(tmp_path, [ITEM, TAGS, SECONDS], filters)
    ids = Ids(("-1",), "integer", 7)
    assert [field.encoding for field in schema.fields] == [
        ids,
        dataclasses.replace(ids, max_values=50),  # the longest list has 2
        Scaling((), "log"),
    ]
    assert schema.settings == {"min_count": 7, "max_values": 50, "rows": 9, "test_days": [14]}
    assert schema.filters == {"truncated_lists": {"tags": 3}, "raw": {"train": {}}}


def test_lists_of_known_datasets_keep_the_field_that_attends_to_them(tmp_path):
    pairs = {
        "field_109_14": "field_206",
        "field_110_14": "field_207",
        "field_127_14": "field_216",
        "field_150_14": "field_210",
        "manual_keyword_list": "userid",
        "machine_keyword_list": "userid",
        "manual_tag_list": "userid",
        "machine_tag_list": "userid",
    }
    attending = [ITEM | {"name": name} for name in dict.fromkeys(pairs.values())]
    fields = [TAGS, *attending, *(TAGS | {"name": name} for name in pairs)]
    schema = version_1(tmp_path, fields, {})
    assert {f.name: f.attended_by for f in schema.fields if f.attended_by} == pairs
    without = [field for field in fields if field["name"] != "field_207"]
    schema = version_1(tmp_path, without, {})
    del pairs["field_110_14"]
    assert {f.name: f.attended_by for f in schema.fields if f.attended_by} == pairs
    single = version_1(tmp_path, [ITEM | {"name": n} for n in ("userid", "manual_tag_list")], {})
    assert [f.attended_by for f in single.fields] == [None, None]


def test_what_the_filters_do_not_say_is_not_known(tmp_path):
    schema = version_1(tmp_path, [ITEM, SECONDS], {})
    assert [field.encoding for field in schema.fields] == [Ids(("-1",), "integer"), None]
    with pytest.raises(DatasetError, match="does not say how field seconds was encoded; prepare"):
        RawFeatures(schema, {"item": np.array([5, 6])})
    with pytest.raises(DatasetError, match=r"lacks the key .item."):
        version_1(tmp_path, [ITEM], {"declaration": {"fields": {}}})
