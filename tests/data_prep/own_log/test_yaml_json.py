"""Values of YAML and JSON, which are what is written."""

import json

import pytest

from data_prep.own_log.declaration import load_declaration
from data_prep.own_log.yaml_json import read_json, read_yaml

TEXTS = ["07", "010", "22:00", "1:30:00", "1_000", "1.10", "0x1F", "0b11", "0o7", "+5", "-0", "1e5"]
TEXTS += ["2024-01-02", "2024-13-45", "2024-01-02 10:00:00", "0x" + "f" * 5_000, "9" * 5_000]
TEXTS += [".5", "5.", "1.50e+3", "0.1000000000000000055"]


@pytest.mark.parametrize("text", TEXTS)
def test_yaml_value_whose_number_is_written_otherwise_is_text(text):
    assert read_yaml(f"a: [{text}, x]\nb: {text}") == {"a": [text, "x"], "b": text}


@pytest.mark.parametrize("text", ["1.10", "-0", "1e5", "1.50e+3", "9" * 5_000])
def test_json_value_whose_number_is_written_otherwise_is_text(text):
    assert read_json(f'{{"a": [{text}]}}') == {"a": [text]}


@pytest.mark.parametrize("text", ["0", "7", "-3", "1.5", "4.0", "12345678901234567890123"])
def test_a_number_that_is_written_as_python_would_is_a_number(text):
    for value in (read_yaml(f"a: {text}")["a"], read_json(f'{{"a": {text}}}')["a"]):
        assert type(value) in (int, float)
        assert str(value) == text


def test_words_of_yaml_keep_their_meaning():
    assert read_yaml("[true, no, null, ~, .inf, -.INF, .nan]") == [
        True,
        False,
        None,
        None,
        "inf",
        "-inf",
        "nan",
    ]


def test_declared_values_are_those_of_the_files(tmp_path):
    path = tmp_path / "log.yaml"
    path.write_text(
        "name: log\n"
        "split: {by: column, files: f.csv, column: day, test: [07, 08, 2024-01-02],\n"
        "  validation_fraction: 0.10}\n"
        "tasks: {buy: {positive: [010, 22:00], negative: 1_000}}\n"
        "missing_values: [-00, 1.10]\n"
        "fields: {x: {kind: categorical}}\n"
    )
    declaration = load_declaration(path)
    assert declaration.split.values["test"] == ("07", "08", "2024-01-02")
    assert declaration.split.validation_fraction == 0.1
    assert declaration.tasks[0].positive == ("010", "22:00")
    assert declaration.tasks[0].negative == ("1_000",)
    assert declaration.missing_values == ("", "-00", "1.10")
    # What the prepared dataset keeps says the same.
    (tmp_path / "again.json").write_text(json.dumps(declaration.content))
    again = load_declaration(tmp_path / "again.json")
    assert (again.split, again.tasks) == (declaration.split, declaration.tasks)
    assert again.missing_values == declaration.missing_values


def test_no_declared_missing_values_leave_the_empty_cell(tmp_path):
    path = tmp_path / "log.yaml"
    path.write_text(
        "{name: log, split: {by: fraction, files: f.csv, test_fraction: 0.5}, missing_values: [],\n"
        "tasks: {click: {}}, fields: {x: {kind: categorical}}}\n"
    )
    assert load_declaration(path).missing_values == ("",)
