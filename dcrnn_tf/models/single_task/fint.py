"""FINT: field-aware interaction network."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers import FieldInteraction, Tower
from dcrnn_tf.models.registry import register
from dcrnn_tf.models.single_task.base import SingleTaskModel


@register("fint", label="FINT", width="hidden_units")
class FINT(SingleTaskModel):
    """`y = MLP(V_L)`, V_L the interacted fields side by side (arXiv 2107.01999).

    Args:
      fields: as `MultiTaskModel`.
      tasks: as `MultiTaskModel`.
      hidden_units: layers of the perceptron before its logit.
      num_interaction_layers: layers of `FieldInteraction`.
    """

    def __init__(
        self,
        fields,
        tasks,
        hidden_units: Sequence[int] = (128, 64),
        num_interaction_layers: int = 2,
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        self.hidden_units = tuple(hidden_units)
        self.num_interaction_layers = num_interaction_layers
        self.network("trial")  # refuses impossible settings here, not when weights are made

    def network(self, name: str) -> keras.layers.Layer:
        """Interactions, then a perceptron."""
        return _Network(
            self.num_interaction_layers, self.hidden_units, name=name, dtype=self.dtype_policy
        )


class _Network(keras.layers.Layer):
    def __init__(self, num_interaction_layers: int, hidden_units: Sequence[int], **kwargs):
        super().__init__(**kwargs)
        self.interaction = FieldInteraction(
            num_interaction_layers, name="interaction", dtype=self.dtype_policy
        )
        self.tower = Tower(hidden_units, name="tower", dtype=self.dtype_policy)

    def build(self, input_shape) -> None:
        self.width = input_shape[1] * input_shape[2]
        self.interaction.build(input_shape)
        self.tower.build((None, self.width))

    def call(self, embeddings: tf.Tensor) -> tf.Tensor:
        return self.tower(tf.reshape(self.interaction(embeddings), (-1, self.width)))
