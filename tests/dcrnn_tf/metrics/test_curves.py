import numpy as np
from sklearn.metrics import roc_curve as sklearn_roc_curve

from dcrnn_tf.metrics.curves import roc_curve, score_histogram


def test_roc_curve_agrees_with_scikit_learn():
    random = np.random.default_rng(3)
    labels = random.random(2000) < 0.2
    scores = np.round(random.normal(size=2000) + labels, 1)
    false, true, _ = sklearn_roc_curve(labels, scores, drop_intermediate=False)
    curve = roc_curve(labels, scores)
    expected = np.interp(np.linspace(0, 1, 201), false, true)
    np.testing.assert_allclose(curve["true_positive_rate"][1:], expected[1:], atol=1e-12)


def test_score_histogram_counts_every_row():
    random = np.random.default_rng(4)
    logits = random.normal(size=1000)
    labels = random.random(1000) < 0.2
    histogram = score_histogram(labels, logits)
    assert sum(histogram["positives"]) == labels.sum()
    assert sum(histogram["negatives"]) == (~labels).sum()
    assert len(histogram["edges"]) == 41
