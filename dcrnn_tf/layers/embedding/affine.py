"""The embeddings of numbers and of vectors: `x w + b`, with weights of each field."""

from collections.abc import Sequence

import tensorflow as tf


def numbers(
    columns: Sequence[tf.Tensor], fields: Sequence[int], slopes: tf.Tensor, intercepts: tf.Tensor
) -> tf.Tensor:
    """Returns the embeddings of numeric fields, `(rows, columns, dim)`.

    Args:
      columns: Numbers of each field, `(rows,)`.
      fields: Row of each field in the weights.
      slopes: Vectors w of all numeric fields, `(fields, dim)`.
      intercepts: Vectors b of all numeric fields, `(fields, dim)`.
    """
    slopes = tf.stack([slopes[field] for field in fields])
    intercepts = tf.stack([intercepts[field] for field in fields])
    return tf.stack(columns, axis=1)[:, :, None] * slopes + intercepts


def vectors(
    columns: Sequence[tf.Tensor],
    fields: Sequence[int],
    kernels: Sequence[tf.Tensor],
    biases: tf.Tensor,
) -> tf.Tensor:
    """Returns the embeddings of vector fields, `(rows, columns, dim)`.

    Args:
      columns: Vectors of each field, `(rows, length)`.
      fields: Number of each field among the weights.
      kernels: Matrix W of each vector field, `(length, dim)`.
      biases: Vectors b of all vector fields, `(fields, dim)`.
    """
    embedded = []
    for column, field in zip(columns, fields, strict=True):
        product = tf.matmul(column, kernels[field])
        embedded.append(product + biases[field])
    return tf.stack(embedded, axis=1)
