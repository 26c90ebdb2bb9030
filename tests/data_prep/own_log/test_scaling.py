"""Own logs: the scaling of numbers."""

import math

import numpy as np
import pytest

from data_prep.own_log.learning import scaling
from data_prep.own_log.learning.scaling import ScalingLearner


def scaled(kind, training, values):
    learner = ScalingLearner(kind)
    learner.add(np.array(training, float))
    return learner.encoding().numbers(np.array(values, float), np).tolist()


def test_scalings_by_hand():
    nan = math.nan
    assert scaled("none", [5.0], [3.5, nan]) == [3.5, 0.0]
    assert scaled("standard", [1, 3, nan, 1, 3], [1, 2, 4, nan]) == [-1, 0, 2, 0]
    assert scaled("standard", [7, 7], [7, nan]) == [0, 0]
    # As a sum over many, the mean of 0.1 is not 0.1.
    assert scaled("standard", [0.1] * 100, [0.1, 1.1]) == pytest.approx([0, 1])
    e = math.e
    assert scaled("log", [], [e - 1, 1 - e, 0, nan]) == pytest.approx([1, -1, 0, 0])
    # Of 0, 0, 0, 10 the middle of the step at 0 is 3/8, at 10 it is 7/8: 2 F - 1.
    assert scaled("quantile", [0, 0, 10, nan, 0], [0, 10, 5, -1, 99, nan]) == pytest.approx(
        [-0.25, 0.75, 0.25, -0.25, 0.75, 0]
    )
    assert scaled("quantile", [nan], [3, nan]) == [0, 0]


@pytest.mark.parametrize("kind", ["standard", "quantile"])
def test_scaling_does_not_depend_on_chunks(kind, monkeypatch):
    monkeypatch.setattr(scaling, "SAMPLE_ROWS", 1000)
    values = np.random.default_rng(3).lognormal(size=20000) + 1000
    whole, pieces = ScalingLearner(kind), ScalingLearner(kind)
    whole.add(values)
    for piece in np.split(values, [1, 10, 5000, 5000, 19999]):
        pieces.add(piece)
    found, whole = pieces.encoding().numbers(values, np), whole.encoding()
    np.testing.assert_allclose(found, whole.numbers(values, np), rtol=1e-5, atol=1e-6)
    if kind == "standard":
        assert whole.mean == pytest.approx(values.mean(), rel=1e-12)
        assert whole.standard_deviation == pytest.approx(values.std(), rel=1e-9)
    else:
        assert len(whole.knots) <= scaling.KNOTS
        # Ranks from a sample of 1000 err by at most 1.95 / sqrt(1000) with probability 0.999,
        # linear parts between 256 knots by 1 / 256 more; the range is twice that of ranks.
        ranks = 2 * (np.argsort(np.argsort(values)) + 0.5) / len(values) - 1
        assert np.abs(whole.numbers(values, np) - ranks).max() < 2 * (
            1.95 / math.sqrt(1000) + 1 / 256
        )
