"""Logits of products and quotients of probabilities, for tasks that follow one another."""

import math

import tensorflow as tf

_LEAST_GAP = 1e-6  # least difference of the logits of a quotient
HIGHEST = -math.log(1e-6)  # highest logit of a quotient, a probability of 1 - 1e-6


def joint_logit(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Returns the logit of `sigmoid(a) sigmoid(b)`, which is `-log(e^-a + e^-b + e^(-a-b))`.

    It is exact whatever the size of the logits, as are its gradients, each between 0 and 1.

    Args:
      first: Logit a, such as that of a click, of any shape.
      second: Logit b, such as that of a conversion after a click, of the same shape.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> logit = layers.joint_logit(tf.constant(0.0), tf.constant(0.0))
      >>> round(float(tf.sigmoid(logit)), 4)  # 0.5 0.5
      0.25
    """
    a, b = -first, -second
    return -tf.reduce_logsumexp(tf.stack([a, b, a + b]), axis=0)


def conditional_logit(joint: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
    """Returns the logit of `min(sigmoid(j) / sigmoid(a), 1)`, the inverse of `joint_logit` in b.

    It is `log(1 + e^a) - log(e^(a-j) - 1)`, and `HIGHEST` where that is larger or a is below j: a
    quotient of two predictions can exceed 1.

    Args:
      joint: Logit j, such as that of a conversion, of any shape.
      first: Logit a, such as that of a click, of the same shape.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> joint = tf.math.log(0.25 / 0.75)
      >>> round(float(tf.sigmoid(layers.conditional_logit(joint, tf.constant(0.0)))), 4)
      0.5
    """
    gap = tf.maximum(first - joint, _LEAST_GAP)
    log_odds = tf.nn.softplus(first) - gap - tf.math.log(-tf.math.expm1(-gap))
    return tf.minimum(log_odds, HIGHEST)
