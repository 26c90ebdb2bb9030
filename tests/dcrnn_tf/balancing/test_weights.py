"""Ways that weigh losses: fixed weights, uncertainty, DWA."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import balancing
from dcrnn_tf.balancing import Balancing, BalancingError
from dcrnn_tf.balancing.dwa import DWA
from dcrnn_tf.balancing.fixed import Fixed
from dcrnn_tf.balancing.uncertainty import Uncertainty
from tests.dcrnn_tf.balancing.linear import TASKS, Linear, assert_close, expected


def test_the_sum():
    total, gradients = Linear().step(Balancing(TASKS), penalised=True)
    assert total == 8 + 8 + 1
    vector, *others = expected(1, 1)
    assert_close(gradients, [vector + 1, *others])


def test_fixed_weights():
    total, gradients = Linear().step(Fixed(TASKS, [2, 0.5]), penalised=True)
    assert total == 2 * 8 + 0.5 * 8 + 1  # the penalty keeps its factor of 1
    vector, *others = expected(2, 0.5, own=(2, 0.5))
    assert_close(gradients, [vector + 1, *others])


@pytest.mark.parametrize("weights", [[], [1], [1, 2, 3], [-1, 1], [1, float("nan")], [0, 0]])
def test_weights_that_do_not_fit(weights):
    with pytest.raises(BalancingError, match="one finite number from 0 for each of the 2 tasks"):
        Fixed(TASKS, weights)


def test_uncertainty():
    way = Uncertainty(TASKS)
    way.log_variances.assign([np.log(4.0), np.log(0.5)])
    total, gradients = Linear().step(way, penalised=True)
    assert total == pytest.approx(8 / 4 + 8 / 0.5 + np.log(4 * 0.5) / 2 + 1, rel=1e-6)
    vector, *others = expected(1 / 4, 2, own=(1 / 4, 2))
    # By s_t the derivative is 1/2 - exp(-s_t) L_t.
    assert_close(gradients, [vector + 1, *others, [0.5 - 2, 0.5 - 16]])
    assert float(way.statistics["weight_conversion"]) == pytest.approx(2)


def test_an_uncertainty_left_alone_tends_to_twice_the_loss():
    way = Uncertainty(TASKS)
    optimizer = keras.optimizers.SGD(0.5)
    optimizer.build(way.trainable_variables)
    for _ in range(100):
        _, gradients = Linear().step(way, scale=(0.25, 0.5))
        optimizer.apply([gradients[-1]], way.trainable_variables)
    np.testing.assert_allclose(np.exp(way.log_variances.numpy()), [2 * 2, 2 * 4], rtol=1e-4)


def test_dynamic_weight_average():
    way = DWA(TASKS, steps_per_epoch=2, temperature=2.0)
    problem = Linear()
    # Both losses are 8 at a scale of 1: means of 32 and 8, then 16 and 6.4.
    for scale in ((3, 1), (5, 1), (1, 0.8), (3, 0.8)):
        _, gradients = problem.step(way, scale)
        assert_close(gradients, expected(*scale, own=scale))
    softmax = np.exp([0.25, 0.4]) / np.exp([0.25, 0.4]).sum()  # of ratios 0.5 and 0.8, halved
    for _ in range(2):
        total, gradients = problem.step(way, (1, 1), penalised=True)
        weights = 2 * softmax
        assert total == pytest.approx(8 * weights.sum() + 1, rel=1e-6)
        vector, *others = expected(*weights, own=weights)
        assert_close(gradients, [vector + 1, *others])
    problem.step(way, (1, 1))  # ratios of 8 to 16 and to 6.4
    ratios = np.exp([0.25, 0.625])
    noted = [float(way.statistics[f"weight_{task}"]) for task in TASKS]
    np.testing.assert_allclose(noted, 2 * ratios / ratios.sum(), rtol=1e-6)


def test_settings_that_cannot_be():
    losses = dict.fromkeys(TASKS, 1.0)
    with pytest.raises(BalancingError, match="'best' is not one of cagrad, dwa, famo, fixed, grad"):
        balancing.build("best", losses, 1)
    with pytest.raises(BalancingError, match="dwa_temperature=0"):
        balancing.build("dwa", losses, 1, temperature=0)
    with pytest.raises(BalancingError, match="gradnorm_alpha=-1"):
        balancing.build("gradnorm", losses, 1, alpha=-1)
    with pytest.raises(BalancingError, match="dwa has no setting heat; it has temperature"):
        balancing.build("dwa", losses, 1, heat=3)
    with pytest.raises(BalancingError, match="sum has no setting weights; it has none"):
        balancing.build("sum", losses, 1, weights=[1, 2])
    for name in ("gradnorm", "pcgrad"):
        with pytest.raises(BalancingError, match="one of dwa, famo, fixed, random_weights, sum"):
            balancing.build(name, losses, 1, static_shapes=True)


@pytest.mark.parametrize("name", ["fixed", "uncertainty", "dwa", "famo"])
def test_xla_compiles_it(name):
    problem = Linear()
    results = []
    for jit_compile in (True, False):
        settings = {"weights": [1, 2]} if name == "fixed" else {}
        way = balancing.build(name, dict.fromkeys(TASKS, 1.0), 1, static_shapes=True, **settings)

        @tf.function(autograph=False, jit_compile=jit_compile)
        def step(way=way):
            with tf.GradientTape() as tape:
                losses = problem.losses()
                total = way.total(losses, [])
            way.gradients(tape, total, losses, [], [problem.vector])
            return total

        results.append([float(step()) for _ in range(4)])
    np.testing.assert_allclose(*results, rtol=1e-6)
    assert results[0][-1] == pytest.approx(24 if name == "fixed" else 16)
