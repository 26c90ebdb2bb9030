"""DCRNN: the deep cross network on recurrent networks with partial parameter sharing."""

from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.layers import CRNN, FeatureAdaptation
from dcrnn_tf.models.base import MultiTaskModel
from dcrnn_tf.models.registry import register


@register("dcrnn", label="DCRNN", width="units")
class DCRNN(MultiTaskModel):
    """The deep cross recurrent network with partial parameter sharing (DCRNN).

    Embeddings `X_0`, adaptation (Eq. 7; see `FeatureAdaptation`), partial sharing (Algorithm 1; see
    `subsequence_steps`), a recurrent network per task (Eq. 5; see `CRNN`), a tower per task.
    Without adaptation every step reads the same `X_0`, and tasks share nothing but the embeddings,
    whatever the interval.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      units: Width of the recurrent state, h.
      subsequence_length: Number of steps of each task, L.
      interval: Number of steps from one task's start to the next one's, I; 0 is hard sharing, L is
        soft sharing.
      cell: Kind of the cell: `lstm`, `gru` or `simple_rnn`.
      bidirectional: Whether a second network reads each part backwards.
      adaptation: Whether each step adds its own vector (Ada).
      tower_units: Widths of the hidden layers of a task's tower.
      jit_recurrence: Whether XLA compiles the recurrence, anew for each size of a batch.
      **kwargs: Settings of `MultiTaskModel`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("dcrnn", schema, units=16)
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> model.crnn.sequence_length  # 3 + 1
      4
      >>> {task: logits.shape for task, logits in model(features).items()}
      {'click': TensorShape([2]), 'conversion': TensorShape([2])}
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
        self.towers = self.task_towers(self.tower_units)

    def build(self, input_shape=None) -> None:
        """Creates all weights."""
        if self.adaptation is not None:
            self.adaptation.build((None, len(self.fields) * self.embedding_dim))
        super().build(input_shape)

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the towers' logits, each tower on its task's last states."""
        x0 = self.flattened(embeddings)
        vectors = None if self.adaptation is None else self.adaptation.vectors
        compiled = self.takes_compiled(training)
        states = self.crnn(x0, adaptation=vectors, compiled=compiled)
        states = tf.unstack(states, num=len(self.tasks))
        return [tower(state) for tower, state in zip(self.towers, states, strict=True)]
