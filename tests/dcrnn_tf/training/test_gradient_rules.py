"""L2 penalties and clipping of the gradients of a batch, worked out by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.training.gradient_rules import GradientRules

TABLE = np.array([[1.0, -2.0], [10.0, 20.0], [3.0, 4.0], [0.0, 1.0]], np.float32)
KERNEL = np.array([[2.0, -1.0]], np.float32)
ROWS, VALUES = [2, 0, 2], [[1.0, 1.0], [0.5, -0.5], [1.0, 3.0]]
DENSE_TABLE = np.array([[0.5, -0.5], [0.0, 0.0], [2.0, 4.0], [0.0, 0.0]])
DENSE_KERNEL = np.array([[-3.0, 1.0]])


def applied(static_shapes=False, **options):
    table = keras.Variable(TABLE, name="table")
    kernel, bias = keras.Variable(KERNEL, name="kernel_0"), keras.Variable([7.0], name="bias")
    slices = tf.IndexedSlices(tf.constant(VALUES), tf.constant(ROWS), tf.constant([4, 2]))
    gradients = [slices, tf.constant(DENSE_KERNEL, tf.float32), tf.constant([2.0])]
    rules = GradientRules(static_shapes=static_shapes, **options)
    found = rules.apply(gradients, [table], [kernel, bias])
    assert isinstance(found[0], tf.IndexedSlices)
    return [tf.convert_to_tensor(gradient).numpy() for gradient in found]


@pytest.mark.parametrize("static_shapes", [False, True])
def test_penalties_and_clipping(static_shapes):
    read = np.array([[1.0], [0.0], [1.0], [0.0]])  # rows of the batch, each once
    penalised = [DENSE_TABLE + 0.5 * TABLE * read, DENSE_KERNEL + 0.25 * KERNEL, np.array([2.0])]
    found = applied(static_shapes, embedding_l2=0.5, dense_l2=0.25)
    for one, expected in zip(found, penalised, strict=True):
        np.testing.assert_allclose(one, expected, rtol=1e-6)

    clipped = [np.clip(one, -1.5, 1.5) for one in penalised]
    norm = np.sqrt(sum(np.sum(one**2) for one in clipped))
    found = applied(static_shapes, embedding_l2=0.5, dense_l2=0.25, clip_value=1.5, clip_norm=1.0)
    for one, expected in zip(found, clipped, strict=True):
        np.testing.assert_allclose(one, expected / norm, rtol=1e-6)


def test_without_rules_gradients_are_the_same_objects():
    gradients = [tf.constant([1.0]), None]
    assert GradientRules().apply(gradients, [], [None, None]) == gradients
    variable = keras.Variable([1.0])
    found = GradientRules(clip_norm=0.5).apply(gradients, [], [variable, variable])
    assert found[1] is None
    np.testing.assert_allclose(found[0], [0.5])
