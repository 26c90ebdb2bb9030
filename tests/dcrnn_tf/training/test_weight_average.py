"""The average of the weights, beside its definition over all steps."""

import keras
import numpy as np
import tensorflow as tf

from dcrnn_tf.training.weight_average import WeightAverage

DECAY, STEPS = 0.8, 6
CHANGED = [[0, 2, 2], [1], [], [2], [0], [2]]  # rows of the table that each step changes


def defined(history):
    """`sum_i (1 - d) d^(t-i) w_i / (1 - d^t)` of the weights after each step."""
    steps = len(history)
    shares = (1 - DECAY) * DECAY ** np.arange(steps - 1, -1, -1) / (1 - DECAY**steps)
    return np.tensordot(shares, np.array(history), axes=1)


def test_rows_that_wait_have_the_same_average():
    random = np.random.default_rng(1)
    table, kernel = keras.Variable(random.normal(size=(4, 2))), keras.Variable([1.0])
    average = WeightAverage([table], [kernel], DECAY)
    tables, kernels = [], []
    for step, rows in enumerate(CHANGED):
        average.catch_up(step, [tf.constant(rows, tf.int32)])
        values = table.numpy()
        values[rows] = random.normal(size=(len(rows), 2))
        table.assign(values)
        kernel.assign([random.normal()])
        tables.append(table.numpy())
        kernels.append(kernel.numpy())
        if step == 3:  # an evaluation in between changes nothing but rounding
            average.finish(step + 1)
    average.finish(STEPS)
    once = [variable.numpy() for variable in average.variables(Names()).values()]
    average.finish(STEPS)
    for one, again in zip(once, average.variables(Names()).values(), strict=True):
        np.testing.assert_array_equal(one, again.numpy())

    last = table.numpy(), kernel.numpy()
    with average.taken():
        np.testing.assert_allclose(table.numpy(), defined(tables), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(kernel.numpy(), defined(kernels), rtol=1e-5)
        np.testing.assert_array_equal(table.numpy()[3], last[0][3])  # it was never changed
    np.testing.assert_array_equal(table.numpy(), last[0])
    np.testing.assert_array_equal(kernel.numpy(), last[1])


class Names(dict):
    def __missing__(self, key):
        return str(key)
