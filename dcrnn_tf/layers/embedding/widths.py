"""Fields with a width of their own, and the matrices that bring them to the common width."""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.dataset.schema import Field
from dcrnn_tf.layers.embedding import owners


def fields_by_width(fields: Sequence[Field], common: int) -> dict[int, list[Field]]:
    """Returns the fields whose width is not the common one, by their width."""
    by_width: dict[int, list[Field]] = {}
    for field in fields:
        if field.width is not None and field.width != common:
            by_width.setdefault(field.width, []).append(field)
    return by_width


def shape(fields: Sequence[Field], parts: int, dim: int, common: int) -> tuple[int, ...]:
    """Returns the shape of the matrices P of the fields of one width.

    Args:
      fields: Fields of that width; those that share their ids share their matrix.
      parts: Number of equal parts of an embedding, each with a matrix of its own.
      dim: Length of all parts of a row of these fields.
      common: Length of all parts of an embedding.
    """
    return len(owners.of(fields)), parts, dim // parts, common // parts


def initializer(width: int) -> keras.initializers.Initializer:
    """Returns the initializer of matrices P, which keep the scale of rows of a width."""
    limit = math.sqrt(3 / width)
    return keras.initializers.RandomUniform(-limit, limit)


def project(
    embedded: tf.Tensor, all_kernels: tf.Tensor, all_owners: Sequence[str], fields: Sequence[Field]
) -> tf.Tensor:
    """Returns embeddings in the common width, `(rows, fields, dim)`.

    Args:
      embedded: Embeddings of fields of one width, `(rows, fields, parts * width)`.
      all_kernels: Matrices P, `(owners, parts, width, dim / parts)`.
      all_owners: Owner of each matrix.
      fields: Fields of the embeddings.
    """
    kernels = tf.stack([all_kernels[all_owners.index(field.owner)] for field in fields])
    _, parts, width, common = kernels.shape
    rows = tf.reshape(embedded, (-1, len(fields), parts, width))
    product = tf.einsum("rfpk,fpkd->rfpd", rows, kernels)
    return tf.reshape(product, (-1, len(fields), parts * common))
