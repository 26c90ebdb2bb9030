"""AdaTT: each task's experts, fused with those of all tasks at every level."""

from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.layers import Experts, SkipMixture, SoftmaxGates, expert_use, fork, mixture
from dcrnn_tf.models.base import Explanation, MultiTaskModel
from dcrnn_tf.models.registry import register


@register("adatt", label="AdaTT", width="expert_units")
class AdaTT(MultiTaskModel):
    """Adaptive task-to-task fusion with experts of tasks alone (AdaTT-sp; Li et al., KDD 2023).

    At each level task t has K experts on its own input; what it hands on is a mixture of the
    experts of all tasks, by a gate of its input, and a linear one of its own, by weights v:

        x_t' = sum_{u, k} softmax(x_t W_t)_uk e_uk(x_u) + sum_k v_tk e_tk(x_t)

    All tasks' input of the first level are the embeddings. v starts at `1 / K`. The paper's other
    form, with shared experts too, is not here.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      num_task_experts: Number of experts of each task at a level, K.
      num_levels: Number of levels.
      expert_units: Widths of the layers of an expert.
      tower_units: Widths of the hidden layers of a task's tower.
      **kwargs: Settings of `MultiTaskModel`.

    Raises:
      ValueError: There is no expert layer.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("adatt", schema, num_task_experts=1, expert_units=[8])
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> model.explain(features)["gate, level 1"].columns
      ('click_0', 'conversion_0')
    """

    def __init__(
        self,
        fields,
        tasks,
        num_task_experts: int = 2,
        num_levels: int = 2,
        expert_units: Sequence[int] = (128, 64),
        tower_units: Sequence[int] = (64, 32),
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        if not expert_units:
            raise ValueError(f"expert_units={list(expert_units)} must not be empty")
        policy, count = {"dtype": self.dtype_policy}, num_task_experts
        self.num_task_experts = count
        self.num_levels = num_levels
        self.expert_units = tuple(expert_units)
        levels = range(1, num_levels + 1)
        self.experts = tuple(
            tuple(
                Experts(count, expert_units, name=f"{scope}_experts_{level}", **self.dense_options)
                for scope in self.task_scopes
            )
            for level in levels
        )
        self.gates = tuple(
            tuple(
                SoftmaxGates(1, len(self.tasks) * count, name=f"{scope}_gate_{level}", **policy)
                for scope in self.task_scopes
            )
            for level in levels
        )
        self.own_mixtures = tuple(
            SkipMixture(1 / count, name=f"own_mixture_{level}", **policy) for level in levels
        )
        self.tower_units = tuple(tower_units)
        self.towers = self.task_towers(self.tower_units)

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the towers' logits, each tower on what its task has after the last level."""
        states = fork(self.flattened(embeddings), len(self.tasks))
        for level in range(self.num_levels):
            states, _, _ = self._level(level, states, self.takes_compiled(training))
        return [tower(state) for tower, state in zip(self.towers, states, strict=True)]

    def _level(self, level: int, states: Sequence[tf.Tensor], compiled: bool = False) -> tuple:
        """Returns the tasks' states after a level, their gates, and the outputs of all experts."""
        outputs = [layer(x) for layer, x in zip(self.experts[level], states, strict=True)]
        gates = [gate(x) for gate, x in zip(self.gates[level], states, strict=True)]
        gates = tf.concat(gates, axis=1)  # (batch, T, T K)
        everyone, own = fork(tf.stack(outputs), 2)  # (T, K, batch, units)
        everyone = tf.reshape(everyone, (gates.shape[2], -1, own.shape[3]))
        mixed = mixture(gates, everyone, compiled)
        mixed += self.own_mixtures[level](tf.transpose(own, (1, 0, 2, 3)))
        return tf.unstack(mixed, num=len(self.tasks)), gates, everyone

    def explain(self, features) -> dict[str, Explanation]:
        """Returns what each task's gate takes of each expert, level by level.

        `gate, level 1` and so on are the gates, `expert use, level 1` what they come to.
        """
        states = [self.flattened(self.embedding(features))] * len(self.tasks)
        count = self.num_task_experts
        names = tuple(f"{task}_{e}" for task in self.tasks for e in range(count))
        explanations = {}
        for level in range(self.num_levels):
            states, gates, outputs = self._level(level, states)
            use = expert_use(gates, outputs)
            explanations[f"gate, level {level + 1}"] = Explanation(gates, self.tasks, names)
            explanations[f"expert use, level {level + 1}"] = Explanation(use, self.tasks, names)
        return explanations
