"""The mixtures of experts' outputs by gates, and a layer's end, by compiled operations or not."""

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


def experts_end(products: tf.Tensor, bias: tf.Tensor, experts: int) -> tf.Tensor:
    """Returns `relu(products + bias)` expert by expert, `(E, batch, width)`, by one operation.

    Args:
      products: Products of a layer, `(batch, E * width)` or `(E, batch, width)`.
      bias: Biases, with `E * width` elements.
      experts: Number of experts, E.
    """
    width = bias.shape.num_elements() // experts
    hidden = _compiled_end(products, bias, experts)
    return tf.ensure_shape(hidden, (experts, None, width))


@tf.custom_gradient
def _compiled_mixture(gates, outputs):
    mixtures = operations.library().dcrnn_mixture(gates, outputs)
    mixtures = tf.ensure_shape(mixtures, (gates.shape[1], None, outputs.shape[2]))

    def gradient(upstream):
        return operations.library().dcrnn_mixture_gradient(upstream, gates, outputs)

    return mixtures, gradient


def _compiled_end(products, bias, experts):
    @tf.custom_gradient
    def end(products, bias):
        hidden = operations.library().dcrnn_experts_end(products, bias, experts=experts)

        def gradient(upstream):
            by_products, by_bias = operations.library().dcrnn_experts_end_gradient(
                upstream, hidden, side_by_side=len(products.shape) == 2
            )
            # A product with a tensor of unknown rank would be a batched one, which is slower.
            by_products = tf.ensure_shape(by_products, products.shape)
            return by_products, tf.reshape(by_bias, bias.shape)

        return hidden, gradient

    return end(products, bias)
