"""Parts of batches, one for each replica of a training."""

from typing import NamedTuple

import tensorflow as tf


class BatchParts(NamedTuple):
    """Which parts of every batch a process takes.

    Part n of N has the rows from `n rows // N` to below `(n + 1) rows // N`: together the parts are
    the batch, in its order, and their sizes differ by one row at most.

    Attributes:
      numbers: Numbers of the parts, from 0.
      total: Number of all parts, N.
    """

    numbers: tuple[int, ...]
    total: int

    def take(self, columns: dict[str, tf.Tensor], number: int) -> tuple[dict, tf.Tensor, tf.Tensor]:
        """One part of a batch.

        A batch of fewer rows than parts leaves some without any. They get the first row, for which
        nothing shall count.

        Args:
          columns: of the batch, `(rows, ...)` each.
          number: of the part.

        Returns:
          The part's columns, whether it is such a substitute, and its share of the batch's rows,
          float32: 0 for a substitute.
        """
        rows = tf.shape(next(iter(columns.values())))[0]
        first, end = (rows * n // self.total for n in (number, number + 1))
        empty = tf.equal(first, end)
        first, end = tf.where(empty, 0, first), tf.where(empty, 1, end)
        part = {name: column[first:end] for name, column in columns.items()}
        share = tf.where(empty, 0.0, tf.cast((end - first) / rows, tf.float32))
        return part, empty, share
