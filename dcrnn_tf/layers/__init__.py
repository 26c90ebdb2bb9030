"""Layers, a module for each idea of the papers.

Adding one: a module in one of the folders here, and a line below that exports it.
"""

from dcrnn_tf.system import keras_backend

keras_backend.check()

from dcrnn_tf.layers.crossing.bi_interaction import BiInteraction
from dcrnn_tf.layers.crossing.compressed_interaction import CompressedInteraction
from dcrnn_tf.layers.crossing.crnn import CRNN
from dcrnn_tf.layers.crossing.cross import Cross
from dcrnn_tf.layers.crossing.feature_adaptation import FeatureAdaptation
from dcrnn_tf.layers.crossing.field_interaction import FieldInteraction
from dcrnn_tf.layers.crossing.matrix_cross import MatrixCross
from dcrnn_tf.layers.crossing.subsequences import sequence_length, subsequence_steps, subsequences
from dcrnn_tf.layers.dense.activated_tower import ActivatedTower
from dcrnn_tf.layers.dense.dice import Dice
from dcrnn_tf.layers.dense.gate_unit import GateUnit
from dcrnn_tf.layers.dense.hidden_end import HiddenEnd
from dcrnn_tf.layers.dense.mlp import MLP
from dcrnn_tf.layers.dense.residual import ResidualLink
from dcrnn_tf.layers.dense.tower import Tower
from dcrnn_tf.layers.embedding.field_embedding import FieldEmbedding
from dcrnn_tf.layers.embedding.list_values import ListValues
from dcrnn_tf.layers.embedding.target_attention import TargetAttention
from dcrnn_tf.layers.experts.experts import Experts
from dcrnn_tf.layers.experts.explicit_mapping import ExplicitMapping
from dcrnn_tf.layers.experts.feature_gates import FeatureGates
from dcrnn_tf.layers.experts.gate_control import GateControl
from dcrnn_tf.layers.experts.heterogeneous_experts import HeterogeneousExperts
from dcrnn_tf.layers.experts.mixture import mixture
from dcrnn_tf.layers.experts.normalized_experts import NormalizedExperts
from dcrnn_tf.layers.experts.soft_selection import SoftSelection
from dcrnn_tf.layers.experts.softmax_gates import SoftmaxGates, expert_use
from dcrnn_tf.layers.experts.value_gates import ValueGates
from dcrnn_tf.layers.experts.virtual_gradient import VirtualGradient
from dcrnn_tf.layers.fork import fork
from dcrnn_tf.layers.shared_rows import SharedRows
from dcrnn_tf.layers.sharing.cross_stitch import CrossStitch
from dcrnn_tf.layers.sharing.skip_mixture import SkipMixture
from dcrnn_tf.layers.sharing.sub_network_routing import SubNetworkRouting, SubNetworks
from dcrnn_tf.layers.sharing.subspaces import join_subspaces, overlap, split_subspaces
from dcrnn_tf.layers.task_chain.attention_transfer import AttentionTransfer
from dcrnn_tf.layers.task_chain.chained_logits import conditional_logit, joint_logit
from dcrnn_tf.layers.task_chain.counterfactual_risk import (
    doubly_robust_risk,
    inverse_propensity_risk,
)

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
    "FeatureGates",
    "FieldEmbedding",
    "FieldInteraction",
    "GateControl",
    "GateUnit",
    "HeterogeneousExperts",
    "HiddenEnd",
    "ListValues",
    "MatrixCross",
    "NormalizedExperts",
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
    "mixture",
    "overlap",
    "sequence_length",
    "split_subspaces",
    "subsequence_steps",
    "subsequences",
]
