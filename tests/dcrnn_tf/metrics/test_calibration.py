import numpy as np
import pytest

from dcrnn_tf.metrics.calibration import calibration


def test_calibration_by_hand():
    assert calibration([1, 0, 0, 0], np.zeros(4)) == pytest.approx(2.0)
    assert calibration([0, 0], np.zeros(2)) is None
