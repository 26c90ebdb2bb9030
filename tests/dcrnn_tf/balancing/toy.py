"""The toy problem of CAGrad's paper, on which Nash-MTL and FAMO are shown too.

Two losses of a point `(x, y)` (Liu et al., NeurIPS 2021, Appendix B). Above `y = 0` each has a
steep valley of its own, below it a bowl of its own; the points at which no loss can fall without
the other's rise are at the bottom, `-7 <= x <= 7`, y near -8.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

STARTS = [(-8.5, 7.5), (-8.5, 5.0), (9.0, 9.0), (-7.5, -0.5), (9.0, -1.0)]


def losses(point: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The two losses at a point, `(2,)`."""
    x, y = tf.unstack(point)
    valleys = (
        tf.math.log(tf.maximum(tf.abs(0.5 * (-x - 7) - tf.tanh(-y)), 5e-6)) + 6,
        tf.math.log(tf.maximum(tf.abs(0.5 * (-x + 3) - tf.tanh(-y) + 2), 5e-6)) + 6,
    )
    bowls = tuple(((-x + s * 7) ** 2 + 0.1 * (-y - 8) ** 2) / 10 - 20 for s in (1, -1))
    above, below = tf.maximum(tf.tanh(0.5 * y), 0), tf.maximum(tf.tanh(-0.5 * y), 0)
    return tuple(above * v + below * b for v, b in zip(valleys, bowls, strict=True))


def end(make: Callable, start: tuple[float, float], steps: int = 4000, shift: float = 0.0):
    """Where the way that `make` returns leads from a start, by Adam at 0.01; the point, `(2,)`.

    Args:
      make: Function without arguments that returns the way of balancing.
      start: First point.
      steps: Number of steps.
      shift: Number added to both losses, for a way that needs them positive.
    """
    point = keras.Variable(np.array(start, np.float32))
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build([point])
    way = make()

    def named() -> dict:
        return {t: v + shift for t, v in zip("ab", losses(point.value), strict=True)}

    def step(done: tf.Tensor) -> tuple[tf.Tensor]:
        with tf.GradientTape(persistent=way.per_task) as tape:
            found = named()
            total = way.total(found, [])
        optimizer.apply(way.gradients(tape, total, found, [], [point]), [point])
        if way.looks_back:
            way.look_back(named())
        return (done + 1,)

    @tf.function(autograph=False, jit_compile=True)
    def run() -> None:
        tf.while_loop(lambda done: done < steps, step, (0,))

    run()
    return point.numpy()
