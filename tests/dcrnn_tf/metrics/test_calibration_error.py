import numpy as np
import pytest
from scipy.special import expit
from sklearn.calibration import calibration_curve

from dcrnn_tf.metrics import calibration_error as module
from dcrnn_tf.metrics.calibration_error import calibration_error, reliability


def test_by_hand():
    # Two bins of two rows: 0.25 is predicted for a share of 0, 0.75 for one of 0.5.
    logit = np.log(3)
    labels, logits = [0, 0, 1, 0], [-logit, -logit, logit, logit]
    bins = reliability(labels, logits, bins=2)
    assert bins["rows"] == [2, 2]
    assert bins["positives"] == [0, 1]
    assert bins["predicted"] == pytest.approx([0.25, 0.75])
    assert calibration_error(labels, logits) == pytest.approx(0.25)


def test_equal_logits_lie_in_one_bin():
    labels, logits = [1, 0, 0, 1, 0], [0.0, 0.0, 0.0, 0.0, 2.0]
    assert reliability(labels, logits, bins=5)["rows"] == [4, 1]
    assert reliability(labels, logits, bins=3)["rows"] == [5]  # cut below the second and fourth row
    assert reliability([1, 0], [0.0, 0.0])["rows"] == [2]
    assert reliability([1], [0.0])["rows"] == [1]


@pytest.mark.parametrize("rows_at_once", [999, module._PART])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bins_are_those_of_scikit_learn(monkeypatch, rows_at_once, dtype):
    monkeypatch.setattr(module, "_PART", rows_at_once)
    random = np.random.default_rng(6)
    logits = random.normal(-4, 1.5, 20_000).astype(dtype)
    labels = random.random(20_000) < expit(0.7 * logits - 0.5)
    probabilities = expit(logits.astype(np.float64))
    observed, predicted = calibration_curve(labels, probabilities, n_bins=20, strategy="quantile")
    bins = {name: np.array(values) for name, values in reliability(labels, logits).items()}
    np.testing.assert_array_equal(bins["rows"], 1000)
    np.testing.assert_allclose(bins["positives"] / bins["rows"], observed, rtol=1e-12)
    np.testing.assert_allclose(bins["predicted"], predicted, rtol=1e-12)
    expected = np.mean(np.abs(observed - predicted))
    assert calibration_error(labels, logits) == pytest.approx(expected, rel=1e-12)


def test_right_probabilities_have_an_error_of_sampling_alone():
    random = np.random.default_rng(7)
    logits = random.normal(-3, 1, 100_000)
    labels = random.random(100_000) < expit(logits)
    # 20 bins of 5,000 rows, a rate of 0.065: mean distance 0.8 sqrt(0.065 0.935 / 5000) = 0.0028.
    assert calibration_error(labels, logits) < 0.005
    assert calibration_error(labels, logits + 1) > 0.05
