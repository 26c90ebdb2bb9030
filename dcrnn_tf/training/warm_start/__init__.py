"""Warm start: weights and moments of an earlier run, carried to a model of another dataset."""

from dcrnn_tf.training.warm_start.carried import Carried
from dcrnn_tf.training.warm_start.carry import carry
from dcrnn_tf.training.warm_start.earlier import Earlier, WarmStartError

__all__ = ["Carried", "Earlier", "WarmStartError", "carry"]
