"""Schedules of the learning rate, by name: Keras' own, after a warm-up."""

from typing import TypeAlias

import keras
import tensorflow as tf

SCHEDULES = ("constant", "cosine", "linear", "exponential", "staircase")
"""Names that `build_schedule` knows."""

Schedule: TypeAlias = keras.optimizers.schedules.LearningRateSchedule


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class WarmUp(Schedule):
    """A schedule that begins after the rate has risen from nearly 0 in a straight line.

    Step t, from 0, of the first `steps` has the rate `(t + 1) / steps` of the schedule's first one.

    Args:
      schedule: Schedule after the warm-up, or a rate.
      steps: Number of steps of the warm-up.

    Example:
      >>> from dcrnn_tf.optimizers.schedules import WarmUp
      >>> [round(float(WarmUp(0.1, steps=4)(t)), 3) for t in range(6)]
      [0.025, 0.05, 0.075, 0.1, 0.1, 0.1]
    """

    def __init__(self, schedule: Schedule | float, steps: int):
        super().__init__()
        if isinstance(schedule, dict):  # as `get_config` gives it
            schedule = keras.optimizers.schedules.deserialize(schedule)
        self.schedule = schedule
        self.steps = steps

    def __call__(self, step) -> tf.Tensor:
        """Returns the rate of a step.

        Args:
          step: Number of the steps before it.
        """
        step = tf.cast(step, tf.float32)
        later = tf.maximum(step - self.steps, 0.0)
        rate = self.schedule(later) if callable(self.schedule) else self.schedule
        return rate * tf.minimum((step + 1) / self.steps, 1.0)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        schedule = self.schedule
        if callable(schedule):
            schedule = keras.optimizers.schedules.serialize(schedule)
        return {"schedule": schedule, "steps": self.steps}


def build_schedule(
    name: str, rate: float, length: int, factor: float, warmup: int = 0
) -> Schedule | float:
    """Builds a schedule.

    - `constant`: the rate itself;
    - `cosine` and `linear`: the rate falls to `factor` times itself in `length` steps, and stays;
    - `exponential`: it falls by `factor` every `length` steps, a little at each step;
    - `staircase`: the same all at once, after every `length` steps.

    Args:
      name: One of `SCHEDULES`.
      rate: Rate at which the schedule begins.
      length: Number of steps, see above.
      factor: Factor of the rate, see above.
      warmup: Number of steps before the schedule, in which the rate rises to `rate`.

    Returns:
      The schedule; the rate where it never changes.

    Raises:
      ValueError: There is no such schedule.

    Example:
      >>> from dcrnn_tf.optimizers.schedules import build_schedule
      >>> schedule = build_schedule("staircase", 0.1, length=2, factor=0.5)
      >>> [round(float(schedule(t)), 3) for t in range(6)]
      [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]
    """
    schedules = keras.optimizers.schedules
    if name == "constant":
        built = rate
    elif name == "cosine":
        built = schedules.CosineDecay(rate, length, alpha=factor)
    elif name == "linear":
        built = schedules.PolynomialDecay(rate, length, end_learning_rate=rate * factor)
    elif name in ("exponential", "staircase"):
        built = schedules.ExponentialDecay(rate, length, factor, staircase=name == "staircase")
    else:
        raise ValueError(f"schedule {name!r} is not one of {', '.join(SCHEDULES)}")
    return WarmUp(built, warmup) if warmup else built
