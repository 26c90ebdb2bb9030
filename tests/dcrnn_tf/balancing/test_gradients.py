"""Ways that look at each task's gradient: GradNorm, PCGrad."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.balancing.gradnorm import GradNorm
from dcrnn_tf.balancing.pcgrad import PCGrad, projected
from dcrnn_tf.balancing.task_gradients import TaskGradients, added
from dcrnn_tf.dataset.schema import CATEGORICAL, Field, Schema, Task
from tests.dcrnn_tf.balancing.linear import TASKS, Linear, assert_close, expected


def test_conflicting_gradients_are_projected():
    way = PCGrad(TASKS)
    total, gradients = Linear().step(way, penalised=True)
    assert total == 8 + 8 + 1
    # g_1 . g_2 = -3 and both squares are 5: g_1 + 3/5 g_2 and g_2 + 3/5 g_1. Own weights keep
    # their own gradients, the penalty's comes on top.
    vector, *others = expected(1.6, 1.6)
    assert_close(gradients, [vector + 1, *others])
    noted = {name: float(value) for name, value in way.statistics.items()}
    assert noted == pytest.approx(
        {"conflicts": 1, "weight_click": 1.6, "weight_conversion": 1.6}, rel=1e-6
    )


def test_gradients_that_do_not_conflict_are_summed():
    way = PCGrad(TASKS)
    _, gradients = Linear().step(way, scale=(1, -1))
    assert_close(gradients, expected(1, -1, own=(1, -1)))
    assert float(way.statistics["conflicts"]) == 0


def one_after_the_other(gradients, orders):
    """The algorithm as it is printed, on whole vectors."""
    result = []
    for i, gradient in enumerate(gradients):
        own = gradient.copy()
        for j in orders[i]:
            inner = own @ gradients[j]
            if j != i and inner < 0:
                own -= inner / (gradients[j] @ gradients[j]) * gradients[j]
        result.append(own)
    return np.array(result)


@pytest.mark.parametrize("tasks", [2, 3, 5])
def test_projections_are_those_of_whole_vectors(tasks):
    random = np.random.default_rng(tasks)
    for _ in range(20):
        gradients = random.normal(size=(tasks, 4))
        orders = np.array([random.permutation(tasks) for _ in range(tasks)])
        coefficients = projected(
            tf.constant(gradients @ gradients.T), tf.constant(orders, tf.int32)
        )
        wanted = one_after_the_other(gradients, orders)
        np.testing.assert_allclose(coefficients.numpy() @ gradients, wanted, atol=1e-9)


def test_the_order_matters_and_is_drawn_anew_at_each_step():
    gradients = np.array([[1.0, 0.2], [-1.0, 0.5], [-0.2, -1.0]])
    results = [
        one_after_the_other(gradients, [order] * 3).sum(axis=0)
        for order in itertools.permutations(range(3))
    ]
    assert np.ptp(results, axis=0).max() > 0.01
    one, same, other = PCGrad("abc", seed=3), PCGrad("abc", seed=3), PCGrad("abc", seed=4)
    drawn = [[tuple(way._orders().numpy().ravel()) for _ in range(9)] for way in (one, same, other)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) > 5
    assert {tuple(sorted(row)) for row in np.reshape(drawn[0], (-1, 3))} == {(0, 1, 2)}


def test_norms_that_differ_move_the_weights_by_the_learning_rate():
    way = GradNorm(TASKS, initial_losses=[24, 8], learning_rate=0.025)
    problem = Linear()
    # Gradients 3 and 1 times as long, at one pace: the wanted norm is the mean of both, and Adam
    # moves by its learning rate as long as the gradient's sign stays.
    for step in range(10):
        low, high = 1 - 0.025 * step, 1 + 0.025 * step
        total, gradients = problem.step(way, scale=(3, 1), penalised=True)
        assert total == pytest.approx(24 * low + 8 * high + 1, rel=1e-5)
        vector, *others = expected(3 * low, high, own=(3 * low, high))
        assert_close(gradients, [vector + 1, *others])
    np.testing.assert_allclose(way.weights.numpy(), [0.75, 1.25], rtol=1e-5)
    noted = {name: float(value) for name, value in way.statistics.items()}
    assert noted["gradient_norm_click"] == pytest.approx(3 * 5**0.5, rel=1e-6)
    assert noted["weight_click"] == pytest.approx(0.775, rel=1e-5)  # that of the step itself


def test_in_the_end_the_norms_are_alike():
    way = GradNorm(TASKS, initial_losses=[24, 8], learning_rate=0.01)
    for _ in range(150):
        Linear().step(way, scale=(3, 1))
    np.testing.assert_allclose(way.weights.numpy(), [0.5, 1.5], atol=0.02)


def test_a_task_that_lags_behind_is_pulled():
    # The same norms; click is at 8 of 8, conversion at 8 of 16: it has come further.
    way = GradNorm(TASKS, initial_losses=[8, 16], alpha=1.0, learning_rate=0.1)
    Linear().step(way)
    np.testing.assert_allclose(way.weights.numpy(), [1.1, 0.9], rtol=1e-5)
    even = GradNorm(TASKS, initial_losses=[8, 16], alpha=0.0, learning_rate=0.1)
    Linear().step(even)
    np.testing.assert_array_equal(even.weights.numpy(), [1, 1])


def test_weights_stay_above_0():
    way = GradNorm(TASKS, initial_losses=[24, 8], learning_rate=5.0)
    Linear().step(way, scale=(3, 1))
    np.testing.assert_allclose(way.weights.numpy(), np.array([0.001, 6]) * 2 / 6.001, rtol=1e-5)


FIELDS = tuple(Field(f"field_{i}", CATEGORICAL, 10) for i in range(3))
SCHEMA = Schema("tiny", FIELDS, tuple(Task(task) for task in ("a", "b", "c")), splits={})


def random_batch(rows=32):
    random = np.random.default_rng(1)
    features = {f.name: tf.constant(random.integers(0, 10, rows), tf.int32) for f in FIELDS}
    return features, {t: tf.constant(random.integers(0, 2, rows), tf.float32) for t in "abc"}


@pytest.mark.parametrize("name", ["mmoe", "snr", "dephn", "wide_and_deep"])
def test_the_tasks_gradients_add_up_to_that_of_the_sum(name):
    """With the model's penalties, the virtual gradient, and tables of single-task models."""
    model = models.build(name, SCHEMA, embedding_dim=4)

    @tf.function
    def gradients(features, labels):
        with tf.GradientTape(persistent=True) as tape:
            logits = model.training_logits(features, labels)
            losses = [tf.reduce_sum(tf.square(logits[t] - labels[t])) for t in "abc"]
            penalties = model.losses
            total = sum([*losses, *penalties])
        variables = model.trainable_variables
        own = TaskGradients(tape, losses, variables)
        parts = own.combined([1.0] * 3, [1.0] * 3)
        if penalties:
            parts = added(parts, tape.gradient(list(penalties), variables))
        whole = tape.gradient(total, variables)
        return [[tf.convert_to_tensor(g) for g in side] for side in (parts, whole)]

    parts, whole = gradients(*random_batch())
    assert len(parts) == len(model.trainable_variables)
    for mine, other in zip(parts, whole, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())


def test_gradients_of_three_tasks_are_added_two_by_two():
    model = models.build("mmoe", SCHEMA, embedding_dim=4)
    ways = (PCGrad("abc"), GradNorm("abc", [1.0] * 3))

    @tf.function(autograph=False)
    def step(features, labels):
        for way in ways:
            with tf.GradientTape(persistent=True) as tape:
                logits = model.training_logits(features, labels)
                losses = {t: tf.reduce_mean(tf.square(logits[t] - labels[t])) for t in "abc"}
                total = way.total(losses, [])
            gradients = way.gradients(tape, total, losses, [], model.trainable_variables)
        return [tf.convert_to_tensor(gradient) for gradient in gradients]

    graph = step.get_concrete_function(*random_batch()).graph
    wide = [op for op in graph.get_operations() if op.type == "AddN" and len(op.inputs) > 2]
    assert wide == []
