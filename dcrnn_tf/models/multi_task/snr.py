"""SNR: sub-network routing."""

from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.layers import Experts, SubNetworkRouting, SubNetworks
from dcrnn_tf.models.base import Explanation, MultiTaskModel
from dcrnn_tf.models.registry import register


@register("snr", label="SNR", width="level_units")
class SNR(MultiTaskModel):
    """Levels of sub-networks with learned routes between them, then towers (Ma et al., AAAI 2019).

    The sub-networks of the first level read the embeddings, those of each later level a mixture of
    all sub-networks of the level before, `sum_i z_ij W_ij x_i`; so does each task's tower at the
    end. The gates z are hard concrete variables: see `SubNetworkRouting`.

    With 23 fields of dimension 32 and two tasks the default has 0.74 million parameters besides
    the embeddings and the towers, MMoE's default 0.83 million.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      num_subnetworks: Number of sub-networks of each level.
      level_units: Widths of a sub-network, one ReLU layer, for each level.
      transform: Kind of a route: `trans` (a matrix) or `aver` (the identity).
      temperature: Temperature of the gates' distribution, beta.
      l0_penalty: Factor on the number of routes that are expected to be open, a part of the loss.
      tower_units: Widths of the hidden layers of a task's tower.
      **kwargs: Settings of `MultiTaskModel`.

    Raises:
      ValueError: There is no sub-network or no level.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("snr", schema, num_subnetworks=2, level_units=[8, 4])
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> model.explain(features)["routes, level 2"].values.numpy()  # of tasks to sub-networks
      array([[0.5, 0.5], [0.5, 0.5]], dtype=float32)
    """

    statistic_names = ("open_routes",)

    def __init__(
        self,
        fields,
        tasks,
        num_subnetworks: int = 8,
        level_units: Sequence[int] = (64, 64),
        transform: str = "trans",
        temperature: float = 0.5,
        l0_penalty: float = 1e-4,
        tower_units: Sequence[int] = (64, 32),
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        self.level_units = tuple(level_units)
        if num_subnetworks < 1 or not self.level_units:
            raise ValueError("there must be at least one sub-network and one level")
        self.num_subnetworks = num_subnetworks
        policy = self.dtype_policy
        self.first = Experts(
            num_subnetworks, self.level_units[:1], name="level_1", **self.dense_options
        )
        self.later = tuple(
            SubNetworks(units, name=f"level_{level}", dtype=policy)
            for level, units in enumerate(self.level_units[1:], start=2)
        )
        targets = [*(num_subnetworks for _ in self.later), len(self.tasks)]
        self.routes = tuple(
            SubNetworkRouting(
                number, transform, temperature, l0_penalty, name=f"routes_{level}", dtype=policy
            )
            for level, number in enumerate(targets, start=1)
        )
        self.tower_units = tuple(tower_units)
        self.towers = self.task_towers(self.tower_units)

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the towers' logits, each tower on what is routed to its task."""
        inputs = tf.reshape(embeddings, (-1, len(self.fields) * self.embedding_dim))
        hidden = self.first(inputs)
        for routes, level in zip(self.routes, self.later, strict=False):
            hidden = level(routes(hidden, training=training))
        mixtures = tf.unstack(self.routes[-1](hidden, training=training), num=len(self.tasks))
        if training:
            open_ = [tf.reshape(routes.open_probability(), [-1]) for routes in self.routes]
            self.add_statistic("open_routes", tf.reduce_mean(tf.concat(open_, axis=0)))
        return [tower(mixture) for tower, mixture in zip(self.towers, mixtures, strict=True)]

    def explain(self, features) -> dict[str, Explanation]:
        """Returns `routes, level 1` and so on: how far each route from that level is open."""
        explanations = {}
        names = tuple(f"subnetwork_{i}" for i in range(self.num_subnetworks))
        for level, routes in enumerate(self.routes, start=1):
            targets = self.tasks if routes is self.routes[-1] else names
            gates = tf.transpose(routes.gates())
            explanations[f"routes, level {level}"] = Explanation(gates, targets, names)
        return explanations
