"""MGDA, CAGrad, Nash-MTL, IMTL-G, FAMO and random weights, on problems whose answer is known."""

import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

from dcrnn_tf.balancing import BalancingError
from dcrnn_tf.balancing.cagrad import CAGrad
from dcrnn_tf.balancing.famo import FAMO
from dcrnn_tf.balancing.imtl_g import IMTLG
from dcrnn_tf.balancing.mgda import MGDA
from dcrnn_tf.balancing.nash_mtl import NashMTL
from dcrnn_tf.balancing.random_weights import RandomWeights
from tests.dcrnn_tf.balancing import toy
from tests.dcrnn_tf.balancing.linear import TASKS, Linear, assert_close, expected

COMBINATIONS = (MGDA, CAGrad, NashMTL, IMTLG)


@pytest.mark.parametrize(
    ("way", "weights"),
    [
        # Shared gradients 3 g and h with g . g = h . h = 5 and g . h = -3: squares 45 and 5,
        # product -9. The shortest mean has w = (5 + 9) / (45 + 5 + 18) = 7 / 34.
        (MGDA, (7 / 17, 27 / 17)),
        # 45 a^2 - 9 a b = 1 = 5 b^2 - 9 a b: b = 3 a, 18 a^2 = 1.
        (NashMTL, (18**-0.5, 3 * 18**-0.5)),
        # The longer gradient is scaled to the shorter.
        (IMTLG, (0.5, 1.5)),
    ],
)
def test_two_tasks_by_hand(way, weights):
    balancing = way(TASKS)
    total, gradients = Linear().step(balancing, scale=(3, 1), penalised=True)
    assert total == 24 + 8 + 1
    vector, *others = expected(3 * weights[0], weights[1], own=(3, 1))
    assert_close(gradients, [vector + 1, *others])
    noted = [float(balancing.statistics[f"weight_{task}"]) for task in TASKS]
    np.testing.assert_allclose(noted, weights, rtol=1e-5)


def test_cagrad_by_hand():
    # Gradients of one length are equally near to their mean: both gain by half of it more.
    _, gradients = Linear().step(CAGrad(TASKS, c=0.5))
    assert_close(gradients, expected(1.5, 1.5))
    _, gradients = Linear().step(CAGrad(TASKS, c=0), scale=(3, 1))
    assert_close(gradients, expected(3, 1, own=(3, 1)))


def weights_of(way, gradients):
    return way.combination(tf.constant(gradients @ gradients.T)).numpy()


def cagrad_dual(gradients, c):
    mean = gradients.mean(axis=0)
    return lambda w: w @ gradients @ mean + c * np.linalg.norm(mean) * np.linalg.norm(w @ gradients)


def scipy_minimum(function, tasks):
    best = min(
        (
            scipy.optimize.minimize(
                function,
                start / start.sum(),
                bounds=[(0, 1)] * tasks,
                constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
                tol=1e-12,
            )
            for start in 0.1 + np.eye(tasks)
        ),
        key=lambda result: result.fun,
    )
    return best.x


@pytest.mark.parametrize("tasks", [2, 4])
def test_directions_are_those_that_scipy_finds(tasks):
    random = np.random.default_rng(tasks)
    for number in range(2):
        gradients = random.normal(size=(tasks, 6)) * np.geomspace(1, 3, tasks)[:, None]
        gradients += number % 2  # which agree more
        wanted = scipy_minimum(lambda w: np.sum((w @ gradients) ** 2), tasks) @ gradients  # noqa: B023
        found = weights_of(MGDA("abcde"[:tasks]), gradients) @ gradients / tasks
        np.testing.assert_allclose(found, wanted, atol=1e-4)
        assert (gradients @ found >= found @ found - 1e-6).all()

        mean = gradients.mean(axis=0)
        combined = scipy_minimum(cagrad_dual(gradients, 0.4), tasks) @ gradients
        wanted = mean + 0.4 * np.linalg.norm(mean) * combined / np.linalg.norm(combined)
        found = weights_of(CAGrad("abcde"[:tasks], c=0.4), gradients) @ gradients / tasks
        np.testing.assert_allclose(found, wanted, atol=1e-4)
        distance = np.linalg.norm(found - mean)
        assert distance == pytest.approx(0.4 * np.linalg.norm(mean), rel=1e-6)


@pytest.mark.parametrize("tasks", [2, 4])
def test_bargains_and_equal_projections(tasks):
    random = np.random.default_rng(tasks)
    for _ in range(2):
        gradients = random.normal(size=(tasks, 6)) * np.geomspace(0.01, 100, tasks)[:, None]
        agreed = weights_of(NashMTL("abcde"[:tasks]), gradients)
        np.testing.assert_allclose(gradients @ gradients.T @ agreed * agreed, 1, rtol=1e-5)
        assert (agreed > 0).all()

        units = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
        found = weights_of(IMTLG("abcde"[:tasks]), gradients)
        projections = units @ (found @ gradients)
        np.testing.assert_allclose(projections, projections[0], rtol=1e-5)
        assert projections[0] > 0
        # The closed form of the paper, whose weights have the sum 1.
        differences, unit_differences = gradients[0] - gradients[1:], units[0] - units[1:]
        inverse = np.linalg.inv(differences @ unit_differences.T)
        others = gradients[0] @ unit_differences.T @ inverse
        paper = np.concatenate([[1 - others.sum()], others])
        np.testing.assert_allclose(np.abs(found), np.abs(tasks * paper), rtol=1e-4)


