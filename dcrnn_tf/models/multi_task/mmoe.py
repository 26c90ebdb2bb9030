"""MMoE: multi-gate mixture of experts."""

from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.layers import Experts, SoftmaxGates, Tower, expert_use
from dcrnn_tf.models.base import Explanation, MultiTaskModel
from dcrnn_tf.models.registry import register


@register("mmoe", label="MMoE", width="expert_units")
class MMoE(MultiTaskModel):
    """Shared experts, mixed by a gate per task: `y_t = tower_t(sum_e softmax(x W_t)_e f_e(x))`.

    Args:
      fields: as `MultiTaskModel`.
      tasks: as `MultiTaskModel`.
      num_experts: number of experts.
      expert_units: layers of an expert.
      tower_units: hidden layers of a task's tower.
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
        self.experts = Experts(num_experts, expert_units, name="experts", dtype=self.dtype_policy)
        self.gates = SoftmaxGates(
            len(self.tasks), num_experts, name="gates", dtype=self.dtype_policy
        )
        self.tower_units = tuple(tower_units)
        self.towers = tuple(
            Tower(self.tower_units, name=f"{task}_tower", dtype=self.dtype_policy)
            for task in self.tasks
        )

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """The towers' logits, each tower on its task's mixture of experts."""
        inputs = self.flattened(embeddings)
        mixtures = tf.einsum("bte,ebu->tbu", self.gates(inputs), self.experts(inputs))
        mixtures = tf.unstack(mixtures, num=len(self.tasks))
        return [tower(mixture) for tower, mixture in zip(self.towers, mixtures, strict=True)]

    def explain(self, features) -> dict[str, Explanation]:
        """`gate`, what each task takes of each expert, and `expert use`, what that comes to."""
        embeddings = self.embedding(features)
        inputs = tf.reshape(embeddings, (-1, len(self.fields) * self.embedding_dim))
        names = tuple(f"expert_{e}" for e in range(self.experts.num_experts))
        gates = self.gates(inputs)
        use = expert_use(gates, self.experts(inputs))
        return {
            "gate": Explanation(gates, self.tasks, names),
            "expert use": Explanation(use, self.tasks, names),
        }
