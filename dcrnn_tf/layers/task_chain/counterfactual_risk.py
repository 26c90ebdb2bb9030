"""Risks over all exposures of a label that is seen on some of them only, such as a conversion.

With o telling where the label is seen, such as at a click, e its loss there, and the propensity
`c = P(o = 1)`, both have the mean loss over all exposures as their expectation.
"""

import tensorflow as tf


def inverse_propensity_risk(
    losses: tf.Tensor, observed: tf.Tensor, propensities: tf.Tensor
) -> tf.Tensor:
    """`mean(o e / c)` (IPS), a scalar.

    Args:
      losses: e, `(batch,)`; does not count where the label is not seen.
      observed: o, `(batch,)` of 0 and 1.
      propensities: c, `(batch,)`, above 0.
    """
    return tf.reduce_mean(observed * losses / propensities)


def doubly_robust_risk(
    losses: tf.Tensor, imputed: tf.Tensor, observed: tf.Tensor, propensities: tf.Tensor
) -> tf.Tensor:
    """`mean(i + o (e - i) / c) + mean(o (e - i)^2 / c)` (DR), a scalar.

    The first term has the right expectation if either the propensities or the imputed losses are
    right; the second is the loss of what imputes them.

    Args:
      losses: e, `(batch,)`; does not count where the label is not seen.
      imputed: i, `(batch,)`, the losses that are expected of each exposure.
      observed: o, `(batch,)` of 0 and 1.
      propensities: c, `(batch,)`, above 0.
    """
    weights = observed / propensities
    errors = losses - imputed
    return tf.reduce_mean(imputed + weights * (errors + tf.square(errors)))
