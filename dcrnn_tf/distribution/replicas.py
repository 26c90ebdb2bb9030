"""Sums and gatherings over the replicas of a training step; with a single one, the tensor itself.

A replica is one device's copy of the model, which computes its part of every batch. Outside of a
replica (a model called by itself, say) there is nothing to add up either.

Replicas of one process are traced in turns, which change at each of these sums: what one has noted
in the model (losses, statistics) has to be read before the next one.
"""

import tensorflow as tf


def sum_over_replicas(tensor: tf.Tensor) -> tf.Tensor:
    """The sum of all replicas' tensors, of one shape."""
    context = _several_replicas()
    return tensor if context is None else context.all_reduce(tf.distribute.ReduceOp.SUM, tensor)


def gather_over_replicas(tensor: tf.Tensor) -> tf.Tensor:
    """All replicas' tensors one after the other, along the first axis."""
    context = _several_replicas()
    return tensor if context is None else context.all_gather(tensor, axis=0)


def _several_replicas() -> tf.distribute.ReplicaContext | None:
    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context
