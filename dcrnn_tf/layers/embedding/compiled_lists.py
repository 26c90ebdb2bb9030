"""What attention computes for each value of lists, and its gradients, as compiled operations.

A value's id is the row of `ids` at its position, and its example the row of `examples`. TensorFlow
copies both for each value, and sums the gradients of these copies.
"""

import tensorflow as tf

from dcrnn_tf.kernels import operations
from dcrnn_tf.layers.embedding.list_values import ListValues


def multiplied(values: ListValues, ids: tf.Tensor, examples: tf.Tensor) -> tf.Tensor:
    """Returns `ids[position] * examples[example]`, `(values, dim)`.

    Args:
      values: Values of the lists.
      ids: A row for each distinct id, `(distinct, dim)`.
      examples: A row for each example, `(batch, dim)`.
    """

    @tf.custom_gradient
    def multiply(ids, examples):
        both = (ids, examples, values.position, values.example)

        def gradient(upstream):
            return operations.library().dcrnn_list_gradient(*both, upstream, product=True)

        return operations.library().dcrnn_list_product(*both), gradient

    return multiply(ids, examples)


def added(values: ListValues, base: tf.Tensor, ids: tf.Tensor, examples: tf.Tensor) -> tf.Tensor:
    """Returns `base + ids[position] + examples[example]`, `(values, dim)`.

    Args:
      values: Values of the lists.
      base: A row for each value, `(values, dim)`.
      ids: A row for each distinct id, `(distinct, dim)`.
      examples: A row for each example, `(batch, dim)`.
    """

    @tf.custom_gradient
    def add(base, ids, examples):
        both = (ids, examples, values.position, values.example)

        def gradient(upstream):
            sums = operations.library().dcrnn_list_gradient(*both, upstream, product=False)
            return upstream, *sums

        return operations.library().dcrnn_list_sum(*both, base), gradient

    return add(base, ids, examples)


def pooled(values: ListValues, ids: tf.Tensor, factors: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Returns the sum of `factor * ids[position]` over each example's values, `(count, dim)`.

    Args:
      values: Values of the lists.
      ids: A row for each distinct id, `(distinct, dim)`.
      factors: A number for each value, `(values,)`.
      count: Number of examples.
    """

    @tf.custom_gradient
    def pool(ids, factors):
        each = (ids, values.position, values.example, factors)

        def gradient(upstream):
            return operations.library().dcrnn_list_pool_gradient(*each, upstream)

        return operations.library().dcrnn_list_pool(*each, count), gradient

    return pool(ids, factors)
