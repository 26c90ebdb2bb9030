"""The AUC within groups, compared with scikit-learn's of each group."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dcrnn_tf.metrics.by_group import ranking as module
from dcrnn_tf.metrics.by_group.gauc import gauc, gauc_by_positives
from dcrnn_tf.metrics.by_group.ranking import NO_GROUP, GroupedRanking


def by_hand(labels, scores, groups):
    """Rows, positives and AUC of each group of both classes, by scikit-learn."""
    found = []
    for group in sorted(set(groups.tolist()) - {NO_GROUP}):
        own = labels[groups == group]
        if len(set(own.tolist())) == 2:
            auc = roc_auc_score(own, scores[groups == group])
            found.append((len(own), int(own.sum()), auc))
    return np.array(found).T


def test_by_hand():
    # Group 3: 0.8 is above 0.4 and 0.1, 0.4 ties with 0.4 and is above 0.1: 3.5 of 4 pairs. Group
    # 5: none of one pair. Group 7 has negatives alone, group 9 positives, a row has no group.
    labels = [1, 1, 0, 0, 1, 0, 0, 0, 1, 1]
    scores = [0.8, 0.4, 0.4, 0.1, 0.0, 1.0, 0.2, 0.3, 0.9, 5.0]
    groups = [3, 3, 3, 3, 5, 5, 7, 7, 9, NO_GROUP]
    ranking = GroupedRanking(labels, scores, groups)
    assert gauc(ranking) == (4 * 3.5 / 4 + 2 * 0.0) / 6
    assert gauc_by_positives(ranking) == (2 * 3.5 / 4 + 1 * 0.0) / 3
    counts = ranking.groups, ranking.groups_of_one_class, ranking.rows_without_group
    assert counts == (4, 2, 1)


def test_without_a_group_of_both_classes_it_is_not_defined():
    for labels, groups in (([1, 0], [0, 1]), ([1, 0], [NO_GROUP] * 2), ([], [])):
        ranking = GroupedRanking(labels, np.zeros(len(labels)), groups)
        assert gauc(ranking) is gauc_by_positives(ranking) is None


@pytest.mark.parametrize("rows_at_once", [1, 100, module._PART])
@pytest.mark.parametrize(
    ("decimals", "dtype"), [(0, np.float32), (1, np.float32), (9, np.float32), (9, np.float64)]
)
def test_it_is_scikit_learns_auc_of_each_group(monkeypatch, decimals, dtype, rows_at_once):
    monkeypatch.setattr(module, "_PART", rows_at_once)
    random = np.random.default_rng(2)
    groups = np.append(random.geometric(0.02, 4000) - 2, np.full(2000, 70))
    labels = (random.random(6000) < 0.1).astype(np.int8)
    scores = np.round(random.normal(size=6000) + labels, decimals).astype(dtype)
    scores[::7] *= -0.0  # of either sign, and equal
    rows, positives, aucs = by_hand(labels, scores, groups)
    ranking = GroupedRanking(labels, scores, groups)
    assert len(aucs) > 50
    assert ranking.rows_without_group == np.sum(groups == NO_GROUP) > 0
    assert ranking.groups - ranking.groups_of_one_class == len(aucs)
    assert gauc(ranking) == pytest.approx(np.average(aucs, weights=rows), rel=1e-13)
    expected = np.average(aucs, weights=positives)
    assert gauc_by_positives(ranking) == pytest.approx(expected, rel=1e-13)


def test_scores_that_differ_in_double_precision_alone_are_no_tie():
    labels, scores = [1, 0, 0, 1], np.array([1 + 1e-12, 1.0, 2.0, 2 - 1e-12])
    assert gauc(GroupedRanking(labels, scores, [0, 0, 1, 1])) == (1.0 + 0.0) / 2


def test_groups_may_have_any_names():
    labels, scores, groups = [1, 0, 1, 0], [0.9, 0.1, 0.1, 0.9], ["x", "x", "y", "y"]
    ranking = GroupedRanking(labels, scores, groups)
    assert (gauc(ranking), ranking.rows_without_group) == (0.5, 0)
