"""Layers, one idea of the papers a module."""

from dcrnn_tf.layers.adaptation import FeatureAdaptation
from dcrnn_tf.layers.crnn import CRNN
from dcrnn_tf.layers.embedding import FieldEmbedding
from dcrnn_tf.layers.experts import Experts
from dcrnn_tf.layers.gate_control import GateControl
from dcrnn_tf.layers.gates import SoftmaxGates
from dcrnn_tf.layers.mlp import MLP
from dcrnn_tf.layers.sub_network_routing import SubNetworkRouting, SubNetworks
from dcrnn_tf.layers.subsequences import sequence_length, subsequence_steps, subsequences
from dcrnn_tf.layers.towers import Tower

__all__ = [
    "CRNN",
    "MLP",
    "Experts",
    "FeatureAdaptation",
    "FieldEmbedding",
    "GateControl",
    "SoftmaxGates",
    "SubNetworkRouting",
    "SubNetworks",
    "Tower",
    "sequence_length",
    "subsequence_steps",
    "subsequences",
]
