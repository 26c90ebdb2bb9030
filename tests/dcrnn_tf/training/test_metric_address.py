"""Addresses of metrics, SPLIT/TASK/METRIC."""

import math

import pytest

from dcrnn_tf.system.errors import UsageError
from dcrnn_tf.training.metric_address import MEAN_PRIMARY, MetricAddress, MetricAddressError

OUTPUTS = {
    "click": {"auc": 0.7, "logloss": 0.2, "rows": 9, "positives": 4},
    "price": {"xauc": 0.6, "mae": 3.0, "rows": 9},
    "conversion": {"auc": None, "logloss": 0.4, "rows": 9, "positives": 0},
    "conversion_after_click": {"auc": 0.1, "population": "few", "rows": 4, "positives": 1},
}
KINDS = {"click": "binary", "price": "regression", "conversion_after_click": "binary"}


def value(text, outputs=OUTPUTS):
    return MetricAddress.parse(text).value(outputs)


def test_an_address_is_read_and_written():
    address = MetricAddress.parse("validation/a/b/auc")
    assert (address.split, address.task, address.metric) == ("validation", "a/b", "auc")
    assert str(address) == "validation/a/b/auc"


@pytest.mark.parametrize(
    "text", ["", "auc", "validation/auc", "validation//auc", "/click/auc", "a/b/"]
)
def test_another_form_is_refused(text):
    with pytest.raises(UsageError, match="must be SPLIT/TASK/METRIC, such as validation/click/auc"):
        MetricAddress.parse(text)


def test_values():
    assert value("validation/click/auc") == 0.7
    assert value("validation/click/primary") == 0.7
    assert value("validation/price/primary") == 0.6
    assert value("validation/conversion_after_click/auc") == 0.1
    assert value("validation/conversion/auc") is None
    assert value("validation/click/logloss", {"click": {"logloss": math.inf}}) is None
    # Over the tasks that have it; one without pairs is ranked by chance; derived ones do not count.
    assert value("validation/mean/auc") == pytest.approx((0.7 + 0.5) / 2)
    assert value("validation/mean/logloss") == pytest.approx((0.2 + 0.4) / 2)
    assert value("validation/mean/mae") == 3.0
    assert MEAN_PRIMARY.value(OUTPUTS) == pytest.approx((0.7 + 0.6 + 0.5) / 3)
    assert value("validation/mean/logloss", {"a": {"logloss": None}}) is None
    assert value("validation/mean/auc", {"mean": {"auc": 0.9}, "click": {"auc": 0.1}}) == 0.9


def test_penalties_follow_the_metric():
    def better(metric, one, other):
        penalty = MetricAddress("validation", "click", metric).penalty
        return penalty(one) < penalty(other)

    assert better("auc", 0.8, 0.7)
    assert better("primary", 0.8, 0.7)
    assert better("logloss", 0.1, 0.2)
    assert better("calibration", 1.1, 0.8)  # the nearer to 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("validation/clik/auc", "no task or output 'clik', but click, .*; did you mean 'click'?"),
        ("validation/click/acu", "no metric of click 'acu', but auc, logloss; did you mean 'auc'?"),
        ("validation/mean/acu", "no metric of a task 'acu', but auc, .*; did you mean 'auc'?"),
    ],
)
def test_a_metric_that_is_not_there_is_named(text, words):
    with pytest.raises(MetricAddressError, match=f"^{text}: there is {words}"):
        value(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("valid/click/auc", "no split 'valid', but validation, test; did you mean 'validation'?"),
        ("validation/clik/auc", "no task or output 'clik', but click, price"),
        ("validation/price/auc", "no metric of price 'auc', but xauc"),
        ("validation/mean/acu", "no metric of mean 'acu', but .*; did you mean 'auc'?"),
    ],
)
def test_an_address_is_checked_before_there_are_values(text, words):
    with pytest.raises(MetricAddressError, match=words):
        MetricAddress.parse(text).check(["validation", "test"], KINDS, ["click", "price"])
    for sound in ("test/click/auc", "validation/mean/mae", "validation/price/primary"):
        MetricAddress.parse(sound).check(["validation", "test"], KINDS, ["click", "price"])
