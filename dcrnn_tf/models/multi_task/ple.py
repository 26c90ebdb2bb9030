"""PLE: progressive layered extraction."""

from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.layers import GateControl, expert_use
from dcrnn_tf.models.base import Explanation, MultiTaskModel
from dcrnn_tf.models.registry import register


@register("ple", label="PLE", width="expert_units")
class PLE(MultiTaskModel):
    """Levels of customised gate control, then a tower per task (PLE; Tang et al., RecSys 2020).

    The first level reads the embeddings; each later one reads, for each task and for the shared
    experts, the mixture that the level before made for it (Eq. 4 to 6; see `GateControl`). The last
    level has no shared mixture. One level is the paper's CGC. With two tasks a level has as many
    experts as MMoE's default.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      num_shared_experts: Number of shared experts of a level.
      num_task_experts: Number of experts of a level that belong to one task, for each task.
      num_levels: Number of levels.
      expert_units: Widths of the layers of an expert.
      tower_units: Widths of the hidden layers of a task's tower.
      **kwargs: Settings of `MultiTaskModel`.

    Raises:
      ValueError: There is no level or no expert layer.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("ple", schema, num_shared_experts=1, num_task_experts=1)
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> model.explain(features)["gate, level 1"].columns
      ('click_0', 'conversion_0', 'shared_0')
    """

    def __init__(
        self,
        fields,
        tasks,
        num_shared_experts: int = 4,
        num_task_experts: int = 2,
        num_levels: int = 2,
        expert_units: Sequence[int] = (128, 64),
        tower_units: Sequence[int] = (64, 32),
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        if num_levels < 1:
            raise ValueError(f"num_levels={num_levels} must be at least 1")
        if not expert_units:
            raise ValueError(f"expert_units={list(expert_units)} must not be empty")
        self.expert_units = tuple(expert_units)
        self.levels = tuple(
            GateControl(
                len(self.tasks),
                num_shared_experts,
                num_task_experts,
                self.expert_units,
                shared_gate=level < num_levels,
                name=f"level_{level}",
                **self.dense_options,
            )
            for level in range(1, num_levels + 1)
        )
        self.tower_units = tuple(tower_units)
        self.towers = self.task_towers(self.tower_units)

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the towers' logits, each tower on its task's mixture of the last level."""
        mixtures = tf.reshape(embeddings, (-1, len(self.fields) * self.embedding_dim))
        for level in self.levels:
            mixtures = level(mixtures, compiled=self.takes_compiled(training))
        mixtures = tf.unstack(mixtures, num=len(self.tasks))
        return [tower(mixture) for tower, mixture in zip(self.towers, mixtures, strict=True)]

    def explain(self, features) -> dict[str, Explanation]:
        """Returns what each task, and the shared gate, takes of each expert, level by level.

        `gate, level 1` and so on are the gates, `expert use, level 1` what they come to.
        """
        embeddings = self.embedding(features)
        mixtures = tf.reshape(embeddings, (-1, len(self.fields) * self.embedding_dim))
        first = self.levels[0]
        experts = tuple(f"{t}_{e}" for t in self.tasks for e in range(first.num_task_experts))
        experts += tuple(f"shared_{e}" for e in range(first.num_shared_experts))
        gates = {}
        for number, level in enumerate(self.levels, start=1):
            rows = (*self.tasks, "shared") if level.shared_gate else self.tasks
            shares = level.shares(mixtures)
            use = expert_use(shares, level.outputs(mixtures))
            gates[f"gate, level {number}"] = Explanation(shares, rows, experts)
            gates[f"expert use, level {number}"] = Explanation(use, rows, experts)
            mixtures = level(mixtures)
        return gates
