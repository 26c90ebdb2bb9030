"""Risks over all exposures of a label that is seen on some of them only, such as a conversion.

o says where the label is seen, such as at a click, e is its loss there, and `c = P(o = 1)` the
propensity. Both risks have the mean loss over all exposures as their expectation (Wang et al.,
SIGIR 2022).
"""

import tensorflow as tf


def inverse_propensity_risk(
    losses: tf.Tensor,
    observed: tf.Tensor,
    propensities: tf.Tensor,
    weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """Returns `mean(w o e / c)` (IPS), a scalar.

    Args:
      losses: Losses e, `(batch,)`; they do not count where the label is not seen.
      observed: Where the label is seen, o, `(batch,)` of 0 and 1.
      propensities: Propensities c, `(batch,)`, above 0.
      weights: Weights w of the examples, `(batch,)`; 1 if not given.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> losses, seen = tf.constant([0.5, 9.0]), tf.constant([1.0, 0.0])
      >>> float(layers.inverse_propensity_risk(losses, seen, tf.constant([0.25, 0.25])))
      1.0
    """
    return _mean(observed * losses / propensities, weights)


def doubly_robust_risk(
    losses: tf.Tensor,
    imputed: tf.Tensor,
    observed: tf.Tensor,
    propensities: tf.Tensor,
    weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """Returns `mean(w (i + o (e - i) / c)) + mean(w o (e - i)^2 / c)` (DR), a scalar.

    The first term has the right expectation if either the propensities or the imputed losses are
    right; the second is the loss of what imputes them.

    Args:
      losses: Losses e, `(batch,)`; they do not count where the label is not seen.
      imputed: Losses that are expected of each exposure, i, `(batch,)`.
      observed: Where the label is seen, o, `(batch,)` of 0 and 1.
      propensities: Propensities c, `(batch,)`, above 0.
      weights: Weights w of the examples, `(batch,)`; 1 if not given.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> losses, imputed = tf.constant([0.5, 9.0]), tf.constant([0.25, 0.75])
      >>> seen, propensities = tf.constant([1.0, 0.0]), tf.constant([0.25, 0.25])
      >>> float(layers.doubly_robust_risk(losses, imputed, seen, propensities))  # 2 / 2 + 0.25 / 2
      1.125
    """
    inverse = observed / propensities
    errors = losses - imputed
    return _mean(imputed + inverse * (errors + tf.square(errors)), weights)


def _mean(terms: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    return tf.reduce_mean(terms if weights is None else weights * terms)
