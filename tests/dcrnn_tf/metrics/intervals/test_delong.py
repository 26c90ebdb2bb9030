"""DeLong's interval of the AUC, compared with its definition pair by pair and with repetition."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from dcrnn_tf.metrics.intervals.delong import auc_interval


def plain(labels, scores):
    """Half the length of the interval, from all pairs of a positive and a negative."""
    positives, negatives = scores[labels == 1], scores[labels == 0]
    pairs = positives[:, None] > negatives
    pairs = pairs + 0.5 * (positives[:, None] == negatives)
    variance = np.var(pairs.mean(1), ddof=1) / len(positives)
    variance += np.var(pairs.mean(0), ddof=1) / len(negatives)
    return norm.ppf(0.975) * np.sqrt(variance)


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_it_is_that_of_all_pairs(decimals):
    random = np.random.default_rng(0)
    labels = (random.random(500) < 0.1).astype(int)
    scores = np.round(random.normal(size=500) + labels, decimals)
    auc, reach = roc_auc_score(labels, scores), plain(labels, scores)
    assert auc_interval(labels, scores) == pytest.approx((auc - reach, auc + reach), rel=1e-12)


def test_it_holds_the_truth_as_often_as_it_says():
    random = np.random.default_rng(1)
    truth = norm.cdf(1 / np.sqrt(2))  # of two normal distributions one deviation apart
    held = 0
    for _ in range(400):
        labels = np.arange(300) < 60
        low, high = auc_interval(labels, random.normal(size=300) + labels)
        held += low < truth < high
    assert 0.92 < held / 400 < 0.975


def test_ends_stay_within_0_and_1_and_need_two_rows_of_a_class():
    assert auc_interval([1, 1, 0, 0, 0], [0.9, 0.3, 0.4, 0.1, 0.0])[1] == 1.0
    assert auc_interval([1, 0, 0], [0.9, 0.3, 0.4]) is None
