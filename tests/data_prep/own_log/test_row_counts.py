"""Declared values that no row has, splits without rows, ids that no vocabulary knows."""

import pathlib

import numpy as np
import polars as pl
import pytest

from data_prep.own_log import row_counts
from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.learning.field_counts import FieldCounts
from data_prep.own_log.preparation import prepare
from data_prep.own_log.row_counts import RowCounts, check_rows, never_met
from data_prep.own_log.rows.log_rows import LogRows
from data_prep.own_log.statistics import notes, summary
from dcrnn_tf.dataset.schema import DatasetError, Schema, Split, Task

# Days 1 to 4; 4 new, 3 paid, 3 Paid and 2 shipped orders.
STATES = ["paid", "new", "shipped", "new", "Paid", "paid", "new", "shipped", "Paid", "Paid", "paid"]
STATES += ["new"]
SPLIT = {"by": "column", "files": "log.csv", "column": "day", "test": [4]}
BUY = {"column": "state", "positive": ["paid", "shipped"]}


def declared(split=SPLIT, buy=BUY, **fields):
    fields = fields or {"x": {"kind": "categorical", "min_count": 1}}
    content = {"name": "shop", "split": split, "tasks": {"buy": buy}, "fields": fields}
    return parse_declaration(content, pathlib.Path("shop.yaml"))


@pytest.fixture
def log(tmp_path):
    """A folder with `log.csv`: each day's rows have items of that day alone."""
    rows = [f"{1 + n % 4},{state},a{n % 4},,{n}" for n, state in enumerate(STATES)]
    (tmp_path / "log.csv").write_text("\n".join(["day,state,x,empty,n", *rows]) + "\n")
    return tmp_path


def counted(folder, declaration):
    counts = RowCounts(declaration)
    for frame, splits, labels in LogRows(declaration, folder, 0, 0).read(lambda done: None):
        counts.add(frame, splits, labels)
    return counts


def refusal(folder, declaration):
    with pytest.raises(DatasetError) as error:
        check_rows(declaration, counted(folder, declaration))
    return str(error.value)


def test_values_that_no_row_has_are_named_with_what_the_column_holds(log):
    declaration = declared(
        split={**SPLIT, "test": [4, "04"]},
        buy={
            "column": "state",
            "positive": ["paid", "shiped"],
            "negative": ["new", "Paid", "shipped"],
        },
    )
    counts = counted(log, declaration)
    check_rows(declaration, counts)
    days = "column 'day' holds '1' (3 rows), '2' (3 rows), '3' (3 rows), '4' (3 rows)"
    states = (
        "column 'state' holds 'new' (4 rows), 'Paid' (3 rows), 'paid' (3 rows), 'shipped' (2 rows)"
    )
    assert never_met(declaration, counts) == {
        "task buy: positive": {"shiped": f"{states}; did you mean 'shipped'?"},
        "split: test": {"04": f"{days}; did you mean '4'?"},
    }
    assert never_met(declared(), counted(log, declared())) == {}


def test_labels_of_one_and_zero_are_not_declared_values(log):
    (log / "log.csv").write_text("day,state,x\n1,1,a\n2,0,a\n4,1,a\n")
    declaration = declared(buy={"column": "state"})
    assert never_met(declaration, counted(log, declaration)) == {}


def test_a_declared_split_without_rows_is_refused(log):
    days = "column 'day' holds '1' (3 rows), '2' (3 rows), '3' (3 rows), '4' (3 rows)"
    for split, message in (
        (
            {**SPLIT, "validation": [31]},
            f"leaves no validation rows (of 12 rows in all); no row has '31'; {days}",
        ),
        (
            {**SPLIT, "test": ["04", "05"]},
            f"leaves no test rows (of 12 rows in all); no row has '04' or '05'; {days}; "
            "did you mean '4'?",
        ),
        (
            {**SPLIT, "test": [1, 2, 3, 4]},
            f"leaves no train rows (of 12 rows in all); other splits list every value; {days}",
        ),
        (
            {"by": "group", "files": "log.csv", "column": "day", "test_fraction": 1e-9},
            "leaves no test rows (of 12 rows in all); there are too few groups for its share, so "
            "change the fraction or leave it out",
        ),
        (
            {**SPLIT, "validation_fraction": 1e-9},
            "leaves no validation rows (of 12 rows in all); there are too few rows for its share, "
            "so change the fraction or leave it out",
        ),
    ):
        assert refusal(log, declared(split)) == f"shop.yaml: the split {message}"


