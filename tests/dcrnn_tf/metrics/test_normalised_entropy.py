import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import log_loss

from dcrnn_tf.metrics.normalised_entropy import normalised_entropy


def test_it_is_the_logloss_over_the_entropy():
    random = np.random.default_rng(0)
    logits = random.normal(-2, 1, 2000)
    labels = random.random(2000) < expit(logits)
    rate = labels.mean()
    entropy = -rate * np.log(rate) - (1 - rate) * np.log(1 - rate)
    expected = log_loss(labels, expit(logits)) / entropy
    assert normalised_entropy(labels, logits) == pytest.approx(expected, rel=1e-12)
    constant = np.full(2000, np.log(rate / (1 - rate)))
    assert normalised_entropy(labels, constant) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("labels", [[0, 0], [1, 1]])
def test_of_one_class_it_is_not_defined(labels):
    assert normalised_entropy(labels, [0.5, -0.5]) is None
