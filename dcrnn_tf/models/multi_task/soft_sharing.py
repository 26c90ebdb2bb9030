"""Soft sharing: a network per task, held near the other tasks' by a penalty."""

from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.layers import Experts
from dcrnn_tf.models.base import Explanation, MultiTaskModel
from dcrnn_tf.models.registry import register


@register("soft_sharing", label="Soft sharing", width="network_units")
class SoftSharing(MultiTaskModel):
    """A network per task, held near the others' by a penalty: `y_t = tower_t(f_t(x))`.

    The loss has the part `distance_penalty * sum_{s < t} ||W_s - W_t||^2`, the distance of
    corresponding weights (Duong et al., ACL 2015). It is taken over the weights and biases of the
    networks f_t; the towers have no part in it, since the tasks' base rates differ, and the
    embeddings are the same for all tasks, as in all models here.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      network_units: Widths of the layers of a task's network.
      distance_penalty: Factor of the penalty; 0 is none.
      tower_units: Widths of the hidden layers of a task's tower.
      **kwargs: Settings of `MultiTaskModel`.

    Raises:
      ValueError: There is no layer, or the penalty is negative.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("soft_sharing", schema, network_units=[16, 8])
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> model.explain(features)["weight distance"].values.shape
      TensorShape([2, 2])
    """

    statistic_names = ("weight_distance",)
    takes_shared_rows = True

    def __init__(
        self,
        fields,
        tasks,
        network_units: Sequence[int] = (128, 64),
        distance_penalty: float = 1e-4,
        tower_units: Sequence[int] = (64, 32),
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        if not network_units:
            raise ValueError(f"network_units={list(network_units)} must not be empty")
        if distance_penalty < 0:
            raise ValueError(f"distance_penalty={distance_penalty} must not be negative")
        self.distance_penalty = distance_penalty
        self.networks = Experts(
            len(self.tasks), network_units, name="networks", **self.dense_options
        )
        self.tower_units = tuple(tower_units)
        self.towers = self.task_towers(self.tower_units)

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the towers' logits, each tower on its task's network."""
        if training:
            distance = self._squared_distance()
            if self.distance_penalty:
                self.add_loss(self.distance_penalty * distance)
            self.add_statistic("weight_distance", tf.sqrt(tf.stop_gradient(distance)))
        hidden = tf.unstack(self.networks(self.flattened(embeddings)), num=len(self.tasks))
        return [tower(own) for tower, own in zip(self.towers, hidden, strict=True)]

    def explain(self, features) -> dict[str, Explanation]:
        """Returns `weight distance`, `||W_s - W_t||` of each two tasks."""
        weights = [tf.reshape(weight, (len(self.tasks), -1)) for weight in self._weights()]
        flat = tf.concat(weights, axis=1)
        distances = tf.norm(flat[:, None] - flat[None], axis=2)
        return {"weight distance": Explanation(distances, self.tasks, self.tasks)}

    def _squared_distance(self) -> tf.Tensor:
        """Returns `sum_{s < t} ||W_s - W_t||^2`, which is `T sum_t ||W_t - mean||^2`."""
        squares = [
            tf.reduce_sum(tf.square(weight - tf.reduce_mean(weight, axis=0)))
            for weight in self._weights()
        ]
        return len(self.tasks) * sum(squares)

    def _weights(self) -> list[tf.Tensor]:
        """Returns the networks' weights, the task as the first axis."""
        tasks, width = len(self.tasks), self.networks.units[0]
        (kernel, *kernels), (bias, *biases) = self.networks.kernels, self.networks.biases
        first = tf.reshape(tf.convert_to_tensor(kernel), (-1, tasks, width))
        return [
            tf.transpose(first, (1, 0, 2)),
            tf.reshape(tf.convert_to_tensor(bias), (tasks, width)),
            *(tf.convert_to_tensor(weight) for weight in (*kernels, *biases)),
        ]
