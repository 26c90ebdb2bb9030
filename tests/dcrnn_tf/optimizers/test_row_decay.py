"""Decoupled weight decay of the rows of a batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import optimizers

START = np.array([[1.0, -2.0], [3.0, 0.5], [-1.0, 4.0]], np.float32)
RATE, DECAY = 0.1, 0.5


def slices(rows, values):
    return tf.IndexedSlices(tf.constant(values, tf.float32), tf.constant(rows), (3, 2))


def after_a_step(name, table, gradient, row_decay=0.0, static_shapes=False):
    variable = keras.Variable(table)
    optimizer = optimizers.build_for_tables(name, RATE, static_shapes, row_decay)
    optimizer.build([variable])
    if name == "adam_deferred":
        optimizer.catch_up(variable)
    optimizer.apply([gradient], [variable])
    return variable.numpy()


@pytest.mark.parametrize("static_shapes", [False, True])
@pytest.mark.parametrize("name", optimizers.names_for_tables())
def test_rows_with_a_gradient_shrink_before_their_update(name, static_shapes):
    if static_shapes and name not in ("lazy_adam", "adam_deferred"):
        return
    gradient = slices([2, 0, 2], [[1.0, 1.0], [0.5, -0.5], [1.0, 3.0]])
    shrunk = START * np.array([[1 - RATE * DECAY], [1.0], [1 - RATE * DECAY]], np.float32)
    expected = after_a_step(name, shrunk, gradient, static_shapes=static_shapes)
    found = after_a_step(name, START, gradient, DECAY, static_shapes)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_array_equal(found[1], START[1])


def test_the_decay_follows_the_schedule_and_is_configured():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.1, 0.2])
    variable = keras.Variable(START)
    optimizer = optimizers.SGD(schedule, row_decay=DECAY)
    optimizer = optimizers.SGD.from_config(optimizer.get_config())
    optimizer.build([variable])
    zero = slices([1], [[0.0, 0.0]])
    for rate in (0.1, 0.2):
        before = variable.numpy()[1]
        optimizer.apply([zero], [variable])
        np.testing.assert_allclose(variable.numpy()[1], before * (1 - rate * DECAY), rtol=1e-6)
