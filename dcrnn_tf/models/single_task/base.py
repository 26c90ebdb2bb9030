"""Models of one task: a network for each task, side by side, with nothing shared."""

import keras
import tensorflow as tf

from dcrnn_tf.models.base import MultiTaskModel


class SingleTaskModel(MultiTaskModel):
    """Trains a network per task, each with its own embeddings: `y_t = network_t(E_t)`.

    Losses add up and no weight is shared, so each network gets the gradients that it would get
    alone: this is one single-task model per task, trained in one run. The embeddings of all tasks
    lie side by side in one table, so that a step still reads and updates each row once.

    A model is a subclass with one method, `network`. If it sets `linear`, each field also has a
    weight of width 1 per task, what a linear model of the one-hot features learns.

    Args:
      fields: as `MultiTaskModel`.
      tasks: as `MultiTaskModel`.
      embedding_dim: width of an embedding, per task.
    """

    linear = False

    def __init__(self, fields, tasks, **kwargs):
        super().__init__(fields, tasks, **kwargs)
        self.networks = ()

    @property
    def embedding_width(self) -> int:
        """Width of the table: per task an embedding and, for `linear`, one weight."""
        return len(self.tasks) * (self.embedding_dim + self.linear)

    def network(self, name: str) -> keras.layers.Layer:
        """A new network that maps embeddings `(batch, fields, embedding_dim)` to logits `(batch,)`.

        Args:
          name: of the layer.
        """
        raise NotImplementedError

    def build(self, input_shape=None) -> None:
        """Creates all weights."""
        if not self.networks:
            self.networks = tuple(self.network(f"{task}_network") for task in self.tasks)
        super().build(input_shape)

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Each network's logits on its own embeddings, plus its fields' linear weights."""
        logits = []
        for network, own in zip(
            self.networks, tf.split(embeddings, len(self.tasks), axis=2), strict=True
        ):
            logit = network(own[:, :, : self.embedding_dim])
            if self.linear:
                logit += tf.reduce_sum(own[:, :, self.embedding_dim], axis=1)
            logits.append(logit)
        return logits
