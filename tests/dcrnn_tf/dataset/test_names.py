"""ASCII names that stand for the names of fields and tasks, and the files that these have."""

import keyword
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcrnn_tf.dataset.names import ascii_names, column_name, fault_of, file_names
from dcrnn_tf.dataset.schema import CATEGORICAL, MULTI_CATEGORICAL, NUMERIC, Field
from dcrnn_tf.dataset.vocabulary import (
    load_vocabulary,
    new_vocabulary_path,
    vocabulary_path,
    write_vocabulary,
)
from tests import hard_names

NAMES = st.one_of(st.text(st.characters(codec="utf-8"), min_size=1), st.sampled_from("aAbB_12é"))


@given(st.lists(NAMES, unique=True), st.sampled_from([(), ("self", *keyword.kwlist)]))
def test_every_name_has_an_ascii_name_of_its_own(names, reserved):
    made = ascii_names([*names, *hard_names.NAMES], reserved)
    found = [name.lower() for name in made.values()]
    assert len(set(found)) == len(made)
    assert not set(found) & {name.lower() for name in reserved}
    for name in made.values():
        assert re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name)
        assert len(name) <= 105


def test_a_plain_name_stands_for_itself_beside_any_other():
    names = ("点击", "u70b9u51fb", "a b", "a_b", "Item", "item", "class", "class_2", "field_205")
    assert ascii_names(names, ["class"]) == {
        "点击": "u70b9u51fb_2",
        "u70b9u51fb": "u70b9u51fb",
        "a b": "a_b_2",
        "a_b": "a_b",
        "Item": "Item",
        "item": "item_2",
        "class": "class_3",
        "class_2": "class_2",
        "field_205": "field_205",
    }


@given(st.lists(NAMES, unique=True, min_size=2))
def test_no_two_names_have_one_column_on_disk(names):
    kinds = (CATEGORICAL, MULTI_CATEGORICAL, NUMERIC)
    names = [name for name in (*names, *hard_names.NAMES) if not fault_of(name)]
    fields = [
        Field(name, kind, 0 if kind == NUMERIC else 5, weighted=kind == MULTI_CATEGORICAL)
        for number, name in enumerate(dict.fromkeys(names))
        for kind in kinds[number % 3 : number % 3 + 1]
    ]
    columns = [column for field in fields for column in field.columns]
    assert len(set(columns)) == len(columns)
    assert column_name("field_205") == "field_205"


@pytest.mark.parametrize("case_counts", [True, False])
def test_vocabularies_of_any_names_lie_side_by_side(case_counts, tmp_path, monkeypatch):
    folder = tmp_path / "vocabularies"
    folder.mkdir()
    for number, name in enumerate(hard_names.NAMES):
        ids = np.arange(number + 1)
        write_vocabulary(new_vocabulary_path(tmp_path, name), ids, np.ones(number + 1))
    files = [path.name for path in folder.iterdir()]
    assert len({file.lower() for file in files}) == len(hard_names.NAMES)
    assert all(file.isascii() and len(file) < 130 for file in files)
    assert {"class.parquet", "Item.parquet", "_id.parquet", "con.parquet"} <= set(files)
    if not case_counts:  # as on a file system that takes one for the other
        lowered = {file.lower(): folder / file for file in files}
        is_file = type(folder).is_file
        monkeypatch.setattr(
            type(folder), "is_file", lambda path: is_file(lowered.get(path.name.lower(), path))
        )
    for number, name in enumerate(hard_names.NAMES):
        field = Field(name, CATEGORICAL, number + 3)
        assert len(load_vocabulary(tmp_path, field).ids) == number + 1


def test_a_file_that_bears_a_name_in_another_alphabet_is_still_read(tmp_path):
    (tmp_path / "vocabularies").mkdir()
    written = tmp_path / "vocabularies" / "商品.parquet"
    write_vocabulary(written, np.arange(3), np.ones(3))
    assert vocabulary_path(tmp_path, "商品") == written
    assert len(load_vocabulary(tmp_path, Field("商品", CATEGORICAL, 5)).ids) == 3


def test_plain_names_are_those_of_their_files():
    for name in ("field_205", "C1", "class", "_id"):
        assert file_names(name)[0] == name
    assert file_names("a/b")[0] == file_names("a/b")[1] != file_names("a_b")[1]


@pytest.mark.parametrize("name", hard_names.NAMES + hard_names.TASKS + (hard_names.DATASET,))
def test_printable_names_are_taken(name):
    assert fault_of(name) is None


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "has no visible character"),
        (" \u3000", "has no visible character"),
        ("a\nb", "holds a control character (U+000A)"),
        ("a\x85b", "holds a control character (U+0085)"),
        ("a\u2028b", "holds a line break (U+2028)"),
        ("a\udfff", "holds half of a character (U+DFFF)"),
        (5, "is no text"),
    ],
)
def test_other_names_have_a_fault(name, fault):
    assert fault_of(name) == fault
