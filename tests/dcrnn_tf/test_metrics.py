import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.metrics import roc_curve as sklearn_roc_curve

from dcrnn_tf import metrics


def test_auc_by_hand():
    # Pairs (positive, negative): 0.8 beats both; 0.4 beats 0.1 and ties with 0.4.
    assert metrics.auc([1, 1, 0, 0], [0.8, 0.4, 0.4, 0.1]) == (1 + 1 + 0.5 + 1) / 4
    assert metrics.auc([1, 0], [0.0, 1.0]) == 0.0
    assert metrics.auc([1, 0, 0], [0.5, 0.5, 0.5]) == 0.5


def test_auc_needs_both_classes():
    assert metrics.auc([0, 0], [0.1, 0.2]) is None
    assert metrics.auc([1, 1], [0.1, 0.2]) is None


@pytest.mark.parametrize("decimals", [1, 2, 8])
def test_auc_agrees_with_scikit_learn_ties_or_not(decimals):
    random = np.random.default_rng(0)
    labels = random.random(20_000) < 0.01
    scores = np.round(random.normal(size=20_000) + labels, decimals).astype(np.float32)
    assert metrics.auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_auc_does_not_suffer_from_small_probabilities():
    random = np.random.default_rng(1)
    logits = random.normal(-9, 1, 100_000)
    labels = random.random(100_000) < 0.01 * (logits > -9)
    scores = 1 / (1 + np.exp(-logits))
    assert metrics.auc(labels, scores) == pytest.approx(metrics.auc(labels, logits), abs=1e-12)


def test_logloss_by_hand_and_without_overflow():
    assert metrics.logloss([1, 0], [0.0, 0.0]) == pytest.approx(np.log(2))
    assert metrics.logloss([1], [1000.0]) == 0.0
    assert metrics.logloss([0], [1000.0]) == 1000.0
    random = np.random.default_rng(2)
    logits = random.normal(size=1000)
    labels = random.random(1000) < 0.3
    expected = log_loss(labels, 1 / (1 + np.exp(-logits)))
    assert metrics.logloss(labels, logits) == pytest.approx(expected, rel=1e-12)


def test_constant_logloss_by_hand():
    # One of four: -(0.25 ln 0.25 + 0.75 ln 0.75)
    assert metrics.constant_logloss([1, 0, 0, 0]) == pytest.approx(0.5623351446)
    assert metrics.constant_logloss([0, 0]) == 0.0


def test_calibration_by_hand():
    assert metrics.calibration([1, 0, 0, 0], np.zeros(4)) == pytest.approx(2.0)
    assert metrics.calibration([0, 0], np.zeros(2)) is None


def test_roc_curve_agrees_with_scikit_learn():
    random = np.random.default_rng(3)
    labels = random.random(2000) < 0.2
    scores = np.round(random.normal(size=2000) + labels, 1)
    false, true, _ = sklearn_roc_curve(labels, scores, drop_intermediate=False)
    curve = metrics.roc_curve(labels, scores)
    expected = np.interp(np.linspace(0, 1, 201), false, true)
    np.testing.assert_allclose(curve["true_positive_rate"][1:], expected[1:], atol=1e-12)


def test_score_histogram_counts_every_row():
    random = np.random.default_rng(4)
    logits = random.normal(size=1000)
    labels = random.random(1000) < 0.2
    histogram = metrics.score_histogram(labels, logits)
    assert sum(histogram["positives"]) == labels.sum()
    assert sum(histogram["negatives"]) == (~labels).sum()
    assert len(histogram["edges"]) == 41
