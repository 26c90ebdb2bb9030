"""Clipping where rows of a table repeat: as Keras clips the dense gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import optimizers

ROWS = 5
IDS = tf.constant([4, 1, 4, 0])
VALUES = tf.constant([[3.0, -1.0], [0.5, 0.25], [2.0, 4.0], [-6.0, 0.0]])
OTHER = tf.constant([8.0, -0.5])
CLIPS = [{"clipvalue": 0.75}, {"clipnorm": 1.5}, {"global_clipnorm": 2.0}, {"clipnorm": 1e6}]


def stepped(optimizer, table_gradient, compiled=False):
    table, other = keras.Variable(tf.ones((ROWS, 2))), keras.Variable(tf.ones(2))
    optimizer.build([table, other])

    def step():
        optimizer.apply([table_gradient(), OTHER], [table, other])

    tf.function(step, jit_compile=True)() if compiled else step()
    return table.numpy(), other.numpy()


def slices():
    return tf.IndexedSlices(VALUES, IDS, tf.constant([ROWS, 2]))


def dense():
    return tf.math.unsorted_segment_sum(VALUES, IDS, ROWS)


@pytest.mark.parametrize("clip", CLIPS)
def test_stochastic_gradient_descent_is_that_of_the_dense_gradient(clip):
    found = stepped(optimizers.SGD(0.5, **clip), slices)
    expected = stepped(keras.optimizers.SGD(0.5, **clip), dense)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_by_hand():
    # The gradients of row 4 add up to (5, 3), all of them have the norm of
    # (0.5, 0.25, 5, 3, -6, 0, 8, -0.5).
    norm = np.sqrt(0.25 + 0.0625 + 25 + 9 + 36 + 64 + 0.25)
    table, other = stepped(optimizers.SGD(1.0, global_clipnorm=1.0), slices)
    np.testing.assert_allclose(1 - table[4], np.array([5, 3]) / norm, rtol=1e-5)
    np.testing.assert_allclose(1 - other, np.array([8, -0.5]) / norm, rtol=1e-5)
    table, other = stepped(optimizers.SGD(1.0, clipvalue=0.75), slices)
    np.testing.assert_allclose(1 - table[[4, 1, 0]], [[0.75, 0.75], [0.5, 0.25], [-0.75, 0]])


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("compiled", [False, True])
def test_lazy_adam_has_the_moments_of_the_clipped_gradient(clip, compiled):
    """The first moment is a tenth of the gradient."""
    optimizer = optimizers.LazyAdam(0.1, static_shapes=compiled, **clip)
    stepped(optimizer, slices, compiled)
    reference = keras.optimizers.Adam(0.1, **clip)
    stepped(reference, dense)
    for one, other in zip(optimizer._momentums, reference._momentums, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", [optimizers.LazyAdam, optimizers.Adagrad, optimizers.SGD])
def test_a_scale_of_the_loss_is_refused(kind):
    with pytest.raises(ValueError, match=f"{kind.__name__} takes no loss_scale_factor"):
        kind(0.1, loss_scale_factor=2.0)
