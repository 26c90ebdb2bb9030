import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import optimizers


def make_table(rows=7, dim=3, seed=0):
    values = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    return keras.Variable(values, name="table"), values


def sparse(ids, values, rows=7):
    values = tf.constant(values, tf.float32)
    return tf.IndexedSlices(values, tf.constant(ids, tf.int32), tf.constant([rows, 3]))


def numpy_adam(w, m, v, g, step, rate):
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g * g
    rate = rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    return w - rate * m / (np.sqrt(v) + 1e-7), m, v


def test_lazy_adam_by_hand_with_repeated_and_absent_ids():
    table, w = make_table()
    optimizer = optimizers.LazyAdam(0.1)
    m, v = np.zeros_like(w), np.zeros_like(w)
    random = np.random.default_rng(1)
    for step, ids in enumerate([[1, 4, 1], [4, 4, 2], [1, 0, 6]], start=1):
        values = random.normal(size=(3, 3))
        optimizer.apply([sparse(ids, values)], [table])
        for row in set(ids):
            g = values[np.array(ids) == row].sum(axis=0)
            w[row], m[row], v[row] = numpy_adam(w[row], m[row], v[row], g, step, 0.1)
        np.testing.assert_allclose(table.numpy(), w, rtol=1e-5, atol=1e-6)


def test_lazy_adam_is_adam_where_every_row_is_in_every_batch():
    lazy, _ = make_table()
    dense, _ = make_table()
    one, other = optimizers.LazyAdam(0.01), keras.optimizers.Adam(0.01)
    random = np.random.default_rng(2)
    for _ in range(50):
        ids = random.permutation(7)
        values = random.normal(size=(7, 3)).astype(np.float32)
        one.apply([sparse(ids, values)], [lazy])
        other.apply([tf.constant(values[np.argsort(ids)])], [dense])
    np.testing.assert_allclose(lazy.numpy(), dense.numpy(), rtol=1e-5, atol=1e-6)


def test_lazy_adam_differs_from_adam_where_a_row_is_absent():
    lazy, _ = make_table()
    dense, _ = make_table()
    one, other = optimizers.LazyAdam(0.1), optimizers.Adam(0.1)
    for ids in ([3], [5]):
        gradient = sparse(ids, np.ones((1, 3)))
        one.apply([gradient], [lazy])
        other.apply([gradient], [dense])
    # Row 3 was absent from the second batch: Adam still moved it, LazyAdam did not.
    start = make_table()[1][3]
    np.testing.assert_allclose(lazy.numpy()[3], start - 0.1, rtol=1e-5)
    assert (dense.numpy()[3] < start - 0.15).all()


def test_lazy_adam_takes_dense_gradients_as_adam():
    lazy, _ = make_table()
    dense, _ = make_table()
    one, other = optimizers.LazyAdam(0.01), keras.optimizers.Adam(0.01)
    random = np.random.default_rng(3)
    for _ in range(10):
        gradient = tf.constant(random.normal(size=(7, 3)), tf.float32)
        one.apply([gradient], [lazy])
        other.apply([gradient], [dense])
    np.testing.assert_allclose(lazy.numpy(), dense.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["adam", "adagrad", "sgd"])
def test_repeated_ids_give_what_the_dense_gradient_gives(name):
    table, _ = make_table()
    dense, _ = make_table()
    one = optimizers.build_for_tables(name, 0.1)
    other = {
        "adam": keras.optimizers.Adam,
        "adagrad": keras.optimizers.Adagrad,
        "sgd": keras.optimizers.SGD,
    }[name](0.1)
    for _ in range(5):
        gradient = sparse([1, 1, 4], np.arange(9).reshape(3, 3) + 1)
        one.apply([gradient], [table])
        other.apply([tf.convert_to_tensor(gradient)], [dense])
    np.testing.assert_allclose(table.numpy(), dense.numpy(), rtol=1e-5, atol=1e-6)


def test_merge_repeated_rows():
    merged = optimizers.merge_repeated_rows(sparse([4, 1, 4], [[1, 2, 3], [4, 5, 6], [7, 8, 9]]))
    order = np.argsort(merged.indices.numpy())
    np.testing.assert_array_equal(merged.indices.numpy()[order], [1, 4])
    np.testing.assert_array_equal(merged.values.numpy()[order], [[4, 5, 6], [8, 10, 12]])


def test_merge_with_static_shapes_repeats_the_smallest_row():
    slices = sparse([4, 1, 4, 6], [[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 1, 1]])
    merged = tf.function(optimizers.merge_repeated_rows, jit_compile=True)(slices, True)
    np.testing.assert_array_equal(merged.indices.numpy(), [1, 4, 6, 1])
    expected = [[4, 5, 6], [8, 10, 12], [1, 1, 1], [4, 5, 6]]
    np.testing.assert_array_equal(merged.values.numpy(), expected)


def test_lazy_adam_compiled_by_xla_is_lazy_adam():
    plain, _ = make_table()
    compiled, _ = make_table()
    one, other = optimizers.LazyAdam(0.1), optimizers.LazyAdam(0.1, static_shapes=True)
    one.build([plain])
    other.build([compiled])

    @tf.function(jit_compile=True)
    def step(ids, values):
        other.apply([tf.IndexedSlices(values, ids, tf.constant([7, 3]))], [compiled])

    random = np.random.default_rng(5)
    for _ in range(20):
        ids = random.integers(0, 7, size=5).astype(np.int32)
        values = random.normal(size=(5, 3)).astype(np.float32)
        one.apply([sparse(ids, values)], [plain])
        step(tf.constant(ids), tf.constant(values))
    np.testing.assert_allclose(compiled.numpy(), plain.numpy(), rtol=1e-5, atol=1e-6)


def test_names():
    with pytest.raises(ValueError, match="'adamw' is not one of adagrad, adam, adam_deferred"):
        optimizers.build_for_tables("adamw", 0.1)
    with pytest.raises(ValueError, match="'lazy' is not one of Keras'"):
        optimizers.build("lazy", 0.1)
    adamw = optimizers.build("adamw", 0.125)
    assert isinstance(adamw, keras.optimizers.AdamW)
    assert float(adamw.learning_rate) == 0.125


@pytest.mark.parametrize("kind", [optimizers.LazyAdam, optimizers.DeferredAdam])
def test_serialisation(kind):
    optimizer = kind(0.02, beta_1=0.8)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is kind
    assert (float(again.learning_rate), again.beta_1) == (pytest.approx(0.02), 0.8)
