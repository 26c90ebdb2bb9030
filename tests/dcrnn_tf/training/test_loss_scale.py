"""The scale of the loss in float16."""

import tensorflow as tf

from dcrnn_tf.training.loss_scale import LossScale
from dcrnn_tf.training.numeric_guard import NumericGuard


def test_the_scale_halves_on_overflow_and_doubles_after_2000_sound_steps():
    scale, updates = LossScale(), tf.Variable(0)
    update = lambda: updates.assign_add(1)  # noqa: E731

    def factor():
        return float(scale.scaled(tf.constant(1.0)))

    scale.follow(tf.constant(False), update)
    assert (factor(), int(updates)) == (2.0**14, 0)
    scale.variables["loss_scale_sound_steps"].assign(1998)
    scale.follow(tf.constant(True), update)
    assert (factor(), int(updates)) == (2.0**14, 1)
    scale.follow(tf.constant(True), update)
    assert (factor(), int(updates)) == (2.0**15, 2)
    scale.follow(tf.constant(True), update)
    scale.follow(tf.constant(False), update)
    assert int(scale.variables["loss_scale_sound_steps"]) == 0
    for _ in range(20):
        scale.follow(tf.constant(False), update)
    assert factor() == 1.0
    assert not bool(scale.can_fall)


def test_slices_are_unscaled():
    scale = LossScale()
    slices = tf.IndexedSlices(tf.constant([[2.0**15]]), tf.constant([3]), tf.constant([4, 1]))
    table, none = scale.unscaled([slices, None])
    assert (table.values.numpy().tolist(), none) == ([[1.0]], None)


def test_the_guard_passes_gradients_over_that_may_overflow():
    import keras

    variable = keras.Variable([1.0], name="kernel")
    guard = NumericGuard(["click"], [variable])
    infinite = [tf.constant([float("inf")])]
    assert not bool(guard.watch(1, {"click": tf.constant(1.0)}, infinite, tf.constant(True)))
    assert guard.finding() is None
    assert not bool(guard.watch(2, {"click": tf.constant(1.0)}, infinite, tf.constant(False)))
    assert "the gradient of kernel is not finite" in guard.finding()
