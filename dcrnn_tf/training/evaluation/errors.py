"""The error of evaluations."""

from dcrnn_tf.system.errors import UserError


class EvaluationError(UserError):
    """Predictions of which no metrics can be computed."""
