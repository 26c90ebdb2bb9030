"""Subspaces of the layers of several networks: parts of equal width, and how far they overlap."""

import tensorflow as tf


def split_subspaces(outputs: tf.Tensor, number: int) -> tf.Tensor:
    """Cuts the outputs of N layers into S parts each.

    Args:
      outputs: Outputs of the layers, `(N, batch, d)`.
      number: Number of parts, S; divides d.

    Returns:
      The parts, `(N * S, batch, d / S)`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> layers.split_subspaces(tf.constant([[[1.0, 2.0, 3.0, 4.0]]]), 2).numpy()
      array([[[1., 2.]], [[3., 4.]]], dtype=float32)
    """
    networks, _, width = outputs.shape
    parts = tf.reshape(outputs, (networks, -1, number, width // number))
    return tf.reshape(
        tf.transpose(parts, (0, 2, 1, 3)),
        (networks * number, tf.shape(outputs)[1], width // number),
    )


def join_subspaces(parts: tf.Tensor, number: int) -> tf.Tensor:
    """Joins the parts that `split_subspaces` has cut.

    Args:
      parts: Parts, `(N * S, batch, d / S)`.
      number: Number of parts of a layer, S.

    Returns:
      The outputs of the layers, `(N, batch, d)`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> layers.join_subspaces(tf.constant([[[1.0, 2.0]], [[3.0, 4.0]]]), 2).numpy()
      array([[[1., 2., 3., 4.]]], dtype=float32)
    """
    count, _, width = parts.shape
    outputs = tf.reshape(parts, (count // number, number, tf.shape(parts)[1], width))
    return tf.reshape(
        tf.transpose(outputs, (0, 2, 1, 3)),
        (count // number, tf.shape(parts)[1], number * width),
    )


def overlap(kernels: tf.Tensor, number: int) -> tf.Tensor:
    """Returns `sum_n sum_{s < r} ||G_ns^T G_nr||_F^2`, 0 where subspaces are orthogonal.

    G_ns are the columns of kernel n that make subspace s (Ruder et al., AAAI 2019).

    Args:
      kernels: Kernels G of N layers, `(N, inputs, d)`.
      number: Number of subspaces of a layer, S; divides d.

    Returns:
      The overlap, a scalar.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> float(layers.overlap(tf.constant([[[1.0, 2.0], [3.0, 4.0]]]), 2))  # (1 2 + 3 4)^2
      196.0
    """
    width = kernels.shape[2]
    squares = tf.square(tf.matmul(kernels, kernels, transpose_a=True))
    subspace = tf.range(width) // (width // number)
    apart = tf.cast(subspace[:, None] < subspace[None, :], squares.dtype)
    return tf.reduce_sum(squares * apart)
