"""NDCG, reciprocal rank and hit rate of groups, compared with means over all orders of ties."""

import itertools
import math

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from dcrnn_tf import metrics
from dcrnn_tf.metrics.by_group import ranking as module
from dcrnn_tf.metrics.by_group.hit_rate import hits_of_groups
from dcrnn_tf.metrics.by_group.mrr import reciprocal_ranks
from dcrnn_tf.metrics.by_group.ndcg import ndcg_of_groups
from dcrnn_tf.metrics.by_group.ranking import NO_GROUP, GroupedRanking


def orders(labels, scores):
    """Yields the labels in every order that falling scores allow."""
    tied = [
        [label for label, score in zip(labels, scores, strict=True) if score == value]
        for value in sorted(set(scores), reverse=True)
    ]
    for parts in itertools.product(*(itertools.permutations(part) for part in tied)):
        yield list(itertools.chain(*parts))


def plain_hit(order, depth):
    return float(any(order[:depth]))


def plain_reciprocal_rank(order):
    return 1 / (order.index(1) + 1)


def plain_ndcg(order, depth):
    gain = sum(label / math.log2(2 + rank) for rank, label in enumerate(order[:depth]))
    return gain / sum(1 / math.log2(2 + rank) for rank in range(min(depth, sum(order))))


@pytest.mark.parametrize("rows_at_once", [1, 30, module._PART])
def test_they_are_means_over_all_orders_of_equal_scores(monkeypatch, rows_at_once):
    monkeypatch.setattr(module, "_PART", rows_at_once)
    random = np.random.default_rng(4)
    labels = random.random(400) < 0.4
    scores = random.integers(0, 3, 400).astype(np.float32)
    groups = random.integers(NO_GROUP, 70, 400)
    found = GroupedRanking(labels, scores, groups)
    plain = []
    for group in range(70):
        own = groups == group
        if len(set(labels[own].tolist())) == 2:
            plain.append(list(orders(labels[own].astype(int).tolist(), scores[own].tolist())))
    assert len(plain) > 50
    assert any(len(group) > 100 for group in plain)

    def check(of_groups, of_order):
        expected = [np.mean([of_order(order) for order in group]) for group in plain]
        np.testing.assert_allclose(found.per_group(of_groups), expected, rtol=1e-12)

    check(reciprocal_ranks, plain_reciprocal_rank)
    for depth in (1, 3, 10):
        check(
            lambda runs, k=depth: hits_of_groups(runs, k),
            lambda order, k=depth: plain_hit(order, k),
        )
        check(
            lambda runs, k=depth: ndcg_of_groups(runs, k),
            lambda order, k=depth: plain_ndcg(order, k),
        )


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_ndcg_is_that_of_scikit_learn(decimals):
    random = np.random.default_rng(5)
    labels = random.random((40, 30)) < 0.2
    scores = np.round(random.normal(size=(40, 30)) + labels, decimals)
    groups = np.repeat(np.arange(40), 30)
    ranking = GroupedRanking(labels.ravel(), scores.ravel(), groups)
    there = (labels.sum(1) > 0) & (labels.sum(1) < 30)
    expected = ndcg_score(labels[there], scores[there], k=10)
    assert metrics.get("ndcg_at_10").compute(ranking) == pytest.approx(expected, rel=1e-12)


def test_a_constant_has_the_values_of_chance_however_large_the_group():
    rows, positives = 200_000, 3
    labels = np.arange(rows) < positives
    ranking = GroupedRanking(labels, np.zeros(rows, np.float32), np.zeros(rows, int))
    # The first of p positives among n rows is the j-th in C(n - j, p - 1) of C(n, p) orders.
    chances = [math.comb(rows - j, positives - 1) / j for j in range(1, rows + 1)]
    expected = math.fsum(chances) / math.comb(rows, positives)
    assert metrics.get("mrr").compute(ranking) == pytest.approx(expected, rel=1e-9)
    missed = math.comb(rows - positives, 10) / math.comb(rows, 10)
    assert metrics.get("hit_rate_at_10").compute(ranking) == pytest.approx(1 - missed, rel=1e-9)
