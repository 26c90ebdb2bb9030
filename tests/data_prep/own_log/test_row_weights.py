"""Columns of example weights, from the log to batches."""

import pathlib

import numpy as np
import pytest
import yaml

from data_prep.own_log.declaration import load_declaration, parse_declaration
from data_prep.own_log.preparation import prepare
from data_prep.own_log.row_encoder import RowEncoder
from data_prep.own_log.statistics import summary
from dcrnn_tf.dataset import verification
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError, load_schema
from tests.damage import change_column, put

CONTENT = {
    "name": "shop",
    "weight": "importance",
    "split": {"by": "file", "train": "train.csv", "test": "test.csv"},
    "fields": {"row": {"kind": "numeric", "scaling": "none"}},
    "tasks": {"click": {}, "buy": {"weight": "amount"}},
}
HEADER = "row,click,buy,importance,amount"
ROWS = ["0,1,1,2,10", "1,1,0,0.5,0", "2,0,0,1e0,5", "3,0,0,0,1"]


def declared(**changes):
    return parse_declaration({**CONTENT, **changes}, pathlib.Path("shop.yaml"))


def write(folder, rows=ROWS):
    for name in ("train.csv", "test.csv"):
        (folder / name).write_text("\n".join([HEADER, *rows]) + "\n")


def test_batches_have_the_weights_of_each_task_on_average_1(tmp_path):
    write(tmp_path)
    schema = prepare(declared(), tmp_path, tmp_path / "shop")
    click, buy = schema.tasks
    assert (click.weight, click.weight_mean) == ("weight of importance", 3.5 / 4)
    assert (buy.weight, buy.weight_mean) == ("weight of amount", 4.0)
    assert load_schema(tmp_path / "shop") == schema
    assert "weight of importance: 0.875 on average of training rows" in summary(schema)
    dataset = PreparedDataset(tmp_path / "shop")
    for split in ("train", "test"):
        ((features, _, weights),) = dataset.batches(split, 10, seed=1)
        order = np.argsort(features["row"].numpy())
        assert list(features) == ["row"]
        np.testing.assert_allclose(weights["click"].numpy()[order] * 0.875, [2, 0.5, 1, 0])
        np.testing.assert_allclose(weights["buy"].numpy()[order] * 4, [10, 0, 5, 1])
        assert weights["click"].dtype == "float32"
        ((features, _),) = dataset.batches(split, 10, weighted=False)
        stored = dataset.example_weights(split)
        order = np.argsort(features["row"].numpy())
        np.testing.assert_allclose(stored["buy"][order] * 4, [10, 0, 5, 1])
    assert not list(verification.findings(tmp_path / "shop", schema))
    # They are no input.
    encoder = RowEncoder(tmp_path / "shop")
    import polars as pl

    assert list(encoder(pl.DataFrame({"row": ["1"]}))) == ["row"]


def test_a_weight_of_one_task_leaves_the_others_alone(tmp_path):
    write(tmp_path)
    content = {key: value for key, value in CONTENT.items() if key != "weight"}
    schema = prepare(parse_declaration(content, pathlib.Path("d")), tmp_path, tmp_path / "shop")
    assert [task.weight for task in schema.tasks] == [None, "weight of amount"]
    ((_, _, weights),) = PreparedDataset(tmp_path / "shop").batches("train", 10)
    assert weights["click"].numpy().tolist() == [1, 1, 1, 1]
    assert list(PreparedDataset(tmp_path / "shop").example_weights("train")) == ["buy"]


def test_without_the_key_nothing_of_it_is_written(tmp_path):
    write(tmp_path)
    content = {**CONTENT, "tasks": {"click": {}, "buy": {}}}
    del content["weight"]
    prepare(parse_declaration(content, pathlib.Path("d")), tmp_path, tmp_path / "shop")
    assert '"weight":' not in (tmp_path / "shop" / "schema.json").read_text()
    assert len(next(iter(PreparedDataset(tmp_path / "shop").batches("train", 4)))) == 2


@pytest.mark.parametrize("cell", ["", "nan", "-1", "-1e-9", "inf", "1e39", "much"])
def test_other_weights_are_bad_rows(tmp_path, cell):
    write(tmp_path, [*ROWS, f"4,1,1,{cell},1"])
    shown = "is empty" if cell in ("", "nan") else f"holds '{cell}'"
    with pytest.raises(
        DatasetError, match=f"train.csv, line 6: weight: column 'importance' {shown}"
    ):
        prepare(declared(), tmp_path, tmp_path / "shop")
    schema = prepare(declared(), tmp_path, tmp_path / "shop", max_bad_rows=2)
    assert schema.filters["bad_rows"] == {"weight not allowed": 2}
    assert schema.split("train").rows == 4


def test_weights_of_0_alone_are_refused(tmp_path):
    write(tmp_path, [row.rsplit(",", 1)[0] + ",0" for row in ROWS])
    with pytest.raises(DatasetError, match="weight: column 'amount' holds 0 in every training row"):
        prepare(declared(), tmp_path, tmp_path / "shop")
    assert not (tmp_path / "shop").exists()


def test_a_column_that_is_not_there_is_named(tmp_path):
    write(tmp_path)
    with pytest.raises(DatasetError, match=r"no column 'importnce' \(weight\).*'importance'"):
        prepare(declared(weight="importnce"), tmp_path, tmp_path / "shop")
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump({**CONTENT, "weight": 3}))
    with pytest.raises(DatasetError, match="weight is 3, expected text"):
        load_declaration(path)


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_other_weights_on_disk_are_found(tmp_path, value):
    write(tmp_path)
    schema = prepare(declared(), tmp_path, tmp_path / "shop")
    change_column(tmp_path / "shop", "train", 0, "weight of amount", put(2, value))
    (finding,) = verification.content_findings(tmp_path / "shop", schema)
    assert f"weight of amount: value 2 of the block is {value}" in finding
