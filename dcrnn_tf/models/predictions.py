"""Turns the outputs of regression tasks into numbers on the scale of their labels."""

import tensorflow as tf

from dcrnn_tf.dataset.schema import Task
from dcrnn_tf.dataset.targets import Target


def on_scale_of_labels(task: Task, output: tf.Tensor) -> tf.Tensor:
    """Returns predictions of a task's labels, `(rows,)`; those of other tasks stay logits.

    Of a zero-inflated lognormal, with the logit of an amount above 0, and mu and s of its
    logarithm, it is the mean `sigmoid(logit) exp(mu + sigma^2 / 2)` with `sigma = softplus(s)`.

    Args:
      task: The task.
      output: Output of a model for it.
    """
    target = task.target
    if target is None:
        return output
    output = tf.cast(output, tf.float32)
    if not target.is_amount:
        return target.unscaled(output, tf.math)
    logit, mu, sigma = lognormal_parts(output, target)
    mu, sigma = mu * target.scale + target.shift, sigma * target.scale
    return tf.exp(tf.math.log_sigmoid(logit) + mu + tf.square(sigma) / 2)


def lognormal_parts(output: tf.Tensor, target: Target) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the logit of an amount above 0, and mu and sigma of its scaled logarithm.

    The logit of the share of such amounts in training is added to a model's, which so begins at
    this share, and not at one half.

    Args:
      output: Output of a model, `(rows, 3)`.
      target: Target of the task.
    """
    logit, mu, s = tf.unstack(output, num=3, axis=-1)
    return logit + target.logit_above_0, mu, tf.math.softplus(s) + _LEAST_SIGMA


_LEAST_SIGMA = 1e-3  # or a density could grow without end