def test_files_of_a_split_without_rows_are_named(log):
    (log / "none.csv").write_text("day,state,x\n")
    split = {"by": "file", "train": "log.csv", "validation": "none.csv", "test": "test.csv"}
    (log / "test.csv").write_bytes((log / "log.csv").read_bytes())
    assert refusal(log, declared(split)).endswith(
        "leaves no validation rows (of 24 rows in all); none.csv must hold a usable row"
    )


def test_a_positive_value_that_makes_all_labels_one_class_is_refused_with_the_nearest(log):
    message = refusal(log, declared(buy={"column": "state", "positive": "shiped"}))
    assert message == (
        "shop.yaml: task buy has 0 positives among its 9 training rows, expected some and not all; "
        "check its positive values (shiped); column 'state' holds 'new' (4 rows), 'Paid' (3 rows), "
        "'paid' (3 rows), 'shipped' (2 rows); did you mean 'shipped'?"
    )


def test_of_many_values_the_frequent_and_the_declared_ones_are_kept(log, monkeypatch):
    monkeypatch.setattr(row_counts, "COUNTED_VALUES", 8)
    declaration = declared({**SPLIT, "column": "n", "test": [999]})
    counts = RowCounts(declaration)
    for start in range(0, 1000, 10):
        numbers = [str(n) for n in range(start, start + 10)] + ["often"] * 2
        frame = pl.DataFrame({"n": numbers, "state": "paid"})
        part = RowCounts(declaration)
        part.add(frame, (frame["n"] == "0").to_numpy().astype(int), {"buy": np.zeros(12, np.uint8)})
        counts.merge(part)
    assert counts.rows.tolist() == [1199, 1, 0]
    assert counts.values["n"]["often"] == 200
    assert counts.values["n"]["999"] == 1
    assert len(counts.values["n"]) <= 8


def test_shares_of_missing_and_unknown_values_are_noted_from_a_tenth_on(log):
    rows = [
        f"{1 + n % 4},{n % 2},{'' if n % 10 == 4 else 'a'},{n if n % 4 else ''}" for n in range(40)
    ]
    (log / "log.csv").write_text("\n".join(["day,click,item,price", *rows]) + "\n")
    fields = {
        "item": {"kind": "categorical", "min_count": 1},
        "items": {"kind": "multi_categorical", "column": "item", "min_count": 1},
        "price": {"kind": "numeric"},
        "price_bin": {"kind": "categorical", "column": "price", "bins": "log", "min_count": 1},
    }
    schema = prepare(declared(buy={"column": "click"}, **fields), log, log / "out")
    assert schema.filters["missing_by_split"] == {
        "test": {"item": 0, "items": 0, "price": 0, "price_bin": 0},
        "train": {"item": 4, "items": 4, "price": 10, "price_bin": 10},
    }
    assert (
        "field item: categorical, 3 embedding rows, missing in 4 rows; missing: train 13.3%, "
        "test 0.0%\n"
    ) in summary(schema)
    assert [note for note in notes(schema) if note.startswith("field")] == [
        "field item: no value in 4 of 30 rows of train (13%)",
        "field items: no value in 4 of 30 rows of train (13%)",
        "field price: no value in 10 of 30 rows of train (33%)",
        "field price_bin: no value in 10 of 30 rows of train (33%)",
    ]


LISTS = ["[1, 2]", "(1, 2)", "{1, 2}", "['a']", "[]", "[7]", "[[1, 2], [3]]", "{'a': 1, 'b': 2}"]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("categorical", "8 ids look like written lists, such as '(1, 2)'; declare it multi_cat"),
        ("multi_categorical", "2 ids look like written lists, such as '[[1, 2], [3]]'; lists st"),
    ],
)
def test_ids_that_look_like_written_lists_are_noted(log, kind, said):
    ids = [*LISTS, "[x]", "(x)", "x (1, 2)", "a", "1", "b"]
    rows = [f"{1 + n % 4}|{n % 3 % 2}|{x}" for n, x in enumerate(ids)]
    (log / "log.csv").write_text("\n".join(["day|click|x", *rows]) + "\n")
    content = declared(buy={"column": "click"}, x={"kind": kind, "min_count": 1}).content
    declaration = parse_declaration({**content, "separator": "|"}, pathlib.Path("shop.yaml"))
    schema = prepare(declaration, log, log / "out")
    (note,) = (note for note in notes(schema) if "lists" in note)
    assert note.startswith(f"field x: {said}")


