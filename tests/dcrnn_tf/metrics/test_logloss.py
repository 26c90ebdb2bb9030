import numpy as np
import pytest
from sklearn.metrics import log_loss

from dcrnn_tf.metrics.logloss import constant_logloss, logloss


def test_logloss_by_hand_and_without_overflow():
    assert logloss([1, 0], [0.0, 0.0]) == pytest.approx(np.log(2))
    assert logloss([1], [1000.0]) == 0.0
    assert logloss([0], [1000.0]) == 1000.0
    random = np.random.default_rng(2)
    logits = random.normal(size=1000)
    labels = random.random(1000) < 0.3
    expected = log_loss(labels, 1 / (1 + np.exp(-logits)))
    assert logloss(labels, logits) == pytest.approx(expected, rel=1e-12)


def test_constant_logloss_by_hand():
    # One of four: -(0.25 ln 0.25 + 0.75 ln 0.75)
    assert constant_logloss([1, 0, 0, 0]) == pytest.approx(0.5623351446)
    for labels in ([0, 0], [1, 1]):
        assert f"{constant_logloss(labels):.5f}" == "0.00000"  # and not -0.00000
