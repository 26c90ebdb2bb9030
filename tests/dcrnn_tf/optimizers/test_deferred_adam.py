import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import optimizers
from dcrnn_tf.kernels import operations

ROWS, DIM = 300, 4


def skewed_batches(steps, scale, seed=0):
    """Ids log-uniform in rank: some in every batch, some missing for hundreds of steps."""
    random = np.random.default_rng(seed)
    for _ in range(steps):
        ids = np.floor(ROWS ** random.random(12)).astype(np.int32) - 1
        values = random.normal(scale=scale, size=(12, DIM)).astype(np.float32)
        yield tf.constant(ids), tf.constant(values)


def table():
    return keras.Variable(np.random.default_rng(1).normal(size=(ROWS, DIM)).astype(np.float32))


def train(optimizer, steps=1000, scale=1.0):
    weight = table()
    optimizer.build([weight])
    deferred = isinstance(optimizer, optimizers.DeferredAdam)

    @tf.function
    def step(ids, values):
        if deferred:
            optimizer.catch_up(weight, ids)
        read = tf.gather(weight.value, ids)
        gradient = tf.IndexedSlices(values, ids, tf.constant([ROWS, DIM]))
        optimizer.apply([gradient], [weight])
        return read

    reads = [step(ids, values).numpy() for ids, values in skewed_batches(steps, scale)]
    if deferred:
        optimizer.catch_up(weight)
    return weight.numpy(), np.stack(reads)


# The last two: gradients as small as epsilon, where it shapes every step.
@pytest.mark.parametrize(
    ("rate", "scale", "compiled"),
    [(1e-3, 1.0, True), (1e-4, 1e-3, True), (1e-3, 1e-7, True), (1e-3, 1e-7, False)],
)
def test_is_dense_adam_at_every_read_and_at_the_end(rate, scale, compiled, monkeypatch):
    if not compiled:
        monkeypatch.setattr(operations, "library", lambda: None)
    weight, reads = train(optimizers.DeferredAdam(rate), scale=scale)
    dense_weight, dense_reads = train(optimizers.Adam(rate), scale=scale)
    np.testing.assert_allclose(reads, dense_reads, rtol=0, atol=1e-5)
    np.testing.assert_allclose(weight, dense_weight, rtol=0, atol=1e-5)
    lazy_weight, _ = train(optimizers.LazyAdam(rate), scale=scale)
    assert np.abs(lazy_weight - dense_weight).max() > 1e-3  # so equality says something


def test_a_schedule_moves_waiting_rows_at_the_rates_of_their_steps():
    def schedule():
        return keras.optimizers.schedules.CosineDecay(
            1e-4, 300, alpha=0.1, warmup_target=1e-3, warmup_steps=50
        )

    weight, reads = train(optimizers.DeferredAdam(schedule()))
    dense_weight, dense_reads = train(optimizers.Adam(schedule()))
    np.testing.assert_allclose(reads, dense_reads, rtol=0, atol=1e-5)
    np.testing.assert_allclose(weight, dense_weight, rtol=0, atol=1e-5)
    constant_weight, _ = train(optimizers.DeferredAdam(1e-3))
    assert np.abs(constant_weight - dense_weight).max() > 1e-3


@pytest.mark.parametrize("compiled", [True, False])
def test_a_changed_rate_is_that_of_later_steps_alone(compiled, monkeypatch):
    if not compiled:
        monkeypatch.setattr(operations, "library", lambda: None)
    weights = []
    for kind in (optimizers.DeferredAdam, optimizers.Adam):
        weight, optimizer = table(), kind(0.1)
        optimizer.build([weight])
        deferred = kind is optimizers.DeferredAdam
        for row, rate in ((3, 0.1), (5, 0.1), (5, 0.01), (5, 0.01)):
            optimizer.learning_rate = rate
            if deferred:
                optimizer.catch_up(weight, tf.constant([row]))
            values = tf.ones((1, DIM))
            gradient = tf.IndexedSlices(values, tf.constant([row]), tf.constant([ROWS, DIM]))
            optimizer.apply([gradient], [weight])
        if deferred:
            optimizer.catch_up(weight)
        weights.append(weight.numpy())
    np.testing.assert_allclose(*weights, rtol=0, atol=1e-5)
    moved = (table().numpy() - weights[1])[3]
    # 0.1 in its own step, 0.067 in the next; then a tenth of 0.052 and of 0.044.
    np.testing.assert_allclose(moved, 0.1768, atol=5e-4)