def test_pieces_of_lists_that_were_cut_at_their_commas_are_noted():
    counts = FieldCounts(0, 0, "x")
    counts.add_ids(pl.Series(["[[1", "2]", "x)", "(500) Days", "Rocky (1976)", "a", "{b"]))
    assert (counts.written_lists, counts.written_list) == (4, "2]")


def test_numbers_that_are_ids_of_several_spellings_are_noted(log):
    ids = ["5", "5.0", "007", "7", "+5", "2.50", "8", "08", "-3", "-03", "0", "1e3"]
    rows = [f"{1 + n % 4},{n % 3 % 2},{x}" for n, x in enumerate(ids)]
    (log / "log.csv").write_text("\n".join(["day,click,x", *rows]) + "\n")
    fields = {"x": {"kind": "categorical", "min_count": 1}}
    schema = prepare(declared(buy={"column": "click"}, **fields), log, log / "out")
    assert schema.filters["spelled_otherwise"] == {"x": {"ids": 3, "such_as": ["+5", "5"]}}
    assert [note for note in notes(schema) if "spelling" in note] == [
        "field x: 3 ids are the same number as another id and are told apart by their spelling, "
        "such as '+5' and '5'"
    ]


def test_the_summary_notes_what_may_be_a_mistake(log):
    (log / "more.csv").write_text("day,state,x,empty,n\n")
    declaration = declared(
        {**SPLIT, "files": ["log.csv", "more.csv"]},
        {"column": "state", "positive": ["paid", "gone"]},
        x={"kind": "categorical", "min_count": 1},
        none={"kind": "numeric", "column": "empty"},
        rare={"kind": "multi_categorical", "column": "n", "min_count": 99},
    )
    schema = prepare(declaration, log, log / "out")
    assert schema.filters["unknown_ids"] == {
        "test": {"rare": {"unknown": 3, "ids": 3}, "x": {"unknown": 3, "ids": 3}},
        "train": {"rare": {"unknown": 9, "ids": 9}, "x": {"unknown": 0, "ids": 9}},
    }
    assert list(notes(schema)) == [
        "1 file without a usable row: more.csv",
        "task buy: positive: no row has 'gone'; column 'state' holds 'new' (4 rows), 'Paid' (3 "
        "rows), 'paid' (3 rows), 'shipped' (2 rows)",
        "field none: every row lacks a value",
        "test: 3 of 3 ids of field rare (100%) are not in its vocabulary",
        "test: 3 of 3 ids of field x (100%) are not in its vocabulary",
        "train: 9 of 9 ids of field rare (100%) are not in its vocabulary",
        "test: task buy has 0 positives among 3 rows, so its AUC is not defined there",
    ]
    assert "  note: field none: every row lacks a value\n" in summary(schema)
    assert "; missing: train 100.0%, test 100.0%\n" in summary(schema)
    assert "field x: categorical, 5 embedding rows; unknown ids: train 0.0%, test 100.0%\n" in (
        summary(schema)
    )


@pytest.mark.parametrize(("alone", "noted"), [(0, False), (3, True), (5, False)])
def test_a_few_positives_without_the_task_before_are_noted(alone, noted):
    """Where half of them are alone, the tasks are in no sequence."""
    positives, defined = {"click": 20, "buy": 10}, {"click": 99, "buy": 99}
    split = Split("train", 99, positives, defined, (), {"click": 0, "buy": alone})
    tasks = (Task("click"), Task("buy"))
    schema = Schema("shop", (), tasks, {"train": split}, filters={"missing": {}})
    sentence = (
        "train: buy is positive and click is not on 3 of 10 rows, so models of tasks in sequence "
        "refuse them"
    )
    assert list(notes(schema)) == ([sentence] if noted else [])
