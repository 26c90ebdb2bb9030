"""Sums and concatenations over the replicas of a training step.

A replica is one device's copy of the model, which computes its part of every batch. With a single
replica, and outside of any (a model called by itself, say), the result is the tensor itself.

Replicas of one process are traced in turns, which change at each of these sums: the losses and
statistics that the model keeps of one replica have to be read before the next sum.
"""

import tensorflow as tf


def sum_over_replicas(tensor: tf.Tensor) -> tf.Tensor:
    """Returns the sum of all replicas' tensors, which have one shape."""
    context = _several_replicas()
    return tensor if context is None else context.all_reduce(tf.distribute.ReduceOp.SUM, tensor)


def gather_over_replicas(tensor: tf.Tensor) -> tf.Tensor:
    """Returns all replicas' tensors one after the other, along the first axis."""
    context = _several_replicas()
    return tensor if context is None else context.all_gather(tensor, axis=0)


def replicas() -> int:
    """Returns the number of replicas that compute the current step."""
    context = _several_replicas()
    return 1 if context is None else context.num_replicas_in_sync


def _several_replicas() -> tf.distribute.ReplicaContext | None:
    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context
