"""Negatives that are left out of training rows: which ones, and what is said of them."""

import pathlib
import random

import numpy as np
import pytest

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.parsing import csv_file
from data_prep.own_log.preparation import prepare
from data_prep.own_log.statistics import summary
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError, load_schema

ROWS, SEED, KEEP = 2000, 7, 0.25
CONTENT = {
    "name": "shop",
    "split": {"by": "file", "train": "train.csv", "test": "test.csv"},
    "fields": {
        "row": {"kind": "numeric", "scaling": "none"},
        "item": {"kind": "categorical", "min_count": 1},
    },
    "tasks": {
        "click": {"keep_negatives": KEEP, "may_be_missing": True},
        "buy": {"only_where": "click"},
        "like": {},
    },
}


def declared(**tasks):
    content = {**CONTENT, "tasks": {**CONTENT["tasks"], **tasks}}
    return parse_declaration(content, pathlib.Path("shop.yaml"))


@pytest.fixture(scope="module")
def rows():
    draw = random.Random(1)
    clicks = [draw.choice(["", "0", "0", "0", "1"]) for _ in range(ROWS)]
    return [
        (n, draw.randrange(9), click, int(click == "1" and draw.random() < 0.4), draw.randrange(2))
        for n, click in enumerate(clicks)
    ]


@pytest.fixture(scope="module")
def log(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("log")
    lines = ["row,item,click,buy,like", *(",".join(map(str, row)) for row in rows)]
    for name in ("train.csv", "test.csv"):
        (folder / name).write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def stay(rows):
    """The training rows that stay: each draws the number of its place among all rows."""
    numbers = np.random.default_rng([SEED, 3]).random(ROWS)
    return [
        row for row, number in zip(rows, numbers, strict=True) if row[2] != "0" or number < KEEP
    ]


@pytest.fixture(scope="module")
def schema(log):
    return prepare(declared(), log, log / "shop", SEED)


def numbers_of(dataset, split):
    batches = dataset.batches(split, 512, weighted=False)
    return sorted(int(n) for features, _ in batches for n in features["row"].numpy())


def test_rows_stay_by_a_number_of_their_own(log, rows, stay, schema):
    dataset = PreparedDataset(log / "shop")
    assert numbers_of(dataset, "train") == [row[0] for row in stay]
    assert numbers_of(dataset, "test") == [row[0] for row in rows]
    left_out = ROWS - len(stay)
    assert schema.filters["negatives_left_out"] == left_out
    assert 0.6 * ROWS * 0.7 < left_out < 0.6 * ROWS * 0.8
    train, test = schema.split("train"), schema.split("test")
    assert train.positives["click"] == test.positives["click"]
    assert train.defined["buy"] == test.defined["buy"]
    assert test.defined["click"] - train.defined["click"] == left_out
    assert f"training negatives of click left out: {left_out:,}, the share 0.25" in summary(schema)
    assert load_schema(log / "shop").tasks[0].keep_negatives == KEEP


def test_the_draw_does_not_depend_on_how_rows_are_read(log, stay, schema, monkeypatch, tmp_path):
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 1500)
    again = prepare(declared(), log, tmp_path / "shop", SEED)
    assert numbers_of(PreparedDataset(tmp_path / "shop"), "train") == [row[0] for row in stay]
    assert again.fields == schema.fields
    assert again.filters == schema.filters
    other = prepare(declared(), log, tmp_path / "other", SEED + 1)
    assert other.split("train").rows != schema.split("train").rows or (
        numbers_of(PreparedDataset(tmp_path / "other"), "train") != [row[0] for row in stay]
    )


def test_for_other_tasks_rows_stand_for_those_left_out(log, schema):
    dataset = PreparedDataset(log / "shop")
    ((_, labels, weights),) = dataset.batches("train", ROWS)
    click = labels["click"].numpy()
    assert set(weights["click"].numpy()) == {1.0}
    for task in ("buy", "like"):
        found = weights[task].numpy()
        assert found.mean() == pytest.approx(1, rel=1e-5)
        negative, other = set(found[click == 0]), set(found[click != 0])
        assert len(negative) == len(other) == 1
        assert negative.pop() == pytest.approx(other.pop() / KEEP)
    assert list(dataset.example_weights("train")) == ["buy", "like"]
    assert dataset.example_weights("test") == {}
    assert len(next(iter(dataset.batches("test", 10)))) == 2


def test_a_task_that_is_defined_on_some_rows_has_negatives_there_alone(log, rows, tmp_path):
    declaration = declared(
        click={"may_be_missing": True}, buy={"only_where": "click", "keep_negatives": 0.5}
    )
    schema = prepare(declaration, log, tmp_path / "shop", SEED)
    numbers = np.random.default_rng([SEED, 3]).random(ROWS)
    expected = [
        row[0]
        for row, number in zip(rows, numbers, strict=True)
        if not (row[2] == "1" and row[3] == 0 and number >= 0.5)
    ]
    assert numbers_of(PreparedDataset(tmp_path / "shop"), "train") == expected
    train = schema.split("train")
    assert train.defined["click"] - train.positives["click"] == rows_with(rows, "0")


def rows_with(rows, click):
    return sum(row[2] == click for row in rows)


def test_a_share_of_1_is_as_if_it_were_not_there(log, tmp_path):
    schemas = [
        prepare(declared(click={"may_be_missing": True, **more}), log, tmp_path / name, SEED)
        for name, more in (("with", {"keep_negatives": 1}), ("without", {}))
    ]
    assert schemas[0].splits == schemas[1].splits
    assert schemas[0].filters == schemas[1].filters
    assert '"keep_negatives"' not in (tmp_path / "without" / "schema.json").read_text()


@pytest.mark.parametrize("value", [0, -0.1, 1.5, "much", True, None, float("nan")])
def test_other_shares_are_refused(value):
    with pytest.raises(
        DatasetError, match=r"task click: keep_negatives is .*, expected a number abo"
    ):
        declared(click={"keep_negatives": value})


def test_one_task_alone_may_have_it():
    with pytest.raises(DatasetError, match="tasks click, like have keep_negatives, expected one"):
        declared(like={"keep_negatives": 0.5})
    with pytest.raises(DatasetError, match="'keep_negatives' is not a key of a regression task"):
        declared(like={"kind": "regression", "keep_negatives": 0.5})
