"""Tasks whose label is a number: checked, learned from training rows, stored as they are."""

import math
import pathlib

import numpy as np
import pytest

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.preparation import prepare
from data_prep.own_log.rows import labels
from data_prep.own_log.statistics import summary
from dcrnn_tf.dataset import verification
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError, load_schema
from dcrnn_tf.dataset.targets import Target

TRAIN = """user,click,watch,spend
a,1,3,0
b,0,0,2.5
c,1,1,0
d,1,8,10
e,0,,0
"""
TEST = "user,click,watch,spend\na,1,2,1e1\nb,0,0,0\n"


def declared(**tasks):
    content = {
        "name": "video",
        "split": {"by": "file", "train": "train.csv", "test": "test.csv"},
        "tasks": {"click": {}, **tasks},
        "fields": {"user": {"kind": "categorical", "min_count": 1}},
    }
    return parse_declaration(content, pathlib.Path("video.yaml"))


@pytest.fixture
def prepared(tmp_path):
    """A function that prepares the log with tasks of numbers, and returns the schema."""

    def prepared(train=TRAIN, max_bad_rows=0, test=TEST, **tasks):
        (tmp_path / "train.csv").write_text(train)
        (tmp_path / "test.csv").write_text(test)
        declaration = declared(**tasks)
        return prepare(declaration, tmp_path, tmp_path / "out", max_bad_rows=max_bad_rows)

    return prepared


WATCH = {"kind": "regression", "only_where": "click"}
SPEND = {"kind": "regression", "loss": "zero_inflated_lognormal"}


def test_numbers_are_stored_as_they_are_and_nan_where_the_task_is_not_defined(prepared, tmp_path):
    schema = prepared(watch=WATCH, spend=SPEND)
    assert load_schema(tmp_path / "out") == schema
    train = schema.split("train")
    assert train.defined == {"click": 5, "watch": 3, "spend": 5}
    assert train.positives == {"click": 3, "watch": 3, "spend": 2}
    assert train.out_of_sequence == {"click": 0, "watch": 0, "spend": 0}
    dataset = PreparedDataset(tmp_path / "out")
    ((_, labels),) = dataset.batches("train", 8)
    columns = [labels[task].numpy().tolist() for task in ("click", "watch", "spend")]
    found = sorted(zip(*columns, strict=True), key=lambda row: row[2])
    found = [tuple(None if math.isnan(x) else x for x in row) for row in found]
    assert sorted(found[:3], key=str) == [(0.0, None, 0.0), (1.0, 1.0, 0.0), (1.0, 3.0, 0.0)]
    assert found[3:] == [(0.0, None, 2.5), (1.0, 8.0, 10.0)]
    assert list(verification.findings(tmp_path / "out", schema)) == []
    assert "spend 2 of 5 above 0 (0.4000)" in summary(schema)


def test_scalings_are_learned_from_the_training_rows_where_the_task_is_defined(prepared):
    tasks = prepared(watch=WATCH, spend=SPEND).tasks
    values = np.array([3.0, 1.0, 8.0])
    target = tasks[1].target
    assert (target.loss, target.scaling) == ("squared", "standard")
    np.testing.assert_allclose(
        [target.mean, target.deviation, target.average], [4.0, values.std(), 4.0]
    )
    logs = np.log([2.5, 10.0])
    target = tasks[2].target
    assert (target.loss, target.scaling) == ("zero_inflated_lognormal", "log")
    np.testing.assert_allclose(
        [target.mean, target.deviation, target.average, target.above_0],
        [logs.mean(), logs.std(), 2.5, 0.4],
    )


def test_logarithms_are_scaled_to_mean_0_and_deviation_1():
    numbers = np.array([-3.0, 0.0, 7.0])
    logs = np.array([-math.log(4), 0.0, math.log(8)])
    target = Target("huber", "log", mean=logs.mean(), deviation=logs.std())
    np.testing.assert_allclose(target.scaled(numbers, np), (logs - logs.mean()) / logs.std())
    back = target.unscaled(target.scaled(numbers, np), np)
    np.testing.assert_allclose(back, numbers, atol=1e-15)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("f,1,two,0", "task watch: column 'watch' holds 'two', expected a number"),
        ("f,1,1e39,0", "task watch: column 'watch' holds '1e39', expected a number from -3.4e+38"),
        ("f,1,,0", "task watch: column 'watch' has no label"),
        ("f,0,3,0", "task watch: column 'watch' holds '3' where task click is not positive"),
        ("f,0,,-1", "task spend: column 'spend' holds '-1', expected an amount from 0"),
    ],
)
def test_a_row_whose_number_cannot_be_is_named_or_left_out(prepared, tmp_path, row, message):
    with pytest.raises(DatasetError) as error:
        prepared(TRAIN + row, watch=WATCH, spend=SPEND)
    assert "train.csv, line 7" in str(error.value)
    assert message in str(error.value)
    assert prepared(TRAIN + row, 1, watch=WATCH, spend=SPEND).split("train").rows == 5


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ({"watch": {"kind": "regresion"}}, "did you mean 'regression'"),
        (
            {"watch": {"kind": "regression", "positive": 1}},
            "'positive' is not a key of a regression",
        ),
        ({"watch": {"loss": "huber"}}, "'loss' is not a key of a binary task"),
        ({"watch": {**WATCH, "loss": "hubr"}}, "did you mean 'huber'"),
        ({"watch": {**WATCH, "scaling": "quantile"}}, "expected one of standard, log, none"),
        ({"watch": {**SPEND, "scaling": "standard"}}, "expected one of log, none"),
        (
            {"watch": {"kind": "regression"}, "spend": {**SPEND, "only_where": "watch"}},
            "only_where='watch' is a regression task, which has no positives",
        ),
    ],
)
def test_what_a_task_of_numbers_cannot_be_is_refused(tasks, message):
    with pytest.raises(DatasetError, match=r"^video\.yaml: ") as error:
        declared(**tasks)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ("user,click,watch,spend\na,1,3,0\nb,0,,1\n", "task watch has the number 3 alone"),
        ("user,click,watch,spend\na,1,3,0\nb,1,4,0\nc,0,,0\n", "task spend has no amount above 0"),
    ],
)
def test_training_rows_with_nothing_to_learn_are_refused(prepared, train, message):
    with pytest.raises(DatasetError) as error:
        prepared(train, watch=WATCH, spend=SPEND)
    assert message in str(error.value)


def test_an_infinite_number_on_disk_is_found(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(
        labels, "unusable_numbers", lambda cells, numbers: np.zeros(len(cells), bool)
    )
    schema = prepared(test=TEST + "f,1,inf,0\n", watch=WATCH)
    (finding,) = verification.content_findings(tmp_path / "out", schema)
    assert "watch: value " in finding
    assert " of the block is inf (1 such)" in finding
