"""Subspaces of the layers of several networks: parts of equal width, and how far they overlap."""

import tensorflow as tf


def split_subspaces(outputs: tf.Tensor, number: int) -> tf.Tensor:
    """Cuts the outputs of N layers into S parts each, `(N, batch, d)` to `(N * S, batch, d / S)`.

    Args:
      outputs: `(N, batch, d)`.
      number: S; divides d.
    """
    networks, _, width = outputs.shape
    parts = tf.reshape(outputs, (networks, -1, number, width // number))
    return tf.reshape(
        tf.transpose(parts, (0, 2, 1, 3)),
        (networks * number, tf.shape(outputs)[1], width // number),
    )


def join_subspaces(parts: tf.Tensor, number: int) -> tf.Tensor:
    """The inverse of `split_subspaces`."""
    count, _, width = parts.shape
    outputs = tf.reshape(parts, (count // number, number, tf.shape(parts)[1], width))
    return tf.reshape(
        tf.transpose(outputs, (0, 2, 1, 3)),
        (count // number, tf.shape(parts)[1], number * width),
    )


def overlap(kernels: tf.Tensor, number: int) -> tf.Tensor:
    """`sum_n sum_{s < r} ||G_ns^T G_nr||_F^2`, 0 where subspaces are orthogonal.

    G_ns are the columns of kernel n that make subspace s.

    Args:
      kernels: of N layers, `(N, inputs, d)`.
      number: S, of subspaces of a layer; divides d.

    Returns:
      A scalar.
    """
    width = kernels.shape[2]
    squares = tf.square(tf.matmul(kernels, kernels, transpose_a=True))
    subspace = tf.range(width) // (width // number)
    apart = tf.cast(subspace[:, None] < subspace[None, :], squares.dtype)
    return tf.reduce_sum(squares * apart)
