"""Metrics by slice: which rows a slice has, and what is computed of them."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.metrics.by_group.gauc import gauc
from dcrnn_tf.metrics.by_group.ranking import GroupedRanking
from dcrnn_tf.training.evaluation import slices as module
from dcrnn_tf.training.evaluation.row_groups import RowGroups
from dcrnn_tf.training.evaluation.slices import Slices, check, evaluate_slices, read
from tests.conftest import exposure_columns, user_columns


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return PreparedDataset(dataset_folder, ["tags"])  # slices may be those of any other field


@pytest.fixture(scope="module")
def rows(dataset):
    """Columns of the test split's rows in the order on disk, which their prices tell."""
    ((features, _),) = PreparedDataset(dataset.folder, ["price"]).batches("test", 700)
    price = features["price"].numpy()
    columns = exposure_columns(700, 2)
    order = np.round(price * 100).astype(int)
    return {"price": price, "item": columns["item"][order], "user": columns["user_row"][order]}


def test_ids_are_slices_in_the_order_of_numbers_and_rare_ones_are_one(dataset, rows, monkeypatch):
    monkeypatch.setattr(module, "MOST", 5)
    found = read(dataset, "test", "item")
    # Rows 2 and on of the vocabulary are the ids 100 and on.
    ids = {label: rows["item"][found.numbers == n] for n, label in enumerate(found.labels)}
    *known, others, unknown, missing = ids
    assert (others, unknown, missing) == ("(others)", "(unknown)", "(missing)")
    assert known == sorted(known)
    assert len(known) == 5
    for label in known:
        assert set(ids[label].tolist()) == {int(label) - 98}
    assert set(ids[missing].tolist()) == {0}
    assert set(ids[unknown].tolist()) == {1}
    least = min(len(ids[label]) for label in known)
    assert max(np.bincount(ids[others])) <= least
    assert sum(map(len, ids.values())) == 700


def test_a_field_of_an_entity_table_has_the_values_of_its_rows(dataset, rows):
    found = read(dataset, "test", "age")
    age = user_columns()["age"][rows["user"]]
    assert found.labels == ["100", "101", "102", "103", "104", "105", "(unknown)", "(missing)"]
    np.testing.assert_array_equal(found.numbers, np.array([7, 6, 0, 1, 2, 3, 4, 5])[age])


def test_numbers_are_cut_into_equal_parts(dataset, rows):
    found = read(dataset, "test", "price")
    assert np.bincount(found.numbers).tolist() == [70] * 10
    assert (found.labels[0], found.labels[1]) == ("below 0.7", "0.7 to below 1.4")
    assert found.labels[-1] == "from 6.3"
    np.testing.assert_array_equal(found.numbers, np.floor(np.round(rows["price"] * 100) / 70))


def test_equal_numbers_are_never_parted(monkeypatch):
    for values, labels, counts in (
        ([1.0] * 8, ["all"], [8]),
        ([0.0] * 6 + [1.0, 2.0], ["below 1", "1 to below 2", "from 2"], [6, 1, 1]),
    ):
        found = module._of_numbers("x", np.array(values, np.float32))
        assert found.labels == labels
        assert np.bincount(found.numbers).tolist() == counts


def test_every_metric_is_that_of_the_slices_rows():
    random = np.random.default_rng(1)
    numbers, users = random.integers(0, 3, 900), random.integers(0, 40, 900)
    labels, logits = random.integers(-1, 2, 900).astype(np.int8), random.normal(size=900)
    weights = random.random(900)
    found = evaluate_slices(
        Slices("hour", ["7", "8", "9"], numbers),
        {"click": labels},
        {"click": logits},
        weights={"click": weights},
        groups=RowGroups("user", users),
    )
    assert list(found) == ["7", "8", "9"]
    for number, values in enumerate(found.values()):
        own = (numbers == number) & (labels >= 0)
        expected = roc_auc_score(labels[own], logits[own])
        weighted = roc_auc_score(labels[own], logits[own], sample_weight=weights[own])
        click = values["click"]
        assert click["rows"] == own.sum()
        assert click["auc"] == pytest.approx(expected, rel=1e-12)
        assert click["weighted_auc"] == pytest.approx(weighted, rel=1e-12)
        assert click["gauc"] == gauc(GroupedRanking(labels[own], logits[own], users[own]))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tags", "by tags, a multi_categorical field of dataset tiny; expected a field with one"),
        ("user", "by user, no field of dataset tiny; expected"),
        ("agee", r"by agee, no field of .*; did you mean 'age'\?$"),
    ],
)
def test_other_columns_are_refused(dataset, name, message):
    with pytest.raises(DatasetError, match=f"^metrics cannot be sliced {message}"):
        check(dataset, ["item", name])
