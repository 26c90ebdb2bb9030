"""The error of models that cannot be built as asked."""

from dcrnn_tf.system.errors import UserError


class ModelError(UserError, ValueError):
    """A model cannot be built as asked."""
