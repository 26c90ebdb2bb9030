"""What a training step must compute and move at least."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from dcrnn_tf.models import MultiTaskModel

_NUMBER = 4  # bytes of a float32 number or an id


class Bound(NamedTuple):
    """The least work of a step.

    Attributes:
      operations: Floating-point operations of its matrix products.
      bytes: Bytes that it reads and writes in the device's memory, activations left out.
    """

    operations: int
    bytes: int


def bound(model: MultiTaskModel, ids: np.ndarray) -> Bound:
    """Returns the least work of a step.

    The two gradients of a product cost as much as the product. Ids are read once; the vectors of
    each place are written and their gradients read; the rows that the batch has, with both
    moments, are read and written; all other weights are read forward and backward, and they and
    both moments are read and written in the update.

    Args:
      model: A built model of single-valued fields.
      ids: Ids of the batch in the rows of one table, `(batch, fields)`.
    """
    batch, fields = ids.shape
    dim = model.embedding_dim
    rows = len(np.unique(ids))
    weights = sum(math.prod(variable.shape) for variable in model.other_variables)
    numbers = 2 * batch * fields * dim + 6 * rows * dim + 8 * weights
    operations = 3 * forward_operations(model, batch)
    return Bound(operations, _NUMBER * (numbers + batch * fields))


def forward_operations(model: MultiTaskModel, batch: int) -> int:
    """Returns the floating-point operations of the products in a forward pass of a batch.

    Two for each multiply-add. They are counted in the traced graph of scoring, operation by
    operation: that of training may hold compiled operations, of which TensorFlow knows no more.

    Args:
      model: A built model.
      batch: Rows of the batch.
    """
    embeddings = tf.TensorSpec((batch, len(model.fields), model.embedding_dim))
    traced = tf.function(lambda inputs: model.logits(inputs, training=False), autograph=False)
    graph = traced.get_concrete_function(embeddings).graph
    return sum(_operations(operation) for operation in graph.get_operations())


def _operations(operation: tf.Operation) -> int:
    if operation.type in ("MatMul", "BatchMatMul", "BatchMatMulV2"):
        attribute = "transpose_a" if operation.type == "MatMul" else "adj_x"
        left = operation.inputs[0].shape
        shared = left[-2 if operation.get_attr(attribute) else -1]
        return 2 * math.prod(operation.outputs[0].shape) * shared
    if operation.type == "Einsum":
        sides = operation.get_attr("equation").decode().split("->")[0].split(",")
        sizes: dict[str, int] = {}
        for side, tensor in zip(sides, operation.inputs, strict=True):
            sizes.update(zip(side, tensor.shape, strict=True))
        return 2 * math.prod(sizes.values()) if len(sides) == 2 else 0
    return 0
