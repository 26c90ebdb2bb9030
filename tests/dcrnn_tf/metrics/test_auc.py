import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dcrnn_tf.metrics.auc import auc


def test_auc_by_hand():
    # Pairs (positive, negative): 0.8 beats both; 0.4 beats 0.1 and ties with 0.4.
    assert auc([1, 1, 0, 0], [0.8, 0.4, 0.4, 0.1]) == (1 + 1 + 0.5 + 1) / 4
    assert auc([1, 0], [0.0, 1.0]) == 0.0
    assert auc([1, 0, 0], [0.5, 0.5, 0.5]) == 0.5


def test_auc_needs_both_classes():
    assert auc([0, 0], [0.1, 0.2]) is None
    assert auc([1, 1], [0.1, 0.2]) is None


@pytest.mark.parametrize("decimals", [1, 2, 8])
def test_auc_agrees_with_scikit_learn_ties_or_not(decimals):
    random = np.random.default_rng(0)
    labels = random.random(20_000) < 0.01
    scores = np.round(random.normal(size=20_000) + labels, decimals).astype(np.float32)
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_auc_does_not_suffer_from_small_probabilities():
    random = np.random.default_rng(1)
    logits = random.normal(-9, 1, 100_000)
    labels = random.random(100_000) < 0.01 * (logits > -9)
    scores = 1 / (1 + np.exp(-logits))
    assert auc(labels, scores) == pytest.approx(auc(labels, logits), abs=1e-12)
