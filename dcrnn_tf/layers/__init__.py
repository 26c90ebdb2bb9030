"""Layers, one idea of the papers a module."""

from dcrnn_tf.layers.activated_tower import ActivatedTower
from dcrnn_tf.layers.adaptation import FeatureAdaptation
from dcrnn_tf.layers.attention_transfer import AttentionTransfer
from dcrnn_tf.layers.bi_interaction import BiInteraction
from dcrnn_tf.layers.chained_logits import conditional_logit, joint_logit
from dcrnn_tf.layers.compressed_interaction import CompressedInteraction
from dcrnn_tf.layers.counterfactual_risk import doubly_robust_risk, inverse_propensity_risk
from dcrnn_tf.layers.crnn import CRNN
from dcrnn_tf.layers.cross import Cross
from dcrnn_tf.layers.cross_stitch import CrossStitch
from dcrnn_tf.layers.dice import Dice
from dcrnn_tf.layers.embedding import FieldEmbedding
from dcrnn_tf.layers.experts import Experts
from dcrnn_tf.layers.explicit_mapping import ExplicitMapping
from dcrnn_tf.layers.field_interaction import FieldInteraction
from dcrnn_tf.layers.fork import fork
from dcrnn_tf.layers.gate_control import GateControl
from dcrnn_tf.layers.gates import SoftmaxGates, expert_use
from dcrnn_tf.layers.heterogeneous_experts import HeterogeneousExperts
from dcrnn_tf.layers.list_values import ListValues
from dcrnn_tf.layers.matrix_cross import MatrixCross
from dcrnn_tf.layers.mlp import MLP
from dcrnn_tf.layers.residual import ResidualLink
from dcrnn_tf.layers.shared_rows import SharedRows
from dcrnn_tf.layers.skip_mixture import SkipMixture
from dcrnn_tf.layers.soft_selection import SoftSelection
from dcrnn_tf.layers.sub_network_routing import SubNetworkRouting, SubNetworks
from dcrnn_tf.layers.subsequences import sequence_length, subsequence_steps, subsequences
from dcrnn_tf.layers.subspaces import join_subspaces, overlap, split_subspaces
from dcrnn_tf.layers.target_attention import TargetAttention
from dcrnn_tf.layers.towers import Tower
from dcrnn_tf.layers.value_gates import ValueGates
from dcrnn_tf.layers.virtual_gradient import VirtualGradient

__all__ = [
    "CRNN",
    "MLP",
    "ActivatedTower",
    "AttentionTransfer",
    "BiInteraction",
    "CompressedInteraction",
    "Cross",
    "CrossStitch",
    "Dice",
    "Experts",
    "ExplicitMapping",
    "FeatureAdaptation",
    "FieldEmbedding",
    "FieldInteraction",
    "GateControl",
    "HeterogeneousExperts",
    "ListValues",
    "MatrixCross",
    "ResidualLink",
    "SharedRows",
    "SkipMixture",
    "SoftSelection",
    "SoftmaxGates",
    "SubNetworkRouting",
    "SubNetworks",
    "TargetAttention",
    "Tower",
    "ValueGates",
    "VirtualGradient",
    "conditional_logit",
    "doubly_robust_risk",
    "expert_use",
    "fork",
    "inverse_propensity_risk",
    "join_subspaces",
    "joint_logit",
    "overlap",
    "sequence_length",
    "split_subspaces",
    "subsequence_steps",
    "subsequences",
]
