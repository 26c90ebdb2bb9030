"""The values of a list field one by one, for layers that do more with them than take their mean."""

from typing import NamedTuple

import tensorflow as tf


class ListValues(NamedTuple):
    """The values of all lists of a batch, those of one example after those of the one before it.

    Attributes:
      embeddings: `(distinct, dim)`, of each id that occurs, once.
      position: int32 `(values,)`, each value's place in `embeddings`.
      example: int32 `(values,)`, the example whose list it is in, ascending.
      weight: `(values,)`, 1 unless the field is weighted; 0 for padding that static shapes need.
    """

    embeddings: tf.Tensor
    position: tf.Tensor
    example: tf.Tensor
    weight: tf.Tensor
