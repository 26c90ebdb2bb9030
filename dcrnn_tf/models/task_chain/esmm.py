"""ESMM: the entire space multi-task model."""

from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.dataset.names import ascii_names
from dcrnn_tf.layers import Experts, Tower, fork, joint_logit
from dcrnn_tf.models.base import MultiTaskModel
from dcrnn_tf.models.registry import register


@register("esmm", label="ESMM", width="network_units")
class ESMM(MultiTaskModel):
    """A click, and a conversion as a click times a conversion after it (Ma et al., SIGIR 2018).

    `p(click) = sigmoid(a)`, `p(conversion) = sigmoid(a) sigmoid(b)` with a and b the logits of two
    networks on the same embeddings (Eq. 1). Both are per exposure and trained on all exposures;
    sigmoid(b), the probability of a conversion after a click, is never trained by itself. It is the
    derived output.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of two tasks, the second of which is positive only where the first one is.
      network_units: Widths of the first layers of a network.
      tower_units: Widths of its last hidden layers.
      tasks_in_sequence: Whether each task is positive only where the one before it is.
      **kwargs: Settings of `MultiTaskModel`.

    Raises:
      ValueError: There are not two tasks, or there is no layer.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("esmm", schema)
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> logits = model(features)
      >>> bool(tf.reduce_all(logits["conversion"] < logits["click"]))  # whatever the weights
      True
    """

    takes_shared_rows = True

    def __init__(
        self,
        fields,
        tasks,
        network_units: Sequence[int] = (128, 64),
        tower_units: Sequence[int] = (64, 32),
        tasks_in_sequence: bool = True,
        **kwargs,
    ):
        super().__init__(fields, tasks, tasks_in_sequence=tasks_in_sequence, **kwargs)
        if not network_units:
            raise ValueError(f"network_units={list(network_units)} must not be empty")
        if len(self.tasks) != 2:
            raise ValueError(
                "it needs exactly two tasks in sequence, such as click and conversion, and the "
                f"dataset has {len(self.tasks)}: {', '.join(self.tasks)}"
            )
        self.network_units = tuple(network_units)
        self.tower_units = tuple(tower_units)
        self.towers: tuple[Tower, ...] = ()

    def build(self, input_shape=None) -> None:
        """Creates all weights."""
        if not self.towers:
            names = ascii_names(self.network_names).values()
            self.networks = Experts(
                len(names), self.network_units, name="networks", **self.dense_options
            )
            self.towers = tuple(
                Tower(self.tower_units, name=f"{name}_tower", **self.dense_options)
                for name in names
            )
        super().build(input_shape)

    @property
    def network_names(self) -> tuple[str, ...]:
        """The names of what the networks predict."""
        first, second = self.tasks
        return first, f"{second}_after_{first}"

    @property
    def bounds_tasks(self) -> bool:
        """True: the second task's probability is a part of the first one's."""
        return True

    def network_logits(self, embeddings: tf.Tensor) -> list[tf.Tensor]:
        """Returns the logits of each network, `(batch,)`, in the weights' precision."""
        hidden = tf.unstack(self.networks(self.flattened(embeddings)), num=len(self.towers))
        return [
            tf.cast(tower(own), self.variable_dtype)
            for tower, own in zip(self.towers, hidden, strict=True)
        ]

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the logits of the first task and of both."""
        first, second = self.network_logits(embeddings)
        output, factor = fork(first, 2)  # the loss of the output adds gradients too
        return [output, joint_logit(factor, second)]
