"""Schedules of the learning rate, beside their equations."""

import math

import keras
import pytest

from dcrnn_tf.optimizers.schedules import WarmUp, build_schedule


def rates(schedule, steps):
    return [float(schedule(step)) for step in range(steps)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cosine", [0.1 * (0.25 + 0.75 * (1 + math.cos(math.pi * t / 4)) / 2) for t in range(5)]),
        ("linear", [0.1, 0.08125, 0.0625, 0.04375, 0.025]),
        ("exponential", [0.1 * 0.25 ** (t / 4) for t in range(5)]),
        ("staircase", [0.1, 0.1, 0.1, 0.1, 0.025]),
    ],
)
def test_rates_after_a_warm_up(name, expected):
    schedule = build_schedule(name, 0.1, length=4, factor=0.25)
    assert rates(schedule, 5) == pytest.approx(expected, rel=1e-5)
    warmed = build_schedule(name, 0.1, length=4, factor=0.25, warmup=2)
    assert rates(warmed, 7) == pytest.approx([0.05, 0.1, *expected], rel=1e-5)
    if name in ("cosine", "linear"):
        assert float(schedule(100)) == pytest.approx(0.025)
    config = keras.optimizers.schedules.serialize(warmed)
    assert rates(keras.optimizers.schedules.deserialize(config), 7) == rates(warmed, 7)


def test_a_constant_rate_is_a_number_and_may_be_warmed_up():
    assert build_schedule("constant", 0.1, length=1, factor=1.0) == 0.1
    warmed = build_schedule("constant", 0.1, length=1, factor=1.0, warmup=4)
    assert rates(warmed, 6) == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1, 0.1])
    assert rates(WarmUp.from_config(warmed.get_config()), 6) == rates(warmed, 6)


def test_another_name_is_refused():
    with pytest.raises(ValueError, match="schedule 'steps' is not one of constant, cosine"):
        build_schedule("steps", 0.1, length=1, factor=1.0)
