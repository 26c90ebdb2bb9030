"""What permuting a field costs: values computed anew, fields that say nothing, the files."""

import csv

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dcrnn_tf.system.errors import UsageError
from experiments.importance import __main__ as importance
from experiments.importance import measure
from experiments.importance.measure import Rows
from experiments.runs import trained_runs
from experiments.tables.statistics import mean_interval

PARTS = 3


def probabilities(run, features):
    return run.predictor.probabilities(features, run.dataset.schema.tasks, 100)["click"]


@pytest.fixture(scope="module")
def rows(run):
    """Test rows on which every user has one hour, and clicks are what the model says."""
    read = measure.read(run, "test", 240, PARTS)
    features = {**read.features, "hour": np.full_like(read.features["hour"], 3)}
    scores = probabilities(run, features)
    labels = read.labels | {"click": (scores > np.median(scores)).astype(np.float32)}
    labels["buy"] = np.where(labels["click"] > 0, np.abs(read.labels["buy"]), -1)
    return Rows(features, labels)


def test_losses_are_those_of_an_independent_computation(run, rows):
    found = measure.importances(run, rows, PARTS, seed=7, batch_size=100)
    aucs = {one.field: one for one in found if (one.task, one.metric.name) == ("click", "auc")}
    assert set(aucs) == {field.name for field in run.dataset.schema.fields}
    number = [field.name for field in run.dataset.schema.fields].index("tags")
    random = np.random.default_rng([7, number])
    losses = []
    for part in range(PARTS):
        cut = slice(80 * part, 80 * part + 80)
        features = {name: column[cut] for name, column in rows.features.items()}
        order = random.permutation(80)
        features |= {name: features[name][order] for name in ("tags", "tags_weight")}
        label = rows.labels["click"][cut]
        losses.append(1 - roc_auc_score(label, probabilities(run, features)))
    assert aucs["tags"].loss == pytest.approx(np.mean(losses), rel=1e-6)
    assert aucs["tags"].interval == pytest.approx(mean_interval(losses), rel=1e-5)
    assert aucs["tags"].value == 1.0
    assert aucs["tags"].loss > 0.01
    for one in found:
        if one.field == "hour":
            assert (one.loss, one.interval) == (0.0, None)
        if one.metric.name == "logloss" and one.field == "tags" and one.task == "click":
            assert one.loss > 0  # a higher logloss is worse


def test_the_program_writes_a_page_and_all_numbers(shop, run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(trained_runs, "load_chosen", lambda *_: run)
    out = tmp_path / "page"
    given = {"run_dir": str(shop / "run"), "out_dir": str(out), "split": "test"}
    importance.main(importance.Settings(**given, rows=100, parts=4))
    assert "## click, AUC" in capsys.readouterr().out
    with open(out / "importance.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["task"] for line in lines} == set(run.dataset.schema.task_names)
    assert {line["field"] for line in lines} == {f.name for f in run.dataset.schema.fields}
    assert "<img" in (out / "importance.html").read_text("utf-8")
    assert "price" in (out / "importance.md").read_text("utf-8")
    with pytest.raises(UsageError, match="--parts=400 is too many for the 300 rows of test"):
        importance.main(importance.Settings(**given, rows=1000, parts=400))