def test_rows_wait_no_longer_than_the_rates_are_kept():
    short = optimizers.DeferredAdam(0.01, longest_wait=200)
    weight = table()
    short.build([weight])
    dense, dense_weight = optimizers.Adam(0.01), table()
    dense.build([dense_weight])
    batches = list(skewed_batches(450, 1.0))
    for number, (ids, values) in enumerate(batches):
        if number and number % 200 == 0:
            short.catch_up(weight)
        short.catch_up(weight, ids)
        gradient = tf.IndexedSlices(values, ids, tf.constant([ROWS, DIM]))
        short.apply([gradient], [weight])
        dense.apply([gradient], [dense_weight])
    short.catch_up(weight)
    np.testing.assert_allclose(weight.numpy(), dense_weight.numpy(), rtol=0, atol=1e-4)
    for ids, values in batches[:201]:
        short.catch_up(weight, ids)
        short.apply([tf.IndexedSlices(values, ids, tf.constant([ROWS, DIM]))], [weight])
    with pytest.raises(tf.errors.InvalidArgumentError, match="call catch_up on all rows more"):
        short.catch_up(weight, ids)
    with pytest.raises(ValueError, match="longest_wait is 100, expected at least 176"):
        optimizers.DeferredAdam(longest_wait=100)


@pytest.mark.parametrize(
    "beside", [{"weight_decay": 0.1}, {"use_ema": True}, {"gradient_accumulation_steps": 2}]
)
def test_what_changes_rows_that_no_batch_reads_is_refused(beside):
    with pytest.raises(ValueError, match=f"DeferredAdam cannot make up for {next(iter(beside))}"):
        optimizers.DeferredAdam(0.1, **beside)


def test_other_betas():
    settings = {"beta_1": 0.5, "beta_2": 0.9}
    weight, _ = train(optimizers.DeferredAdam(1e-3, **settings), steps=300)
    dense, _ = train(optimizers.Adam(1e-3, **settings), steps=300)
    np.testing.assert_allclose(weight, dense, rtol=0, atol=1e-5)


def test_betas_for_which_the_series_is_too_long_are_refused():
    with pytest.raises(
        ValueError, match=r"beta_1=0\.9 and beta_2=0\.5: beta_2 must be closer to 1"
    ):
        optimizers.DeferredAdam(beta_1=0.9, beta_2=0.5).build([table()])


def test_catching_up_twice_changes_nothing():
    weight = table()
    optimizer = optimizers.DeferredAdam(0.1)
    optimizer.build([weight])
    rows = tf.constant([3, 5])
    for row in (3, 5, 5, 5):
        optimizer.catch_up(weight, rows)
        gradient = tf.IndexedSlices(tf.ones((1, DIM)), tf.constant([row]), tf.constant([ROWS, DIM]))
        optimizer.apply([gradient], [weight])
    optimizer.catch_up(weight)
    once = weight.numpy()
    assert (once[3] < table().numpy()[3] - 0.15).all()  # it was moved on without a gradient
    optimizer.catch_up(weight)
    np.testing.assert_array_equal(weight.numpy(), once)
    untouched = np.setdiff1d(np.arange(ROWS), [3, 5])
    np.testing.assert_array_equal(once[untouched], table().numpy()[untouched])


@pytest.mark.skipif(
    operations.library() is None, reason="python -m dcrnn_tf.kernels found no C++ compiler"
)
def test_compiled_operation_agrees_with_tensorflows(monkeypatch):
    def state():
        weight = table()
        optimizer = optimizers.DeferredAdam(0.01)
        optimizer.build([weight])
        for ids, values in skewed_batches(60, 1.0):
            optimizer.catch_up(weight, ids)
            gradient = tf.IndexedSlices(values, ids, tf.constant([ROWS, DIM]))
            optimizer.apply([gradient], [weight])
        optimizer.catch_up(weight)
        slots = (optimizer._momentums, optimizer._velocities, optimizer._last_steps)
        return [variable.numpy() for variable in (weight, *(slot[0] for slot in slots))]

    found = state()
    monkeypatch.setattr(operations, "library", lambda: None)
    expected = state()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert np.abs(found[0] - table().numpy()).max() > 0.1


def test_refuses_a_loop_that_never_catches_up():
    weight, bias = table(), keras.Variable(0.0)
    optimizer = optimizers.DeferredAdam(0.1)
    gradient = tf.IndexedSlices(tf.ones((1, DIM)), tf.constant([0]), tf.constant([ROWS, DIM]))
    with pytest.raises(RuntimeError, match="calls catch_up before each batch"):
        optimizer.apply([tf.constant(1.0), gradient], [bias, weight])
