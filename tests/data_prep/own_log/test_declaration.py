"""Own logs: declarations, and what is refused of them."""

import json

import pytest

from data_prep.own_log.declaration import load_declaration
from dcrnn_tf.dataset.schema import DatasetError
from tests.data_prep.own_log.small_shop import BASE, declare


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fileds": {}}, "the declaration: 'fileds' is not a key here; did you mean 'fields'?"),
        ({"fields": {"a": {"kind": "categoric"}}}, "one of .*; did you mean 'categorical'?"),
        (
            {"fields": {"a": {"kind": "categorical", "min_cout": 2}}},
            "field a: 'min_cout' is not a key .*; did you mean 'min_count'?",
        ),
        (
            {"fields": {"a": {"kind": "numeric", "min_count": 2}}},
            "field a: 'min_count' is not a key of a numeric field",
        ),
        ({"fields": {"a": {"kind": "numeric", "scaling": "logs"}}}, "did you mean 'log'?"),
        ({"fields": {"a": {"kind": "categorical", "min_count": 0}}}, "a whole number from 1"),
        ({"fields": {"a\tb": {"kind": "categorical"}}}, r"the name 'a\\tb' holds a control char"),
        ({"name": "  "}, "name is '  ', expected text"),
        ({"fields": {"a": {"kind": "numeric", "column": "click"}}}, "is the label of task click"),
        ({"fields": {}}, "fields is {}, expected a mapping"),
        ({"fields": {"click": {"kind": "numeric", "column": "x"}}}, "more than once.*: click"),
        ({"tasks": {"buy": {"only_where": "click"}, "click": {}}}, "is not an earlier task"),
        ({"tasks": {"buy": {"positve": 1}}}, "task buy: 'positve' .* did you mean 'positive'?"),
        ({"tasks": {"buy": {"positive": True}}}, "positive is True, expected .* quote words"),
        ({"tasks": {"buy": {"positive": [1, 2], "negative": 2}}}, "'2' is positive and negative"),
        ({"tasks": {"buy": {"negative": 0}}}, "negative values without positive ones"),
        ({"split": {"by": "files"}}, "split: by is 'files', .*did you mean 'file'?"),
        ({"split": {"by": "file", "train": "a"}}, "split: the key 'test' is missing"),
        ({"split": {"by": "fraction", "files": "a"}}, "the key 'test_fraction' is missing"),
        (
            {"split": {"by": "group", "files": "a", "test_fraction": 0.5}},
            "the key 'column' is missing",
        ),
        (
            {"split": {"by": "fraction", "files": "a", "test_fraction": 1.5}},
            "test_fraction is 1.5, expected a number from 0 to below 1",
        ),
        (
            {"split": {"by": "fraction", "files": "a", "test_fraction": 0.5, "train": "b"}},
            "'train' is not a key of a split by fraction",
        ),
        (
            {"split": {**BASE["split"], "validation": "v", "validation_fraction": 0.1}},
            "either validation or validation_fraction",
        ),
        (
            {"split": {"by": "column", "files": "a", "column": "day", "train": 1, "test": [1]}},
            "'1' is a value of train and of test",
        ),
        ({"separator": "\\t"}, "expected text that is no pattern"),
        ({"column_names": ["row", "row"]}, "column_names holds 'row' more than once"),
        (
            {"column_names": ["row", "cities", "tags", "price", "click", "buy"]},
            r"no column 'city' \(field city\); did you mean 'cities'?",
        ),
        (
            {"fields": {"tags": {"kind": "multi_categorical", "attended_by": "town"}}},
            "field tags: attended_by names 'town', which is no field",
        ),
        (
            {"fields": {"city": {"kind": "categorical", "attended_by": "row"}}},
            "field city: 'attended_by' is not a key of a categorical field",
        ),
        ({"name": "my\nshop"}, r"dataset name 'my\\nshop' holds a control character"),
        ({"quoted": 1}, "quoted is 1, expected true or false"),
    ],
)
def test_declaration_refuses(tmp_path, changes, message):
    with pytest.raises(DatasetError, match=message) as error:
        declare(tmp_path, **changes)
    assert str(error.value).startswith(f"{tmp_path}/shop.yaml: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("d.yaml", "name: a\nname: b\n", "the key 'name' is given twice"),
        ("d.json", '{"name": 1, "name": 2}', "the key 'name' is given twice"),
        ("d.json", '{"name": ', "is not JSON: .*line 1"),
        ("d.yaml", "name: [a\n", "is not YAML: .*line 2"),
        ("d.yaml", "- a\n", "the declaration must be a mapping"),
        ("d.yaml", "", "the declaration must be a mapping"),
    ],
)
def test_declaration_that_is_no_mapping(tmp_path, name, text, message):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        load_declaration(tmp_path / name)


def test_missing_declaration(tmp_path):
    with pytest.raises(DatasetError, match=r"none.yaml: the declaration cannot be read"):
        load_declaration(tmp_path / "none.yaml")


def test_json_declares_the_same_as_yaml(tmp_path):
    from_yaml = declare(tmp_path)
    (tmp_path / "shop.json").write_text(json.dumps(BASE), encoding="utf-8")
    from_json = load_declaration(tmp_path / "shop.json")
    assert (from_json.fields, from_json.tasks) == (from_yaml.fields, from_yaml.tasks)
    assert from_json.split == from_yaml.split
