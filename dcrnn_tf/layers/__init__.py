"""Layers, one idea of the papers a module."""

from dcrnn_tf.layers.adaptation import FeatureAdaptation
from dcrnn_tf.layers.bi_interaction import BiInteraction
from dcrnn_tf.layers.compressed_interaction import CompressedInteraction
from dcrnn_tf.layers.crnn import CRNN
from dcrnn_tf.layers.cross import Cross
from dcrnn_tf.layers.embedding import FieldEmbedding
from dcrnn_tf.layers.experts import Experts
from dcrnn_tf.layers.field_interaction import FieldInteraction
from dcrnn_tf.layers.gates import SoftmaxGates
from dcrnn_tf.layers.matrix_cross import MatrixCross
from dcrnn_tf.layers.mlp import MLP
from dcrnn_tf.layers.residual import ResidualLink
from dcrnn_tf.layers.subsequences import sequence_length, subsequence_steps, subsequences
from dcrnn_tf.layers.towers import Tower

__all__ = [
    "CRNN",
    "MLP",
    "BiInteraction",
    "CompressedInteraction",
    "Cross",
    "Experts",
    "FeatureAdaptation",
    "FieldEmbedding",
    "FieldInteraction",
    "MatrixCross",
    "ResidualLink",
    "SoftmaxGates",
    "Tower",
    "sequence_length",
    "subsequence_steps",
    "subsequences",
]
