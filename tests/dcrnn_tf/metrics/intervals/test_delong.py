"""DeLong's interval of the AUC, compared with its definition pair by pair and with repetition."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from dcrnn_tf.metrics.intervals.delong import auc_difference, auc_interval


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


def test_a_difference_is_that_of_all_pairs_and_of_the_runs_mean():
    random = np.random.default_rng(2)
    labels = (random.random(300) < 0.2).astype(int)
    hint = random.normal(size=300) + labels
    ours = np.round(hint + random.normal(size=(3, 300)), 1)
    theirs = np.round(hint + 2 * random.normal(size=(2, 300)), 1)

    def shares(runs):
        """The mean over runs of whether a positive is above a negative, for each pair."""
        first, second = runs[:, labels == 1, None], runs[:, None, labels == 0]
        return ((first > second) + 0.5 * (first == second)).mean(0)

    pairs = shares(ours) - shares(theirs)
    variance = sum(np.var(pairs.mean(a), ddof=1) / pairs.shape[1 - a] for a in (0, 1))
    difference, ends = auc_difference(labels, ours, theirs)
    aucs = [[roc_auc_score(labels, run) for run in runs] for runs in (ours, theirs)]
    assert difference == pytest.approx(np.mean(aucs[0]) - np.mean(aucs[1]))
    reach = norm.ppf(0.975) * np.sqrt(variance)
    assert ends == pytest.approx((difference - reach, difference + reach))
    # The same scores differ in nothing, and one that all rows share tells nothing apart.
    assert auc_difference(labels, ours, ours) == (0.0, (0.0, 0.0))
    assert auc_difference([1, 0, 0], ours[:, :3], theirs[:, :3]) is None


def test_intervals_of_a_difference_hold_the_truth_as_often_as_they_say():
    random = np.random.default_rng(3)
    truth = norm.cdf(1 / np.sqrt(2)) - norm.cdf(1 / np.sqrt(4))  # of variance 1 and 2
    held = 0
    labels = np.arange(300) < 100
    for _ in range(400):
        shared = random.normal(size=300) + labels
        noisier = shared + random.normal(size=300)
        _, (low, high) = auc_difference(labels, shared[None], noisier[None])
        held += low < truth < high
    assert 0.92 < held / 400 < 0.975
