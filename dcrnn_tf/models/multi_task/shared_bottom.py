"""Shared bottom: hard parameter sharing, the plain reference."""

from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.layers import MLP, Tower, fork
from dcrnn_tf.models.base import MultiTaskModel
from dcrnn_tf.models.registry import register


@register("shared_bottom", label="Shared bottom", width="bottom_units")
class SharedBottom(MultiTaskModel):
    """One perceptron for all tasks, then a tower per task: `y_t = tower_t(f(x))`.

    Args:
      fields: as `MultiTaskModel`.
      tasks: as `MultiTaskModel`.
      bottom_units: layers of the shared perceptron.
      tower_units: hidden layers of a task's tower.
    """

    def __init__(
        self,
        fields,
        tasks,
        bottom_units: Sequence[int] = (128, 64),
        tower_units: Sequence[int] = (64, 32),
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        self.bottom = MLP(bottom_units, name="bottom", dtype=self.dtype_policy)
        self.tower_units = tuple(tower_units)
        self.towers = tuple(
            Tower(self.tower_units, name=f"{task}_tower", dtype=self.dtype_policy)
            for task in self.tasks
        )

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """The towers' logits, all on the shared perceptron's output."""
        inputs = tf.reshape(embeddings, (-1, len(self.fields) * self.embedding_dim))
        copies = fork(self.bottom(inputs), len(self.towers))
        return [tower(copy) for tower, copy in zip(self.towers, copies, strict=True)]
