"""The mixtures of experts' outputs by gates, by a compiled operation or not."""

import tensorflow as tf

from dcrnn_tf.kernels import operations


def mixture(gates: tf.Tensor, outputs: tf.Tensor, compiled: bool = False) -> tf.Tensor:
    """Returns what each gate takes of the experts, `sum_e g_te f_e`, `(T, batch, width)`.

    Args:
      gates: Gates g, `(batch, T, E)`.
      outputs: Outputs of the experts, f, `(E, batch, width)`.
      compiled: Whether a compiled operation may do it; see `MultiTaskModel.takes_compiled`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> outputs = tf.constant([[[3.0, 4.0]], [[0.0, 16.0]]])  # of two experts for one example
      >>> layers.mixture(tf.constant([[[0.5, 0.5]]]), outputs).numpy()
      array([[[ 1.5, 10. ]]], dtype=float32)
    """
    if compiled:
        return _compiled_mixture(gates, outputs)
    return tf.einsum("bte,ebu->tbu", gates, outputs)


@tf.custom_gradient
def _compiled_mixture(gates, outputs):
    mixtures = operations.library().dcrnn_mixture(gates, outputs)
    mixtures = tf.ensure_shape(mixtures, (gates.shape[1], None, outputs.shape[2]))

    def gradient(upstream):
        return operations.library().dcrnn_mixture_gradient(upstream, gates, outputs)

    return mixtures, gradient
