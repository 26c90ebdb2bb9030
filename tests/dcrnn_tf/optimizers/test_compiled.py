"""The forms of the optimizers that take one operation, against those that take many."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import optimizers
from dcrnn_tf.kernels import operations

compiled = pytest.mark.skipif(
    operations.library() is None, reason="python -m dcrnn_tf.kernels found no C++ compiler"
)


def lazy_adam(table, steps, monkeypatch=None):
    """The table and its moments after some steps; with `monkeypatch` by TensorFlow's operations."""
    variable = keras.Variable(table)
    optimizer = optimizers.LazyAdam(0.01)
    optimizer.build([variable])
    if monkeypatch is not None:
        monkeypatch.setattr(operations, "library", lambda: None)
    step = tf.function(
        lambda rows, values: optimizer.apply(
            [tf.IndexedSlices(values, rows, tf.constant(table.shape))], [variable]
        )
    )
    for rows, values in steps:
        step(tf.constant(rows), tf.constant(values))
    return [v.numpy() for v in (variable, optimizer._momentums[0], optimizer._velocities[0])]


@compiled
@pytest.mark.parametrize("dim", [1, 7, 32, 33])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_compiled_rows_are_those_of_tensorflow_to_the_bit(dim, dtype, monkeypatch):
    random = np.random.default_rng(dim)
    table = random.normal(size=(500, dim)).astype(np.float32)
    steps = []
    for count in (2000, 1, 0, 700):  # several threads' worth, with rows that repeat; none at all
        rows = np.floor(500 ** random.random(count)).astype(dtype) - 1
        scales = np.float32(10) ** random.integers(-8, 2, size=(count, 1))
        steps.append((rows, (random.normal(size=(count, dim)) * scales).astype(np.float32)))
    found = lazy_adam(table, steps)
    expected = lazy_adam(table, steps, monkeypatch)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    touched = np.unique(np.concatenate([rows for rows, _ in steps]))
    np.testing.assert_array_equal(np.flatnonzero((found[0] != table).any(axis=1)), touched)


@compiled
def test_regularly_spaced_rows_that_fall_to_one_thread():
    """Of these 1,024 rows one of four threads owns 549, twice its share and more."""
    program = """
import keras, numpy as np, tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(4)
from dcrnn_tf import optimizers
rows = np.arange(1024) * 987
variable = keras.Variable(np.zeros((rows.max() + 1, 1), np.float32))
optimizer = optimizers.LazyAdam(0.5)
gradient = tf.IndexedSlices(tf.ones((1024, 1)), tf.constant(rows), tf.constant(variable.shape))
optimizer.apply([gradient], [variable])
touched = np.zeros(variable.shape, np.float32)
touched[rows] = -0.5
np.testing.assert_allclose(variable.numpy(), touched, rtol=1e-5)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


@compiled
def test_gradients_that_are_not_finite_spoil_their_row_alone():
    table = np.ones((4, 3), np.float32)
    values = np.array([[1, np.nan, 1], [np.inf, 1, 1]], np.float32)
    weights, *_ = lazy_adam(table, [(np.array([1, 3], np.int32), values)])
    np.testing.assert_array_equal(np.isnan(weights), [[0, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]])


@compiled
@pytest.mark.parametrize("row", [-1, 4])
def test_rows_outside_of_the_table_are_refused_and_nothing_is_written(row):
    variable = keras.Variable(np.ones((4, 3), np.float32))
    optimizer = optimizers.LazyAdam(0.01)
    gradient = tf.IndexedSlices(tf.ones((2, 3)), tf.constant([0, row]), tf.constant([4, 3]))
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"row {row} is not in \[0, 4\)"):
        optimizer.apply([gradient], [variable])
    np.testing.assert_array_equal(variable.numpy(), 1)


@compiled
def test_a_table_that_was_read_as_a_whole_keeps_what_was_read():
    variable = keras.Variable(np.ones((4, 3), np.float32))
    before = tf.convert_to_tensor(variable.value)
    optimizer = optimizers.LazyAdam(0.01)
    gradient = tf.IndexedSlices(tf.ones((1, 3)), tf.constant([2]), tf.constant([4, 3]))
    optimizer.apply([gradient], [variable])
    np.testing.assert_array_equal(before, 1)
    assert (variable.numpy()[2] != 1).all()


def test_a_library_that_cannot_be_loaded_is_said_and_not_used(monkeypatch, tmp_path, caplog):
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"no library")
    monkeypatch.setattr(operations, "library_file", lambda: broken)
    assert operations.library.__wrapped__() is None
    assert "cannot be loaded" in caplog.text


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fused_adam_is_adam(dtype):
    random = np.random.default_rng(0)
    start = random.normal(size=(5, 3))
    one, other = keras.Variable(start, dtype=dtype), keras.Variable(start, dtype=dtype)
    fused, plain = optimizers.FusedAdam(0.01), keras.optimizers.Adam(0.01)
    for _ in range(50):
        gradient = tf.constant(random.normal(size=(5, 3)), dtype)
        fused.apply([gradient], [one])
        plain.apply([gradient], [other])
    np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-6, atol=1e-6)
    assert np.abs(one.numpy() - start).min() > 1e-4


def test_fused_adam_leaves_sparse_gradients_and_amsgrad_to_keras():
    for settings in ({}, {"amsgrad": True}):
        one, other = (keras.Variable(np.ones((4, 2), np.float32)) for _ in range(2))
        gradient = tf.IndexedSlices(tf.ones((2, 2)), tf.constant([1, 3]), tf.constant([4, 2]))
        optimizers.FusedAdam(0.1, **settings).apply([gradient], [one])
        keras.optimizers.Adam(0.1, **settings).apply([gradient], [other])
        np.testing.assert_array_equal(one.numpy(), other.numpy())
