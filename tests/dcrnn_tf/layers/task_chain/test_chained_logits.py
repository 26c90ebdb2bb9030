"""Logits of products and quotients of probabilities, at all sizes, against exact arithmetic."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.layers import conditional_logit, joint_logit
from dcrnn_tf.layers.task_chain.chained_logits import HIGHEST

EXTREMES = [-300.0, -40.0, -3.0, 0.0, 2.0, 30.0, 300.0]
PAIRS = np.array([(a, b) for a in EXTREMES for b in EXTREMES])


def exact(a, b):
    """`log(p / (1 - p))`, and by a and b its derivatives, with p = sigmoid(a) sigmoid(b)."""
    with localcontext() as context:
        context.prec = 400
        one, other = (1 / (1 + (-Decimal(x)).exp()) for x in (a, b))
        p = one * other
        logit = (p / (1 - p)).ln()
        # d logit / dp = 1 / (p (1 - p)), and dp / da = p (1 - sigmoid(a)).
        return float(logit), float((1 - one) / (1 - p)), float((1 - other) / (1 - p))


def test_joint_logit_and_its_gradients_at_any_size():
    expected, by_a, by_b = np.transpose([exact(a, b) for a, b in PAIRS])
    a, b = (tf.constant(column, tf.float64) for column in PAIRS.T)
    with tf.GradientTape() as tape:
        tape.watch([a, b])
        joint = joint_logit(a, b)
    np.testing.assert_allclose(joint, expected, rtol=1e-12, atol=1e-15)
    for found, wanted in zip(tape.gradient(joint, [a, b]), (by_a, by_b), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-300)
    single = joint_logit(*(tf.constant(column, tf.float32) for column in PAIRS.T))
    np.testing.assert_allclose(single, expected, rtol=1e-6, atol=1e-7)


def test_conditional_logit_takes_the_product_apart():
    random = np.random.default_rng(0)
    a, b = random.normal(-3, 2, 1000), random.normal(-4, 2, 1000)
    joint = joint_logit(tf.constant(a), tf.constant(b))
    np.testing.assert_allclose(conditional_logit(joint, tf.constant(a)), b, rtol=1e-9, atol=1e-9)
    joint, a = tf.cast(joint, tf.float32), tf.constant(a, tf.float32)
    np.testing.assert_allclose(conditional_logit(joint, a), b, atol=0.01)


@pytest.mark.parametrize("a", [-30.0, -2.0, 0.0, 50.0])
@pytest.mark.parametrize("over", [0.0, 1e-9, 0.5, 100.0])
def test_a_quotient_above_1_counts_as_1(a, over):
    joint, first = tf.constant([a + over]), tf.constant([a])
    (logit,) = conditional_logit(joint, first).numpy()
    assert logit == pytest.approx(HIGHEST, rel=1e-5)
    assert tf.sigmoid(logit).numpy() == pytest.approx(1, abs=2e-6)


def test_an_impossible_joint_event_is_finite():
    logit = conditional_logit(tf.constant([-300.0, -300.0]), tf.constant([-3.0, 300.0])).numpy()
    # P(joint) / P(first): e^-300 over sigmoid(-3), and over 1.
    np.testing.assert_allclose(logit, [-300 - np.log(1 / (1 + np.exp(3))), -300], rtol=1e-6)
