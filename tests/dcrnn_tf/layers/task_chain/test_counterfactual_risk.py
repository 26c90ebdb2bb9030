"""Counterfactual risks: values and gradients by hand, and that they are unbiased."""

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.layers import doubly_robust_risk, inverse_propensity_risk

LOSSES = [0.5, 2.0, 7.0, 1.0]
OBSERVED = [1.0, 0.0, 1.0, 0.0]
PROPENSITIES = [0.5, 0.1, 0.25, 1.0]
IMPUTED = [1.0, 0.2, 3.0, 0.4]


def test_inverse_propensity_risk_by_hand():
    losses = tf.constant(LOSSES)
    with tf.GradientTape() as tape:
        tape.watch(losses)
        risk = inverse_propensity_risk(losses, tf.constant(OBSERVED), tf.constant(PROPENSITIES))
    assert float(risk) == pytest.approx((0.5 / 0.5 + 7 / 0.25) / 4)  # 7.25
    np.testing.assert_allclose(tape.gradient(risk, losses), [0.5, 0, 1, 0])


def test_doubly_robust_risk_by_hand():
    losses, imputed = tf.constant(LOSSES), tf.constant(IMPUTED)
    with tf.GradientTape() as tape:
        tape.watch([losses, imputed])
        risk = doubly_robust_risk(losses, imputed, tf.constant(OBSERVED), tf.constant(PROPENSITIES))
    # Rows 1 and 3 have e - i of -0.5 and 4, and weights of 2 and 4.
    errors = 1 + 0.2 + 3 + 0.4 + 2 * -0.5 + 4 * 4
    assert float(risk) == pytest.approx((errors + 2 * 0.25 + 4 * 16) / 4)
    by_loss, by_imputed = tape.gradient(risk, [losses, imputed])
    # o / c (1 + 2 (e - i)) by e, and 1 minus that by i.
    np.testing.assert_allclose(by_loss, [0, 0, 4 * 9 / 4, 0], atol=1e-7)
    np.testing.assert_allclose(by_imputed, [0.25, 0.25, (1 - 36) / 4, 0.25], rtol=1e-6)


def test_risks_are_unbiased_where_the_propensities_are_right():
    random = np.random.default_rng(0)
    rows = 200_000
    propensities = random.uniform(0.2, 0.9, rows)
    losses = random.exponential(1.0, rows) * (1.5 - propensities)  # likely clicks lose less
    observed = (random.random(rows) < propensities).astype(float)
    imputed = np.full(rows, 0.7)
    assert losses[observed > 0].mean() < 0.93 * losses.mean()  # the naive mean of clicked rows
    ips = inverse_propensity_risk(losses, observed, propensities)
    assert float(ips) == pytest.approx(losses.mean(), rel=0.015)
    squares = np.mean(observed / propensities * (losses - imputed) ** 2)
    dr = float(doubly_robust_risk(losses, imputed, observed, propensities)) - squares
    assert dr == pytest.approx(losses.mean(), rel=0.015)
    # The imputed losses alone being right is enough as well.
    wrong = np.full(rows, 0.4)
    dr = doubly_robust_risk(losses, losses, observed, wrong)
    assert float(dr) == pytest.approx(losses.mean(), rel=1e-6)
    assert float(inverse_propensity_risk(losses, observed, wrong)) > 1.2 * losses.mean()
