"""Sums the gradients of repeated rows of an embedding table, and writes rows."""

import tensorflow as tf


def merge_repeated_rows(
    gradient: tf.IndexedSlices, static_shapes: bool = False
) -> tf.IndexedSlices:
    """Returns the same gradient with every row once: the slices of a repeated row are summed.

    Args:
      gradient: Slices `(count, dim)` and their rows `(count,)`.
      static_shapes: Whether there are `count` slices whatever repeats, so that XLA can compile it:
        the slice of the smallest row fills what is left over. What is computed row by row and
        written over then comes out the same; what is added would not.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import optimizers
      >>> rows = tf.constant([4, 1, 4])
      >>> merged = optimizers.merge_repeated_rows(tf.IndexedSlices([[1.0], [2.0], [3.0]], rows))
      >>> merged.indices.numpy(), merged.values.numpy()
      (array([4, 1], dtype=int32), array([[4.], [2.]], dtype=float32))
    """
    values, rows, left_over = row_sums(gradient, static_shapes)
    if left_over is not None:
        values = tf.where(left_over[:, None], values[:1], values)
    return tf.IndexedSlices(values, rows, gradient.dense_shape)


def row_sums(
    gradient: tf.IndexedSlices, static_shapes: bool = False
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """Returns the sums of the slices of each row, the rows, and which of them are left over.

    Args:
      gradient: Slices `(count, dim)` and their rows `(count,)`.
      static_shapes: Whether there are `count` sums whatever repeats: those that are left over are
        0, and theirs is the smallest row. Else none is left over, which is None.
    """
    if not static_shapes:
        rows, position = tf.unique(gradient.indices)
        values = tf.math.unsorted_segment_sum(gradient.values, position, tf.size(rows))
        return values, rows, None
    count = tf.size(gradient.indices)
    order = tf.argsort(gradient.indices, stable=True)
    ordered = tf.gather(gradient.indices, order)
    new = tf.concat([[False], ordered[1:] != ordered[:-1]], axis=0)
    position = tf.cumsum(tf.cast(new, tf.int32))  # ascending
    values = tf.math.unsorted_segment_sum(tf.gather(gradient.values, order), position, count)
    first = tf.math.unsorted_segment_min(tf.range(count), position, count)  # huge if left over
    left_over = tf.range(count) > position[-1]
    rows = tf.gather(ordered, tf.where(left_over, 0, first))
    return values, rows, left_over


def write_rows(variable: tf.Variable, rows: tf.Tensor, values: tf.Tensor) -> None:
    """Replaces rows of a variable; a scatter that adds is several times slower on the CPU."""
    variable.scatter_update(tf.IndexedSlices(values, rows))
