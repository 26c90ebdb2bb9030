"""Boosted trees and logistic regression: what they see of a dataset, and their run folders."""

import copy
import dataclasses
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import sklearn.linear_model

from data_prep.storage.writer import DatasetWriter, Ragged
from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import CATEGORICAL, MULTI_CATEGORICAL, NUMERIC, Field, Task
from dcrnn_tf.metrics.logloss import logloss
from dcrnn_tf.training.evaluation import Predictor, evaluate
from experiments.baselines import boosted_trees, logistic_regression
from experiments.baselines import inputs as tabular
from experiments.runs.fitted_run import FittingError, learnable
from experiments.runs.run import load_run

ROOT = pathlib.Path(__file__).parents[3]
SETTINGS = {"max_rows": 2000, "iterations": 40, "learning_rate": 0.3, "max_leaf_nodes": 15}


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return PreparedDataset(dataset_folder)


def write(folder, fields, columns, user):
    """A dataset whose splits are all the same rows."""
    with DatasetWriter(folder, "plain", fields, (Task("click"),), seed=1) as writer:
        writer.add_entity_rows("user", user)
        for field in fields:
            if field.kind != NUMERIC:
                ids = np.arange(field.vocabulary_size - 2)
                writer.add_vocabulary(field.name, ids, np.ones(len(ids)))
        for split in ("train", "test"):
            writer.add_rows(split, columns)
        writer.finish({"simulated": True}, {}, {})
    return PreparedDataset(folder)


def test_the_table_by_hand(tmp_path):
    fields = (
        Field("few", CATEGORICAL, 255),
        Field("many", CATEGORICAL, 256),
        Field("tags", MULTI_CATEGORICAL, 12, max_values=3, weighted=True),
        Field("price", NUMERIC),
        Field("history", MULTI_CATEGORICAL, 30, max_values=3, entity="user"),
    )
    columns = {
        "few": np.array([0, 1, 7]),
        "many": np.array([0, 1, 7]),
        "tags": Ragged(np.array([2, 5, 1]), np.array([2, 0, 1]), np.array([1.0, 3.0, 2.0])),
        "price": np.array([0.5, -2.0, 4.0]),
        "user_row": np.array([1, 0, 1]),
        "click": np.array([0, 1, 1]),
    }
    user = {"history": Ragged(np.array([4, 8, 9]), np.array([0, 3]))}
    dataset = write(tmp_path / "plain", fields, columns, user)
    names = [column.name for column in tabular.columns(fields)]
    assert [c.name for c in tabular.columns(fields) if c.categorical] == ["few"]
    table, labels = tabular.read(dataset, "test", 10)
    nan = np.nan
    by_price = table[np.argsort(table[:, names.index("price")])]  # rows lie in random order
    expected = {
        "few": [255, nan, 7],
        "many": [256, nan, 7],
        "tags/values": [0, 2, 1],
        "tags/most_frequent": [nan, 2, 12],
        "tags/mean": [nan, (2 * 1 + 5 * 3) / 4, 12],
        "price": [-2, 0.5, 4],
        "history/values": [0, 3, 3],
        "history/most_frequent": [nan, 4, 4],
        "history/mean": [nan, 7, 7],
    }
    assert list(expected) == names
    np.testing.assert_array_equal(by_price, np.array(list(expected.values())).T)
    assert table.dtype == np.float32
    assert sorted(labels["click"]) == [0, 1, 1]


def test_reading_ends_with_the_rows_asked_for(dataset, monkeypatch):
    monkeypatch.setattr(tabular, "_BATCH", 64)
    whole, all_labels = tabular.read(dataset, "train", 10_000)
    assert len(whole) == 3000
    part, labels = tabular.read(dataset, "train", 100)
    np.testing.assert_array_equal(part, whole[:100])
    np.testing.assert_array_equal(labels["click"], all_labels["click"][:100])


@pytest.fixture(scope="module")
def fitted(dataset):
    return boosted_trees.fit(dataset, seed=1, **SETTINGS)


def test_trees_see_the_product_that_no_linear_model_sees(fitted):
    figures = evaluate(fitted.labels["test"], fitted.logits["test"])
    assert figures["click"]["auc"] > 0.7  # 0.81 at best; a linear model's is 0.5
    assert 0.5 < figures["click"]["calibration"] < 2


