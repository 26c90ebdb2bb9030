"""Bootstrap intervals, whose width is known: that of the standard error."""

import numpy as np
import pytest

from dcrnn_tf import metrics
from dcrnn_tf.dataset.schema import REGRESSION
from dcrnn_tf.metrics.by_group.gauc import auc_of_groups
from dcrnn_tf.metrics.by_group.ranking import NO_GROUP, GroupedRanking
from dcrnn_tf.metrics.intervals.bootstrap import intervals
from dcrnn_tf.metrics.intervals.delong import auc_interval

random = np.random.default_rng(3)
ROWS = 2000
LABELS = (random.random(ROWS) < 0.3).astype(np.int8)
LOGITS = (random.normal(size=ROWS) + LABELS).astype(np.float32)
WIDTH = 2 * 1.96


def width(ends):
    return ends[1] - ends[0]


def test_rows_that_are_drawn_alone_have_the_standard_error_of_their_mean():
    found = intervals({"labels": LABELS, "logits": LOGITS}, resamples=400)
    loss = np.logaddexp(0.0, LOGITS) - LABELS * LOGITS
    assert width(found["logloss"]) == pytest.approx(WIDTH * loss.std() / ROWS**0.5, rel=0.12)
    assert width(found["auc"]) == pytest.approx(width(auc_interval(LABELS, LOGITS)), rel=0.12)
    values = metrics.compute({"labels": LABELS, "logits": LOGITS})
    for name, (low, high) in found.items():
        if name != "calibration_error":  # of resamples it is larger than that of all rows
            assert low < values[name] < high
    assert set(found) == {n for n in values if not n.startswith("constant_")}


def test_rows_of_a_group_are_drawn_together():
    # 100 groups, the 20 rows of each alike: as wide as of 100 rows, sqrt(20) times of 2,000.
    errors = np.repeat(random.normal(size=100), 20)
    columns = {"labels": np.zeros(ROWS), "predictions": errors}
    alone = width(intervals(columns, REGRESSION)["mae"])
    groups = np.repeat(random.permutation(100) * 7, 20)
    together = width(intervals(columns | {"groups": groups}, REGRESSION)["mae"])
    assert together == pytest.approx(WIDTH * np.abs(errors).std() / 10, rel=0.2)
    assert together / alone == pytest.approx(20**0.5, rel=0.25)
    none = columns | {"groups": np.full(ROWS, NO_GROUP)}
    assert intervals(none, REGRESSION)["mae"] == intervals(columns, REGRESSION)["mae"]


def test_means_over_groups_have_the_standard_error_over_groups():
    groups = random.integers(0, 150, ROWS)
    ranking = GroupedRanking(LABELS, LOGITS, groups)
    columns = {"labels": LABELS, "logits": LOGITS, "groups": groups, "ranking": ranking}
    found = intervals(columns, resamples=400)
    aucs, rows = ranking.per_group(auc_of_groups), ranking.rows
    mean = np.average(aucs, weights=rows)
    error = np.sqrt(np.sum((rows * (aucs - mean)) ** 2)) / rows.sum()  # of a quotient of sums
    assert width(found["gauc"]) == pytest.approx(WIDTH * error, rel=0.12)
    assert found["gauc"][0] < mean < found["gauc"][1]
    assert {"gauc_by_positives", "ndcg_at_10", "mrr", "hit_rate_at_10", "auc"} <= set(found)


def test_the_same_seed_draws_the_same_and_what_is_not_defined_has_no_interval():
    columns = {"labels": LABELS[:50], "logits": LOGITS[:50]}
    assert intervals(columns, seed=1, resamples=30) == intervals(columns, seed=1, resamples=30)
    assert intervals(columns, seed=1, resamples=30) != intervals(columns, seed=2, resamples=30)
    assert "auc" not in intervals({"labels": np.zeros(9), "logits": LOGITS[:9]}, resamples=20)
    assert intervals({"labels": LABELS[:0], "logits": LOGITS[:0]}) == {}
