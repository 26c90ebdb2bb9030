"""The AUC of a simulation's true probabilities against the exact one."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from data_prep.simulation.auc_histogram import AucHistogram


@pytest.mark.parametrize("rate", [0.04, 0.003])
def test_it_is_near_the_exact_auc(rate):
    random = np.random.default_rng(1)
    odds = rate / (1 - rate) * np.exp(random.normal(scale=0.5, size=200_000))
    probabilities = odds / (1 + odds)
    labels = (random.random(probabilities.size) < probabilities).astype(np.int64)
    histogram = AucHistogram()
    for part in np.array_split(np.arange(labels.size), 3):
        histogram.add(probabilities[part], labels[part])
    exact = roc_auc_score(labels, probabilities)
    assert histogram.auc() == pytest.approx(exact, abs=1e-5 if rate < 0.01 else 1e-6)


def test_equal_probabilities_count_as_halves_and_one_label_has_no_auc():
    histogram = AucHistogram()
    histogram.add(np.full(4, 0.25), np.zeros(4, np.int64))
    assert histogram.auc() is None
    histogram.add(np.full(3, 0.25), np.ones(3, np.int64))
    assert histogram.auc() == 0.5