@pytest.mark.parametrize("way", COMBINATIONS)
def test_gradients_that_are_equal_opposite_or_nothing(way):
    one = np.array([1.0, 2.0, 0.0])
    for rows in ([one, one, one], [one, -one, one], [one, 0 * one, one], [0 * one] * 3):
        weights = weights_of(way("abc"), np.array(rows))
        assert np.isfinite(weights).all()
        if way in (MGDA, IMTLG) and rows[1] is one:
            np.testing.assert_allclose(weights, 1, rtol=1e-5)


def test_one_task_is_followed_as_it_is():
    for way in (MGDA, IMTLG):
        np.testing.assert_allclose(weights_of(way("a"), np.array([[3.0, 4.0]])), [1], rtol=1e-6)


def test_famo_weighs_by_the_inverse_of_losses_and_by_what_the_last_step_has_done():
    way = FAMO(TASKS, learning_rate=0.1, decay=0.5)
    total, gradients = Linear().step(way, scale=(3, 1), penalised=True)
    # Losses 24 and 8, z = (1/2, 1/2): weights 2 c z / L with 1 / c = 1/48 + 1/16 = 1/12.
    assert total == pytest.approx(0.5 * 24 + 1.5 * 8 + 1)
    vector, *others = expected(1.5, 1.5, own=(1.5, 1.5))
    assert_close(gradients, [vector + 1, *others])
    # log(24) - log(12) and none: the gradient is (log 2 / 4, -log 2 / 4), Adam's first step its
    # sign times the learning rate.
    way.look_back({"click": tf.constant(12.0), "conversion": tf.constant(8.0)})
    np.testing.assert_allclose(way.preferences.numpy(), [-0.1, 0.1], rtol=1e-4)
    Linear().step(way)
    shares = np.exp([-0.1, 0.1]) / np.exp([-0.1, 0.1]).sum()
    noted = [float(way.statistics[f"weight_{task}"]) for task in TASKS]
    np.testing.assert_allclose(noted, 2 * shares, rtol=1e-4)
    # Now nothing changes but the decay, towards 0: first moments 0.9 and 0.1 of the two gradients.
    way.look_back({"click": tf.constant(8.0), "conversion": tf.constant(8.0)})
    first, second = np.log(2) / 4, -0.05
    moment = (0.09 * first + 0.1 * second) / (1 - 0.9**2)
    square = (0.999e-3 * first**2 + 1e-3 * second**2) / (1 - 0.999**2)
    wanted = -0.1 - 0.1 * moment / np.sqrt(square)
    np.testing.assert_allclose(way.preferences.numpy(), [wanted, -wanted], rtol=1e-3)


def test_a_loss_that_is_not_positive_leaves_famo_finite():
    way = FAMO(TASKS)
    losses = {"click": tf.constant(0.0), "conversion": tf.constant(-3.0)}
    assert np.isfinite(float(way.total(losses, [])))
    way.look_back(losses)
    assert np.isfinite(way.preferences.numpy()).all()


def test_random_weights():
    one, same, other = (RandomWeights("abc", seed=seed) for seed in (3, 3, 4))
    losses = {task: tf.constant(1.0) for task in "abc"}
    drawn = []
    for way in (one, same, other):
        drawn.append([])
        for _ in range(200):
            assert float(way.total(losses, [])) == pytest.approx(3, rel=1e-5)
            drawn[-1].append([float(way.statistics[f"weight_{task}"]) for task in "abc"])
    assert drawn[0] == drawn[1] != drawn[2]
    np.testing.assert_allclose(np.mean(drawn[0], axis=0), 1, atol=0.2)
    # The softmax of standard normal numbers is exp(z) over its sum: z apart from their mean.
    logarithms = np.log(drawn[0])
    apart = (logarithms - logarithms.mean(axis=1, keepdims=True)).ravel()
    assert np.std(apart) == pytest.approx(np.sqrt(2 / 3), rel=0.15)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: CAGrad(TASKS, c=1.0), r"cagrad: c=1\.0 must be a number from 0 to below 1"),
        (lambda: CAGrad(TASKS, c=float("nan")), "cagrad: c=nan must be"),
        (lambda: FAMO(TASKS, decay=-1), "famo: decay=-1 must be a number from 0"),
    ],
)
def test_settings_that_cannot_be(make, sentence):
    with pytest.raises(BalancingError, match=sentence):
        make()


def pareto_stationary(point) -> bool:
    """Whether no direction from here lowers both losses of the toy problem by much."""
    variable = tf.Variable(point)
    with tf.GradientTape(persistent=True) as tape:
        losses = toy.losses(variable)
    gradients = np.stack([tape.gradient(loss, variable) for loss in losses])
    mixtures = np.linspace(0, 1, 1001)[:, None]
    mixed = mixtures * gradients[0] + (1 - mixtures) * gradients[1]
    shortest = np.linalg.norm(mixed, axis=1).min()
    return -7.5 < point[0] < 7.5 and shortest < 0.05


@pytest.mark.parametrize(
    ("way", "starts", "steps"),
    [
        (NashMTL, toy.STARTS[:1], 4000),
        *(
            pytest.param(way, toy.STARTS, steps, marks=pytest.mark.slow)
            for way, steps in (
                (MGDA, 4000),
                (CAGrad, 16000),
                (NashMTL, 4000),
                (IMTLG, 4000),
                (FAMO, 16000),
            )
        ),
    ],
)
def test_the_toy_problem_is_solved_from_every_start(way, starts, steps):
    for start in starts:
        # FAMO takes logarithms of the losses, which go down to -20.
        point = toy.end(lambda: way("ab"), start, steps, shift=30.0 if way is FAMO else 0.0)
        assert pareto_stationary(point), (start, point)
