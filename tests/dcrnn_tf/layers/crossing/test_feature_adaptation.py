import numpy as np
import tensorflow as tf

from dcrnn_tf.layers import FeatureAdaptation, subsequences

X0 = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)


def test_starts_as_repetition():
    np.testing.assert_array_equal(FeatureAdaptation(3)(X0), np.stack([X0] * 3, axis=1))


def test_adds_its_own_vector_at_each_step():
    layer = FeatureAdaptation(2)
    layer.build((None, 2))
    layer.vectors.assign([[10.0, 20.0], [-1.0, 0.5]])
    np.testing.assert_array_equal(
        layer(X0), [[[11.0, 22.0], [0.0, 2.5]], [[13.0, 24.0], [2.0, 4.5]]]
    )


def test_a_step_that_two_tasks_read_learns_from_both():
    """L = 2, I = 1, two tasks: task 0 reads steps 0 and 1, task 1 steps 1 and 2."""
    layer = FeatureAdaptation(3)
    with tf.GradientTape() as tape:
        first, second = subsequences(layer(X0), 2, 2, 1)
        loss = tf.reduce_sum(first) + 10 * tf.reduce_sum(second)
    gradient = tape.gradient(loss, layer.vectors.value)
    # Each entry sums over the two examples of the batch.
    np.testing.assert_array_equal(gradient, [[2, 2], [22, 22], [20, 20]])
