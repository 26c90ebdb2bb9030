"""DeepCTR's MMoE, of the sizes of this project's."""

import tensorflow as tf
from deepctr.feature_column import SparseFeat
from deepctr.models import MMOE


def build(sizes: list[int]) -> tf.keras.Model:
    """The model.

    Args:
      sizes: Sizes of the fields' vocabularies.
    """
    return MMOE(
        [SparseFeat(f"f{i}", vocabulary_size=n, embedding_dim=32) for i, n in enumerate(sizes)],
        num_experts=8,
        expert_dnn_hidden_units=(128, 64),
        tower_dnn_hidden_units=(64, 32),
        task_types=("binary", "binary"),
        task_names=("click", "conversion"),
    )
