"""The matrix product of layers: a gradient that is fast on CPUs, and bfloat16 on request."""

import tensorflow as tf

from dcrnn_tf.layers.shared_rows import SharedRows

_low_precision = False


def use_bfloat16_products(use: bool) -> None:
    """Sets whether `product` rounds its operands and results to bfloat16 from now on.

    Sums within a product stay float32, and so does all else: weights, activations, gradients. Only
    the large products of a model go through `product`: the first layers of experts and gates, the
    input products of recurrent networks, the interactions of fields.

    Args:
      use: Whether it does.
    """
    global _low_precision
    _low_precision = use


def bfloat16_products() -> bool:
    """Whether `product` rounds its operands and results to bfloat16."""
    return _low_precision


def product(inputs: tf.Tensor | SharedRows, kernel: tf.Tensor) -> tf.Tensor:
    """Returns `inputs @ kernel`, with the gradients that `tf.matmul` has.

    The gradient by the inputs is `upstream @ kernel^T`. TensorFlow's product with a transposed
    second operand takes a third longer than one with the transposed matrix laid out first, and its
    graph optimiser would fold a plain `tf.transpose` back into the product.

    Args:
      inputs: Matrix, `(rows, d)`.
      kernel: Matrix, `(d, width)`.

    Returns:
      The product, `(rows, width)`.
    """
    multiply = _product
    if _low_precision and kernel.dtype == tf.float32:
        multiply = _bfloat16_product
    if isinstance(inputs, SharedRows):
        return inputs.product(kernel, multiply)
    return multiply(inputs, kernel)


@tf.custom_gradient
def _product(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        depth, width = kernel.shape
        transposed = tf.transpose(tf.reshape(kernel, (depth, width, 1)), (1, 2, 0))
        transposed = tf.reshape(transposed, (width, depth))
        return upstream @ transposed, tf.matmul(inputs, upstream, transpose_a=True)

    return inputs @ kernel, gradient


@tf.custom_gradient
def _bfloat16_product(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    rounded, rounded_kernel = tf.cast(inputs, tf.bfloat16), tf.cast(kernel, tf.bfloat16)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        upstream = tf.cast(upstream, tf.bfloat16)
        by_inputs = tf.matmul(upstream, rounded_kernel, transpose_b=True)
        by_kernel = tf.matmul(rounded, upstream, transpose_a=True)
        return tf.cast(by_inputs, tf.float32), tf.cast(by_kernel, tf.float32)

    return tf.cast(rounded @ rounded_kernel, tf.float32), gradient
