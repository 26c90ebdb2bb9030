"""Shared bottom: hard parameter sharing, the plain reference."""

from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.layers import MLP, fork
from dcrnn_tf.models.base import MultiTaskModel
from dcrnn_tf.models.registry import register


@register("shared_bottom", label="Shared bottom", width="bottom_units")
class SharedBottom(MultiTaskModel):
    """One perceptron for all tasks, then a tower per task: `y_t = tower_t(f(x))`.

    It is the hard parameter sharing of Caruana (Machine Learning, 1997).

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      bottom_units: Widths of the layers of the shared perceptron.
      tower_units: Widths of the hidden layers of a task's tower.
      **kwargs: Settings of `MultiTaskModel`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("shared_bottom", schema, bottom_units=[16, 8])
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> {task: logits.shape for task, logits in model(features).items()}
      {'click': TensorShape([2]), 'conversion': TensorShape([2])}
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
        self.bottom = MLP(bottom_units, name="bottom", **self.dense_options)
        self.tower_units = tuple(tower_units)
        self.towers = self.task_towers(self.tower_units)

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the towers' logits, all on the shared perceptron's output."""
        inputs = tf.reshape(embeddings, (-1, len(self.fields) * self.embedding_dim))
        copies = fork(self.bottom(inputs), len(self.towers))
        return [tower(copy) for tower, copy in zip(self.towers, copies, strict=True)]
