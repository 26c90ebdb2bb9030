"""MMoE: the multi-gate mixture of experts."""

from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.layers import Experts, SoftmaxGates, expert_use, mixture
from dcrnn_tf.models.base import Explanation, MultiTaskModel
from dcrnn_tf.models.registry import register


@register("mmoe", label="MMoE", width="expert_units")
class MMoE(MultiTaskModel):
    """Shared experts, mixed by a gate per task (MMoE; Ma et al., KDD 2018).

    `y_t = tower_t(sum_e softmax(x W_t)_e f_e(x))`; see `Experts` and `SoftmaxGates`.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      num_experts: Number of experts.
      expert_units: Widths of the layers of an expert.
      tower_units: Widths of the hidden layers of a task's tower.
      **kwargs: Settings of `MultiTaskModel`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("mmoe", schema, num_experts=3)
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> model.explain(features)["gate"].values.shape  # examples, tasks, experts
      TensorShape([2, 2, 3])
    """

    takes_shared_rows = True

    def __init__(
        self,
        fields,
        tasks,
        num_experts: int = 8,
        expert_units: Sequence[int] = (128, 64),
        tower_units: Sequence[int] = (64, 32),
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        self.experts = Experts(num_experts, expert_units, name="experts", **self.dense_options)
        self.gates = SoftmaxGates(
            len(self.tasks), num_experts, name="gates", dtype=self.dtype_policy
        )
        self.tower_units = tuple(tower_units)
        self.towers = self.task_towers(self.tower_units)

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the towers' logits, each tower on its task's mixture of experts."""
        inputs = self.flattened(embeddings)
        experts = self.experts(inputs)
        mixtures = mixture(self.gates(inputs), experts, self.takes_compiled(training))
        mixtures = tf.unstack(mixtures, num=len(self.tasks))
        return [tower(mixed) for tower, mixed in zip(self.towers, mixtures, strict=True)]

    def explain(self, features) -> dict[str, Explanation]:
        """Returns `gate`, what tasks take of each expert, and `expert use`, what it comes to."""
        embeddings = self.embedding(features)
        inputs = tf.reshape(embeddings, (-1, len(self.fields) * self.embedding_dim))
        names = tuple(f"expert_{e}" for e in range(self.experts.num_experts))
        gates = self.gates(inputs)
        use = expert_use(gates, self.experts(inputs))
        return {
            "gate": Explanation(gates, self.tasks, names),
            "expert use": Explanation(use, self.tasks, names),
        }