def test_the_number_of_trees_is_the_best_on_validation(dataset, fitted):
    """As fits of their own with fewer trees have it, whose first trees are the same."""
    losses = {}
    chosen = fitted.record["trees"]["click"]
    splits = dataset.schema.splits
    held_out = PreparedDataset(dataset.folder)
    held_out.schema = dataclasses.replace(
        dataset.schema, splits={"train": splits["train"], "test": splits["validation"]}
    )
    assert 1 < chosen < SETTINGS["iterations"]
    for trees in (chosen - 1, chosen, chosen + 1):
        other = boosted_trees.fit(held_out, seed=1, **SETTINGS | {"iterations": trees})
        assert other.record["trees"]["click"] == trees  # without validation all are used
        losses[trees] = logloss(other.labels["test"]["click"], other.logits["test"]["click"])
    assert min(losses, key=losses.get) == chosen
    again = fitted.logits["validation"]["click"]
    assert logloss(fitted.labels["validation"]["click"], again) == pytest.approx(losses[chosen])


def test_the_same_seed_gives_the_same_bits(dataset, fitted):
    again = boosted_trees.fit(dataset, seed=1, **SETTINGS)
    for split, logits in fitted.logits.items():
        for task, values in logits.items():
            assert values.tobytes() == again.logits[split][task].tobytes()


def test_labels_of_one_class_are_refused():
    assert learnable(Task("click"), np.array([0.0, -1.0, 1.0])).tolist() == [True, False, True]
    with pytest.raises(FittingError, match="3 training rows have no positives or no negatives"):
        learnable(Task("click"), np.array([0.0, -1.0, 0.0]))


def test_too_few_rows_are_refused(dataset):
    with pytest.raises(FittingError, match="the 1 training rows have no positives"):
        boosted_trees.fit(dataset, seed=1, **SETTINGS | {"max_rows": 1})


@pytest.mark.parametrize(
    ("module", "model", "flags"),
    [
        ("boosted_trees", "boosted_trees", ["--iterations=2"]),
        pytest.param(
            "logistic_regression",
            "sklearn_logistic_regression",
            ["--inverse_regularisation=0.1"],
            marks=pytest.mark.slow,  # `make leaderboard PRESET=smoke` runs it too
        ),
    ],
)
def test_the_run_folder_is_like_that_of_a_model(module, model, flags, dataset_folder, tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, "-m", f"experiments.baselines.{module}", *flags]
    command += [f"--data_dir={dataset_folder}", f"--run_dir={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "test click: AUC " in done.stdout
    assert (folder / "report.html").exists()
    assert set(json.loads((folder / "curves.json").read_text())) == {"click", "conversion"}
    finished = load_run(folder)
    assert finished.config["model"] == model
    assert set(finished.result["metrics"]) == {"validation", "test"}


def test_logistic_regression_counts_a_model_a_task_and_needs_no_validation_rows(dataset):
    columns = logistic_regression.one_hot(dataset, "train")[0].shape[1]
    fitted = logistic_regression.fit(dataset, 10_000, [0.1])
    sizes = {"total": 2 * (columns + 1), "embedding": 2 * columns, "other": 2}
    assert fitted.parameters == sizes
    whole, labels = logistic_regression.one_hot(dataset, "test")
    assert whole.shape[0] == len(fitted.logits["test"]["click"]) == 700
    assert fitted.logits["test"]["click"].dtype == np.float32
    assert fitted.labels["test"]["click"].dtype == labels["click"].dtype
    splits = {k: v for k, v in dataset.schema.splits.items() if k != "validation"}
    without = copy.copy(dataset)
    without.schema = dataclasses.replace(dataset.schema, splits=splits)
    again = logistic_regression.fit(without, 10_000, [0.1])
    np.testing.assert_array_equal(again.logits["test"]["click"], fitted.logits["test"]["click"])


def test_both_logistic_regressions_are_one_model(dataset):
    """scikit-learn's weights in the table of the registry's model give scikit-learn's logits.

    But for missing values, which have no column of their own there, and weights of lists, which it
    does not know.
    """
    names = ["item", "price", "history"]
    some = PreparedDataset(dataset.folder, names)
    inputs, labels = logistic_regression.one_hot(some, "train")
    fitted = sklearn.linear_model.LogisticRegression().fit(inputs, labels["click"])
    model = models.build("logistic_regression", some.schema)
    coefficients = {}
    start = 0
    for field in some.schema.fields:
        stop = start + (field.vocabulary_size or 1)
        coefficients[field.name] = fitted.coef_[0, start:stop]
        start = stop
    table = np.concatenate([coefficients["item"], coefficients["history"]])
    model.embedding.table.assign(np.stack([table, table], axis=1))
    model.embedding.numeric_slopes.assign(np.full((1, 2), coefficients["price"][0]))
    model.embedding.numeric_intercepts.assign(np.zeros((1, 2)))
    model.networks[0].bias.assign(fitted.intercept_[0])
    _, logits = Predictor(model, {"click": 1.0, "conversion": 1.0}).predict(some, "test")
    expected = fitted.decision_function(logistic_regression.one_hot(some, "test")[0])
    np.testing.assert_allclose(logits["click"], expected, rtol=1e-4, atol=1e-4)
