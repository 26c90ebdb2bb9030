"""The base of single-task models: each task has its own embeddings and network, in one training."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.models.base import MultiTaskModel


class SingleTaskModel(MultiTaskModel):
    """A network per task, each with its own embeddings: `y_t = network_t(E_t)`.

    Losses add up and no weight is shared, so each network gets the gradients that it would get
    alone: this is one single-task model per task, trained in one run. The embeddings of all tasks
    lie side by side in one table, so that a step still reads and updates each row once.

    A model is a subclass with one method, `network`. If it sets `linear`, each field also has a
    weight of width 1 per task, what a linear model of the one-hot features learns. A task that
    needs several outputs has a network, and embeddings, for each of them.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      embedding_dim: Width of an embedding, per task.
      **kwargs: Settings of `MultiTaskModel`.

    Attributes:
      linear: Whether each field also has such a weight.

    Example:
      >>> import keras
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field
      >>> class Flat(models.SingleTaskModel):
      ...     def network(self, name):
      ...         flat, logit = keras.layers.Flatten(), keras.layers.Dense(1)
      ...         return keras.Sequential([flat, logit, keras.layers.Reshape(())], name=name)
      >>> model = Flat([Field("user", vocabulary_size=50)], ["click", "conversion"])
      >>> model.build()
      >>> [network.name for network in model.networks]
      ['click_network', 'conversion_network']
    """

    linear = False

    def __init__(self, fields, tasks, **kwargs):
        super().__init__(fields, tasks, **kwargs)
        self.networks: tuple[keras.layers.Layer, ...] = ()

    @property
    def embedding_width(self) -> int:
        """The width of the table: an embedding per network and, for `linear`, one weight."""
        return len(self.network_names) * (self.embedding_dim + self.linear)

    @property
    def network_names(self) -> tuple[str, ...]:
        """The names of the networks: one for each output of each task."""
        return tuple(
            f"{scope}_network" + (f"_{output}" if output else "")
            for task, scope in zip(self.task_specs, self.task_scopes, strict=True)
            for output in range(task.outputs)
        )

    def by_task(self, logits: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Returns the networks' logits by task: `(batch,)`, or `(batch, outputs)`."""
        outputs = iter(logits)
        return [
            next(outputs)
            if task.outputs == 1
            else tf.stack([next(outputs) for _ in range(task.outputs)], axis=1)
            for task in self.task_specs
        ]

    @property
    def embedding_parts(self) -> int:
        """The number of networks, each of which has embeddings of its own."""
        return len(self.network_names)

    def network(self, name: str) -> keras.layers.Layer:
        """Returns a new network: embeddings `(batch, fields, embedding_dim)` to logits `(batch,)`.

        Args:
          name: Name of the network.
        """
        raise NotImplementedError

    def build(self, input_shape=None) -> None:
        """Creates all weights."""
        if not self.networks:
            self.networks = tuple(map(self.network, self.network_names))
        super().build(input_shape)

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns each network's logits on its embeddings, plus its fields' linear weights."""
        # One split: the gradient of slices would be as large as what they are taken of, for each.
        own = self.embedding_width // len(self.networks)
        widths = [own - 1, 1] if self.linear else [own]
        parts = iter(tf.split(embeddings, widths * len(self.networks), axis=2))
        logits = []
        for network in self.networks:
            logit = network(next(parts))
            if self.linear:
                logit += tf.reduce_sum(tf.squeeze(next(parts), axis=2), axis=1)
            logits.append(logit)
        return self.by_task(logits)
