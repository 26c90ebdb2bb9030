"""Rates and relative improvements: by hand, against a bootstrap, coverage of intervals."""

import numpy as np
import pytest

from experiments.dcrnn.online.experiment import Outcomes, summed
from experiments.dcrnn.online.statistics import EXPECTED, METRICS, improvement, rate

CTR, PLAY_RATE, PLAYS_PER_CLICK = METRICS
REPEATS = 4000


def outcomes(clicks, plays=None, exposures=4):
    clicks = np.asarray(clicks, np.float64)
    plays = clicks if plays is None else np.asarray(plays, np.float64)
    return Outcomes(np.full(len(clicks), float(exposures)), clicks, plays, clicks / 2, plays / 4)


def draw(random, users, factor=1.2, exposures=4):
    """Two arms over the same users, whose click-through rates are off by a factor."""
    chance = random.beta(2, 14, (users, 1))
    taste = random.random((users, exposures))  # common to both arms: their clicks go together
    clicks = [(taste < share * chance).sum(1) for share in (factor, 1.0)]
    plays = [random.binomial(count, 0.6) for count in clicks]
    return [outcomes(*pair, exposures) for pair in zip(clicks, plays, strict=True)]


def test_rate_is_that_worked_out_by_hand():
    found = rate(CTR, outcomes([2, 0, 4]))
    assert found.value == 0.5
    # Users' rates 0.5, 0 and 1: standard deviation 0.5; t(0.975, 2) = 4.30265.
    assert found.interval == pytest.approx((0.5 - 4.30265 * 0.5 / 3**0.5, 1.74207), abs=1e-4)
    assert rate(EXPECTED["ctr"], outcomes([2, 0, 4])).value == 0.25
    assert rate(EXPECTED["plays_per_click"], outcomes([2, 0, 4], [1, 0, 2])).value == 0.25
    assert rate(CTR, outcomes([3])).interval is None


def test_improvement_is_that_worked_out_by_hand():
    found = improvement(CTR, outcomes([3, 0, 3]), outcomes([2, 0, 2]))
    # Every user has 1.5 times the clicks: no user says anything else.
    assert found.value == pytest.approx(0.5)
    assert found.interval == pytest.approx((0.5, 0.5))
    found = improvement(CTR, outcomes([2, 2]), outcomes([1, 3]))
    # z: 1 and 1 against 0.5 and 1.5; differences 0.5 and -0.5, error 0.5, t(0.975, 1) = 12.7062.
    assert found.value == 0.0
    assert found.interval == pytest.approx((-6.3531, 6.3531), abs=1e-4)


def test_an_arm_against_itself_differs_by_exactly_nothing():
    arm, _ = draw(np.random.default_rng(0), 500)
    for metric in METRICS:
        found = improvement(metric, arm, arm)
        assert found.value == 0.0
        assert found.interval == (0.0, 0.0)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_intervals_are_those_of_a_bootstrap_of_users(metric):
    random = np.random.default_rng(1)
    users = 2000
    treatment, baseline = draw(random, users)
    rates = {"treatment": [], "change": []}
    sums = [*metric.of(treatment), *metric.of(baseline)]
    for _ in range(REPEATS):
        drawn = random.integers(0, users, users)
        above, exposed, below, seen = (column[drawn].sum() for column in sums)
        rates["treatment"].append(above / exposed)
        rates["change"].append((above / exposed) / (below / seen) - 1)
    for found, drawn in (
        (rate(metric, treatment), rates["treatment"]),
        (improvement(metric, treatment, baseline), rates["change"]),
    ):
        low, high = found.interval
        assert np.percentile(drawn, [2.5, 97.5]) == pytest.approx(
            (low, high), abs=0.06 * (high - low)
        )


def test_intervals_hold_the_truth_as_often_as_they_say():
    random = np.random.default_rng(2)
    held = {"rate": 0, "change": 0}
    for _ in range(1000):
        treatment, baseline = draw(random, 150)
        low, high = rate(CTR, baseline).interval
        held["rate"] += low <= 2 / 16 <= high
        low, high = improvement(CTR, treatment, baseline).interval
        held["change"] += low <= 0.2 <= high
    for count in held.values():  # binomial: standard deviation 7
        assert 930 <= count <= 970


def test_pairing_and_several_trainings_narrow_the_interval():
    random = np.random.default_rng(3)
    treatment, baseline = draw(random, 3000)

    def width(one, other):
        low, high = improvement(CTR, one, other).interval
        return high - low

    shuffled = outcomes(*(x[random.permutation(3000)] for x in (baseline.clicks, baseline.plays)))
    assert width(treatment, baseline) < 0.8 * width(treatment, shuffled)
    again = outcomes(random.binomial(4, 0.125, 3000))
    assert width(summed([treatment, again]), baseline) < width(again, baseline)


def test_trainings_are_summed_user_by_user():
    both = summed([outcomes([2, 0], [1, 0]), outcomes([4, 1], [0, 1])])
    assert both.clicks.tolist() == [6, 1]
    assert both.exposures.tolist() == [8, 8]
    assert rate(PLAY_RATE, both).value == 2 / 16
    assert rate(PLAYS_PER_CLICK, both).value == 2 / 7


def test_without_clicks_there_is_nothing_to_compare():
    none = outcomes([0, 0, 0])
    some = outcomes([1, 0, 2], [0, 0, 0])
    assert rate(CTR, none) is None
    assert rate(PLAYS_PER_CLICK, some) is None
    assert improvement(CTR, some, none) is None
    assert improvement(CTR, none, some) is None
