"""Labels that are missing on rows of their own, from the log to batches."""

import pathlib

import pytest

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.preparation import prepare
from data_prep.own_log.statistics import summary
from dcrnn_tf.dataset import verification
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError, Task
from tests.damage import change_column, put

FIELDS = {"row": {"kind": "numeric", "scaling": "none"}}
SPLIT = {"by": "file", "train": "train.csv", "test": "test.csv"}
MISSING = {"may_be_missing": True}
TASKS = {"click": MISSING, "buy": {"only_where": "click", **MISSING}, "like": MISSING, "seen": {}}
# The row, click, buy, like, seen; and the labels that a batch has.
ROWS = {
    (0, "1", "1", "0", "1"): (1, 1, 0, 1),
    (1, "1", "0", "", "0"): (1, 0, -1, 0),
    (2, "1", "", "1", "1"): (1, -1, 1, 1),
    (3, "0", "", "", "0"): (0, -1, -1, 0),
    (4, "0", "0", "1", "1"): (0, -1, 1, 1),
    (5, "", "", "0", "0"): (-1, -1, 0, 0),
    (6, "", "0", "", "0"): (-1, -1, -1, 0),
}


def declared(tasks=TASKS):
    content = {"name": "shop", "split": SPLIT, "fields": FIELDS, "tasks": tasks}
    return parse_declaration(content, pathlib.Path("shop.yaml"))


@pytest.fixture
def log(tmp_path):
    lines = ["row,click,buy,like,seen", *(",".join(map(str, row)) for row in ROWS)]
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    return tmp_path


def test_rows_stay_and_the_label_alone_is_not_defined(log):
    schema = prepare(declared(), log, log / "shop")
    dataset = PreparedDataset(log / "shop")
    assert dataset.schema.tasks[1] == Task("buy", "click", may_be_missing=True)
    (features, labels), *more = dataset.batches("train", 100)
    assert not more
    order = features["row"].numpy().argsort()
    assert [
        tuple(int(labels[task][position]) for task in schema.task_names) for position in order
    ] == list(ROWS.values())
    train = schema.split("train")
    assert train.rows == 7
    assert train.defined == {"click": 5, "buy": 2, "like": 4, "seen": 7}
    assert train.positives == {"click": 3, "buy": 1, "like": 2, "seen": 3}
    # Like without buy in row 4; in row 2 nothing is known of buy. Seen without like in row 0.
    assert train.out_of_sequence == {"click": 0, "buy": 0, "like": 1, "seen": 1}
    assert "click 3 of 5 (0.6000), buy 1 of 2 (0.5000), like 2 of 4" in summary(schema)
    assert not list(verification.findings(log / "shop", dataset.schema))


def test_without_the_key_a_row_without_label_is_a_bad_row(log):
    declaration = declared({"click": MISSING, "like": {}})
    with pytest.raises(DatasetError, match=r"train.csv, line 3: task like: column 'like' has no"):
        prepare(declaration, log, log / "shop")
    schema = prepare(declaration, log, log / "shop", max_bad_rows=6)
    assert schema.filters["bad_rows"] == {"label missing": 6}
    assert schema.split("train").defined["like"] == 4


def test_what_is_positive_without_its_parent_is_a_bad_row_also_where_that_is_missing(log):
    (log / "train.csv").write_text("row,click,buy,like,seen\n1,,1,1,1\n")
    with pytest.raises(DatasetError, match="column 'buy' is positive where task click is not"):
        prepare(declared(), log, log / "shop")


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_the_key_is_true_or_false(value):
    with pytest.raises(DatasetError, match=r"may_be_missing is .*, expected true or false"):
        declared({"click": {"may_be_missing": value}})
    assert not declared({"click": {"may_be_missing": False}}).tasks[0].may_be_missing


@pytest.mark.parametrize("label", [-2, 2])
def test_other_labels_on_disk_are_damage(log, label):
    prepare(declared(), log, log / "shop")
    change_column(log / "shop", "test", 0, "like", put(3, label))
    dataset = PreparedDataset(log / "shop")
    with pytest.raises(DatasetError, match=f"like: value 3 of the block is {label}, .* -1 to 1"):
        list(dataset.batches("test", 100))
