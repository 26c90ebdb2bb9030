import math

import pytest
from scipy import stats

from experiments.tables.statistics import mean_interval, paired_difference, summarise


def test_summary_of_hand_worked_values():
    summary = summarise([1.0, 2.0, 3.0, 4.0])
    assert (summary.count, summary.best, summary.mean) == (4, 4.0, 2.5)
    assert summary.std == pytest.approx(math.sqrt(5 / 3))
    # t(0.975, 3) = 3.182446 from a printed table; standard error sqrt(5/3)/2.
    half = 3.182446305 * math.sqrt(5 / 3) / 2
    assert summary.interval == pytest.approx((2.5 - half, 2.5 + half))


def test_summary_of_a_single_value_claims_no_spread():
    summary = summarise([0.61])
    assert (summary.count, summary.best, summary.mean) == (1, 0.61, 0.61)
    assert summary.std is None
    assert summary.interval is None


def test_equal_values_have_no_interval():
    assert mean_interval([0.6, 0.6, 0.6]) is None
    assert summarise([0.6, 0.6, 0.6]).std == pytest.approx(0.0)


def test_paired_difference_of_hand_worked_values():
    difference = paired_difference({1: 0.70, 2: 0.72, 3: 0.71}, {1: 0.69, 2: 0.70, 3: 0.70})
    assert difference.pairs == 3
    assert difference.mean == pytest.approx(0.04 / 3)
    # Differences 0.01, 0.02, 0.01: standard error 0.01 / 3, t = 4; t(0.975, 2) = 4.302653.
    half = 4.30265273 * 0.01 / 3
    assert difference.interval == pytest.approx((0.04 / 3 - half, 0.04 / 3 + half))
    # The t distribution with 2 degrees of freedom has p = 1 - t / sqrt(t^2 + 2).
    assert difference.p_value == pytest.approx(1 - 4 / math.sqrt(18))


def test_paired_difference_uses_common_seeds_alone_and_matches_scipy():
    ours = {1: 0.661, 2: 0.672, 3: 0.665, 4: 0.669, 9: 0.1}
    theirs = {4: 0.660, 3: 0.664, 2: 0.663, 1: 0.659, 7: 0.9}
    difference = paired_difference(ours, theirs)
    test = stats.ttest_rel([0.661, 0.672, 0.665, 0.669], [0.659, 0.663, 0.664, 0.660])
    low, high = test.confidence_interval(0.95)
    assert difference.pairs == 4
    assert difference.p_value == pytest.approx(test.pvalue, rel=1e-12)
    assert difference.interval == pytest.approx((low, high), rel=1e-12)


def test_the_pairing_counts():
    # The same differences between seeds in both: paired, the gap of 0.001 is seen clearly.
    theirs = {1: 0.60, 2: 0.65, 3: 0.70}
    ours = {1: 0.6010, 2: 0.6511, 3: 0.7009}
    assert paired_difference(ours, theirs).p_value < 0.01


def test_differences_without_spread_give_neither_interval_nor_p():
    difference = paired_difference({1: 0.6, 2: 0.7, 3: 0.8}, {1: 0.5, 2: 0.6, 3: 0.7})
    assert difference.mean == pytest.approx(0.1)
    assert difference.interval is None
    assert difference.p_value is None


def test_one_common_seed_gives_the_difference_alone():
    difference = paired_difference({1: 0.6, 2: 0.7}, {2: 0.65})
    assert (difference.pairs, difference.interval, difference.p_value) == (1, None, None)
    assert difference.mean == pytest.approx(0.05)


def test_no_common_seed_is_no_comparison():
    assert paired_difference({1: 0.6}, {2: 0.6}) is None
    assert paired_difference({}, {2: 0.6}) is None


def test_the_best_of_a_figure_that_is_to_be_small_is_the_smallest():
    assert summarise([0.3, 0.1, 0.2], best=min).best == 0.1
    assert summarise([0.3, 0.1, 0.2]).best == 0.3
