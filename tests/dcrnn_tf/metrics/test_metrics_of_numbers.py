"""Metrics of predicted numbers beside those of scikit-learn, and pairs counted one by one."""

import numpy as np
import pytest
import sklearn.metrics

from dcrnn_tf import metrics
from dcrnn_tf.dataset.schema import BINARY, REGRESSION
from dcrnn_tf.metrics.auc import auc
from dcrnn_tf.metrics.mae import constant_mae, mae
from dcrnn_tf.metrics.rmse import constant_rmse, rmse
from dcrnn_tf.metrics.spearman import spearman
from dcrnn_tf.metrics.xauc import xauc


def numbers(rows, seed=0):
    """Labels and predictions with ties in each and in both."""
    random = np.random.default_rng(seed)
    labels = random.lognormal(size=rows).round(1)
    return labels, (labels + random.normal(size=rows)).round(1)


def pairs_in_order(labels, predictions):
    right = total = 0.0
    for i in range(len(labels)):
        for j in range(i):
            if labels[i] != labels[j]:
                product = (labels[i] - labels[j]) * (predictions[i] - predictions[j])
                right += 1.0 if product > 0 else 0.5 * (product == 0)
                total += 1
    return right / total


@pytest.mark.parametrize("rows", [3, 17, 200])
def test_xauc_counts_pairs(rows):
    labels, predictions = numbers(rows, rows)
    assert xauc(labels, predictions) == pytest.approx(
        pairs_in_order(labels, predictions), abs=1e-12
    )


def test_xauc_of_zeros_and_ones_is_the_auc():
    random = np.random.default_rng(1)
    labels = (random.random(500) < 0.3).astype(np.int8)
    scores = (labels + 2 * random.normal(size=500)).round(1)
    assert xauc(labels, scores) == pytest.approx(auc(labels, scores), abs=1e-12)


def test_xauc_and_rank_correlation_where_nothing_is_ranked():
    assert xauc([1.0, 1.0], [1.0, 2.0]) is None
    assert xauc([1.0, 2.0], [3.0, 3.0]) == 0.5
    assert spearman([1.0, 1.0], [1.0, 2.0]) is None
    assert spearman([1.0, 2.0], [3.0, 3.0]) is None
    assert xauc([5.0], [1.0]) is None


def test_errors_beside_scikit_learn():
    labels, predictions = numbers(300)
    expected = sklearn.metrics.root_mean_squared_error(labels, predictions)
    assert rmse(labels, predictions) == pytest.approx(expected)
    assert mae(labels, predictions) == pytest.approx(
        sklearn.metrics.mean_absolute_error(labels, predictions)
    )
    constants = np.linspace(labels.min(), labels.max(), 20_001)[:, np.newaxis]
    assert constant_rmse(labels) == pytest.approx(
        np.sqrt(np.square(labels - constants).mean(axis=1).min()), rel=1e-6
    )
    assert constant_mae(labels) == pytest.approx(np.abs(labels - constants).mean(1).min(), rel=1e-3)


def test_a_kind_of_task_has_metrics_of_its_own():
    labels, predictions = numbers(20)
    found = metrics.compute({"labels": labels, "predictions": predictions}, REGRESSION)
    assert list(found) == ["xauc", "mae", "constant_mae", "rmse", "constant_rmse", "spearman"]
    assert "auc" in metrics.compute({"labels": labels > 1, "logits": predictions}, BINARY)
    assert metrics.primary_of(found).name == "xauc"
    assert metrics.primary_of(["auc", "logloss"]).name == "auc"
    assert metrics.primary_of([]).name == "auc"
