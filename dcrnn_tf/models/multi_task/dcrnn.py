"""DCRNN: deep cross network on recurrent networks with partial parameter sharing."""

from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.layers import CRNN, FeatureAdaptation, Tower
from dcrnn_tf.models.base import MultiTaskModel
from dcrnn_tf.models.registry import register


@register("dcrnn", label="DCRNN", width="units")
class DCRNN(MultiTaskModel):
    """Embeddings `X_0`, adaptation (Eq. 7), partial sharing (Algorithm 1), CRNN (Eq. 5), towers.

    Without adaptation every step reads the same `X_0`, and tasks share nothing but the embeddings,
    whatever the interval.

    Args:
      fields: as `MultiTaskModel`.
      tasks: as `MultiTaskModel`.
      units: h, width of the recurrent state.
      subsequence_length: L, steps per task.
      interval: I, steps from one task's start to the next one's; 0 is hard, L is soft sharing.
      cell: `lstm`, `gru` or `simple_rnn`.
      bidirectional: whether a second network reads each part backwards.
      adaptation: whether each step adds its own vector (Ada).
      tower_units: hidden layers of a task's tower.
      jit_recurrence: whether XLA compiles the recurrence, anew for each size of a batch.
    """

    takes_shared_rows = True
    settings_from_zero = ("interval",)

    def __init__(
        self,
        fields,
        tasks,
        units: int = 64,
        subsequence_length: int = 3,
        interval: int = 1,
        cell: str = "lstm",
        bidirectional: bool = True,
        adaptation: bool = True,
        tower_units: Sequence[int] = (64, 32),
        jit_recurrence: bool = False,
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        self.crnn = CRNN(
            len(self.tasks),
            units,
            subsequence_length,
            interval,
            cell,
            bidirectional,
            jit_recurrence,
            name="crnn",
            dtype=self.dtype_policy,
        )
        self.adaptation = None
        if adaptation:
            self.adaptation = FeatureAdaptation(
                self.crnn.sequence_length, name="adaptation", dtype=self.dtype_policy
            )
        self.tower_units = tuple(tower_units)
        self.towers = tuple(
            Tower(self.tower_units, name=f"{task}_tower", dtype=self.dtype_policy)
            for task in self.tasks
        )

    def build(self, input_shape=None) -> None:
        """Creates all weights."""
        if self.adaptation is not None:
            self.adaptation.build((None, len(self.fields) * self.embedding_dim))
        super().build(input_shape)

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """The towers' logits, each tower on its task's last states."""
        x0 = self.flattened(embeddings)
        vectors = None if self.adaptation is None else self.adaptation.vectors
        states = tf.unstack(self.crnn(x0, adaptation=vectors), num=len(self.tasks))
        return [tower(state) for tower, state in zip(self.towers, states, strict=True)]
