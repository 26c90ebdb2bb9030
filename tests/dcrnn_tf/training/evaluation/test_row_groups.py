"""Groups of a split's rows: of an entity table, of a field, and in the metrics of a run."""

import dataclasses
import shutil

import numpy as np
import pytest

from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.metrics.by_group.gauc import gauc
from dcrnn_tf.metrics.by_group.ranking import NO_GROUP, GroupedRanking
from dcrnn_tf.training import evaluation
from dcrnn_tf.training.evaluation import row_groups
from tests.conftest import TASKS, exposure_columns, user_columns
from tests.damage import change_column, put


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return PreparedDataset(dataset_folder, ["item"])  # groups may be those of any other field


@pytest.fixture(scope="module")
def rows(dataset):
    """Columns of the test split's rows in the order on disk, which their prices tell."""
    batches = PreparedDataset(dataset.folder, ["price"]).batches("test", 700)
    ((features, _),) = batches
    order = np.round(features["price"].numpy() * 100).astype(int)
    columns = exposure_columns(700, 2)
    return {name: columns[name][order] for name in ("user_row", "item", "click")}


def test_rows_of_an_entity_table_are_a_group_each(dataset, rows):
    for groups in (row_groups.read(dataset, "test"), row_groups.read(dataset, "test", "user")):
        assert groups.name == "user"
        np.testing.assert_array_equal(groups.numbers, rows["user_row"])


def test_ids_of_a_field_are_a_group_each_and_unknown_and_missing_ones_are_none(dataset, rows):
    age = user_columns()["age"][rows["user_row"]]
    for name, ids in (("item", rows["item"]), ("age", age)):
        groups = row_groups.read(dataset, "test", name).numbers
        np.testing.assert_array_equal(groups, np.where(ids < 2, NO_GROUP, ids))
        assert np.sum(groups == NO_GROUP) > 0


def test_without_a_table_of_users_there_are_no_groups_unless_some_are_asked_for(
    dataset, monkeypatch
):
    monkeypatch.setattr(dataset, "schema", dataclasses.replace(dataset.schema, entities={}))
    assert row_groups.read(dataset, "test") is None
    assert row_groups.read(dataset, "test", "item").name == "item"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("itme", r"by itme, no entity table or field of .* one id a row; did you mean 'item'\?$"),
        ("price", "by price, a numeric field of dataset tiny; expected an entity table or a field"),
        ("tags", "by tags, a multi_categorical field of dataset tiny; expected"),
    ],
)
def test_other_columns_are_refused(dataset, name, message):
    with pytest.raises(DatasetError, match=f"^rows cannot be grouped {message}"):
        row_groups.check(dataset, name)


@pytest.mark.parametrize(("column", "name"), [("user_row", "user"), ("item", "item")])
def test_a_number_out_of_range_is_named(dataset_folder, tmp_path, column, name):
    copy = shutil.copytree(dataset_folder, tmp_path / "copy")
    change_column(copy, "test", 0, column, put(5, 40))
    with pytest.raises(DatasetError, match=rf"record 0 .*{column}.* 40.*; prepare the dataset"):
        row_groups.read(PreparedDataset(copy, ["price"]), "test", name)


def test_metrics_by_group_stand_beside_the_others_with_what_is_left_out(dataset, rows):
    labels = {"click": rows["click"].astype(np.int8), "conversion": np.full(700, -1, np.int8)}
    labels["conversion"][:100] = np.arange(100) % 2
    logits = {task: rows["item"].astype(np.float32) for task in labels}
    groups = row_groups.read(dataset, "test")
    values = evaluation.evaluate(labels, logits, (), TASKS, groups=groups)
    click = GroupedRanking(labels["click"], logits["click"], rows["user_row"])
    assert values["click"]["gauc"] == gauc(click)
    there = slice(100)  # the rows where conversion is defined
    conversion = GroupedRanking(
        labels["conversion"][there], logits["conversion"][there], rows["user_row"][there]
    )
    assert values["conversion"]["gauc"] == gauc(conversion)
    assert values["conversion"]["grouped_by"] == "user"
    left_out = conversion.groups_of_one_class
    assert values["conversion"]["groups_of_one_class"] == left_out > 0
    sentence = evaluation.sentence(values["conversion"])
    words = f", {conversion.groups} groups by user ({left_out} of one class, left out of the"
    assert f"GAUC {gauc(conversion):.4f}, " in sentence
    assert words in sentence
    assert "gauc" not in evaluation.evaluate(labels, logits)["click"]
