"""The reliability plot, of common and of rare events."""

import base64

import pytest

from experiments.reports.reliability_plot import reliability

BINS = {
    "common": {"rows": [100, 100], "positives": [20, 60], "predicted": [0.25, 0.5]},
    "rare": {"rows": [1000, 1000], "positives": [0, 30], "predicted": [0.0001, 0.03]},
    "constant": {"rows": [50], "positives": [50], "predicted": [1.0]},
    "none": {"rows": [50], "positives": [0], "predicted": [0.0]},
}


@pytest.mark.parametrize("name", BINS)
def test_it_is_drawn_with_axes_that_fit(name):
    picture = reliability("mmoe", "click", BINS[name])
    assert picture.description == "Reliability of mmoe, click"
    svg = base64.b64decode(picture.image.partition(",")[2]).decode()
    assert ("10^{" in svg or "−3" in svg) == (name == "rare")  # decades
