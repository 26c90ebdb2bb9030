"""The registry: what is in it, in which order, and how it computes what it can."""

import dataclasses
import doctest
import pathlib
import re

import numpy as np
import pytest

from dcrnn_tf import metrics
from dcrnn_tf.dataset.schema import BINARY
from dcrnn_tf.metrics import Metric, registry
from dcrnn_tf.metrics.by_group.ranking import GroupedRanking

ROOT = pathlib.Path(__file__).parents[3]
LABELS = np.array([1, 0, 0, 0], np.int8)
LOGITS = np.zeros(4, np.float32)


@pytest.fixture
def own_registry(monkeypatch):
    """A copy of the registry, for metrics that one test registers."""
    monkeypatch.setattr(registry, "_metrics", dict(registry._metrics))


def spread(labels, logits, groups):
    """Number of groups; a metric that needs a column which not every dataset has."""
    return float(len(set(groups)))


SPREAD = Metric(
    "spread", "spread", ".0f", better="low", compute=spread, needs=("labels", "logits", "groups")
)


def test_the_first_metrics_stand_in_the_order_of_the_pages_and_logloss_before_its_reference():
    assert [metric.name for metric in metrics.registered()][:3] == ["auc", "logloss", "calibration"]
    names = ["auc", "logloss", "constant_logloss", "calibration"]
    assert [metric.name for metric in metrics.printed()][:4] == names
    assert metrics.get(metrics.PRIMARY).better == "high"


UNWEIGHTED = {
    metric.name
    for metric in metrics.printed()
    if metric.kind == BINARY and "weights" not in metric.needs and not metric.by_group
}


def test_all_metrics_by_hand():
    # One of four rows is positive, and 0.5 is predicted for each.
    values = metrics.compute({"labels": LABELS, "logits": LOGITS})
    expected = {
        "auc": 0.5,
        "logloss": np.log(2),
        "constant_logloss": 0.25 * np.log(4) + 0.75 * np.log(4 / 3),
        "calibration": 2.0,
    }
    assert {name: values[name] for name in expected} == pytest.approx(expected)
    assert set(values) == UNWEIGHTED


def test_no_metric_is_defined_without_rows():
    values = metrics.compute({"labels": LABELS[:0], "logits": LOGITS[:0]})
    assert set(values) == UNWEIGHTED
    assert set(values.values()) == {None}


def test_a_registered_metric_is_computed_where_its_columns_are(own_registry):
    columns = {"labels": LABELS, "logits": LOGITS}
    before = metrics.compute(columns)
    metrics.register(SPREAD)
    assert metrics.compute(columns) == before
    assert metrics.compute(columns | {"groups": np.array([7, 7, 8, 9])}) == before | {"spread": 3.0}
    assert metrics.registered()[-1] is metrics.get("spread") is SPREAD


@pytest.mark.parametrize(
    "taken",
    [
        dataclasses.replace(SPREAD, name="auc"),
        dataclasses.replace(SPREAD, name="constant_logloss"),
        dataclasses.replace(SPREAD, reference=dataclasses.replace(SPREAD, name="calibration")),
    ],
)
def test_a_name_is_given_once(own_registry, taken):
    before = metrics.printed()
    with pytest.raises(ValueError, match=r"there is already a metric called (auc|con|cal)"):
        metrics.register(taken)
    assert metrics.printed() == before


@pytest.mark.parametrize(("better", "best"), [("high", 1.3), ("low", 0.6), (1.0, 0.9), (1.2, 1.3)])
def test_which_value_is_the_best(better, best):
    assert dataclasses.replace(SPREAD, better=better).best([0.6, 1.3, 0.9]) == best


def test_differences_are_printed_as_values_are_unless_said_otherwise():
    assert metrics.get("auc").difference_form == metrics.get("auc").form == ".4f"
    logloss = metrics.get("logloss")
    assert (logloss.form, logloss.difference_form) == (".5f", ".6f")


def test_a_metric_by_group_of_the_docs_is_registered_as_it_stands(own_registry):
    block = re.search(r"```pycon\n(.*?)```", (ROOT / "docs" / "metrics.md").read_text(), re.S)[1]
    test = doctest.DocTestParser().get_doctest(block, {}, "metrics.md", None, 0)
    assert doctest.DocTestRunner().run(test).failed == 0
    ranking = GroupedRanking([0] * 5 + [1], -np.arange(6.0), [0] * 6)  # the sixth, not the fifth
    columns = {"labels": LABELS, "ranking": ranking}
    assert metrics.compute(columns)["ndcg_at_5"] == 0.0 < metrics.compute(columns)["ndcg_at_10"]


def test_the_metric_of_the_docs_is_registered_as_it_stands(own_registry):
    block = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "metrics.md").read_text(), re.S)[1]
    exec(block, {})
    # Logits of 2, 1 and -1 stand for classes 1, 1 and 0: the second and third are wrong.
    values = metrics.compute({"labels": np.array([1, 0, 1]), "logits": np.array([2.0, 1.0, -1.0])})
    assert values["error_rate"] == pytest.approx(2 / 3)
    assert list(values)[-1] == "error_rate"
