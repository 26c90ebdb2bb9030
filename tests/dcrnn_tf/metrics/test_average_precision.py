import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from dcrnn_tf import metrics
from dcrnn_tf.metrics.average_precision import average_precision, share_of_positives


def test_by_hand():
    # Precisions at the positives' scores: 1 of 1 at 0.9, 2 of 4 at 0.5.
    assert average_precision([1, 0, 0, 1, 0], [0.9, 0.8, 0.7, 0.5, 0.1]) == (1 + 2 / 4) / 2
    # All positives above all negatives, and all below: 1 of 4 and 2 of 5 rows.
    assert average_precision([1, 1, 0, 0, 0], [5, 4, 3, 2, 1]) == 1.0
    assert average_precision([1, 1, 0, 0, 0], [1, 2, 3, 4, 5]) == pytest.approx((1 / 4 + 2 / 5) / 2)


def test_a_tie_is_ranked_as_a_whole():
    # Two positives and a negative at 0.5 behind a negative at 0.9: both have 2 of 4.
    assert average_precision([0, 1, 1, 0, 0], [0.9, 0.5, 0.5, 0.5, 0.1]) == 2 / 4
    assert average_precision([1, 0, 0, 0], np.zeros(4)) == 1 / 4


def test_one_class():
    assert average_precision([0, 0], [0.1, 0.2]) is None
    assert share_of_positives([0, 0]) is None
    assert average_precision([1, 1], [0.1, 0.2]) == share_of_positives([1, 1]) == 1.0


@pytest.mark.parametrize("decimals", [0, 1, 2, 8])
@pytest.mark.parametrize("rate", [0.001, 0.3])
def test_agrees_with_scikit_learn_ties_or_not(decimals, rate):
    random = np.random.default_rng(0)
    labels = random.random(20_000) < rate
    scores = np.round(random.normal(size=20_000) + labels, decimals).astype(np.float32)
    expected = average_precision_score(labels, scores)
    assert average_precision(labels, scores) == pytest.approx(expected, rel=1e-12)


def test_the_reference_is_that_of_any_constant():
    labels = np.random.default_rng(1).random(1000) < 0.2
    values = metrics.compute({"labels": labels, "logits": np.full(1000, -3.0)})
    assert values["constant_average_precision"] == labels.mean()
    assert values["average_precision"] == pytest.approx(labels.mean())
