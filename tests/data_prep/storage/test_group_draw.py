"""Whole groups that together have a share of all rows."""

import numpy as np
import pytest

from data_prep.storage.group_draw import draw_groups


def heavy_tailed(seed, groups=400):
    """Rows of groups, some of which have a twentieth of all each."""
    rows = np.ceil(np.random.default_rng(seed).pareto(0.9, groups) * 3).astype(np.int64)
    return np.minimum(rows, 300)


def nearest(rows, wanted):
    """The least distance that any choice of groups has."""
    sums = {0}
    for size in rows.tolist():
        sums |= {total + size for total in sums}
    return min(abs(wanted - total) for total in sums)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_the_share_is_met_whatever_the_seed(share):
    for seed in range(100):
        rows = heavy_tailed(seed)
        wanted = round(share * rows.sum())
        drawn = draw_groups(rows, wanted, np.random.default_rng(seed))
        assert abs(rows[drawn].sum() - wanted) <= 0.01 * wanted, seed


def test_few_groups_come_nearly_as_near_as_any_choice_of_them():
    random = np.random.default_rng(3)
    missed = 0
    for _ in range(300):
        rows = random.integers(50, 100, 12)
        wanted = int(random.integers(200, 700))
        distance = abs(rows[draw_groups(rows, wanted, random)].sum() - wanted)
        missed += distance > nearest(rows, wanted) + 3
    assert missed < 30


def test_what_groups_do_not_allow():
    random = np.random.default_rng(0)
    assert not draw_groups(np.array([0, 0]), 0, random).any()
    assert not draw_groups(np.array([9, 9, 0]), 0, random).any()
    assert not draw_groups(np.array([100]), 5, random).any()  # none is nearer than all
    assert draw_groups(np.array([100, 0]), 60, random).tolist() == [True, False]
    assert draw_groups(np.array([4, 0, 6]), 10, random).tolist() == [True, False, True]


def test_the_draw_is_that_of_the_seed():
    rows = heavy_tailed(1)
    wanted = round(0.2 * rows.sum())
    one, same, other = (draw_groups(rows, wanted, np.random.default_rng(s)) for s in (5, 5, 6))
    assert (one == same).all()
    assert (one != other).any()


def test_every_group_may_be_drawn():
    """Also heavy ones: each of twenty equal groups is in a fifth of all draws."""
    rows = np.full(20, 7)
    drawn = sum(draw_groups(rows, 28, np.random.default_rng(seed)) for seed in range(500))
    expected, deviation = 500 * 0.2, (500 * 0.2 * 0.8) ** 0.5
    assert (np.abs(drawn - expected) < 4 * deviation).all()
