"""HoME: a hierarchy of normalised experts, shared, of groups of tasks, and of tasks."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from dcrnn_tf.layers import (
    FeatureGates,
    NormalizedExperts,
    SoftmaxGates,
    expert_use,
    fork,
    mixture,
)
from dcrnn_tf.models.base import Explanation, MultiTaskModel
from dcrnn_tf.models.registry import register


@register("home", label="HoME", width="expert_units")
class HoME(MultiTaskModel):
    """A hierarchy of experts that are normalised and have feature gates (Wang et al., 2024).

    (arXiv 2408.05430.) Every expert is `swish(batch_norm(x W + b))`, so that all experts' outputs
    are of one scale, and reads its input through a feature gate of its own (see
    `NormalizedExperts` and `FeatureGates`). Tasks that are alike are in one group. At the first
    level a group's state mixes the experts of the group and the shared ones, the shared state all
    of them, plus what a gate over the shared experts adds (the self-gate):

        z_g = sum_k G_g(x)_k e_k(x),  z_s = sum_k G_s(x)_k e_k(x) + sum_{k shared} S(x)_k e_k(x)

    At the second level task t of group g mixes shared experts on `z_s`, its group's on `z_g`, and
    its own on `z_g`, by a gate of `[z_g, z_s]`; its tower reads the mixture. No expert of another
    group or task is in a mixture.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      task_groups: Number of the group of each task, from 1; none puts all tasks into one group.
      num_shared_experts: Number of shared experts at a level.
      num_group_experts: Number of experts of each group at a level.
      num_task_experts: Number of experts of each task at the second level.
      expert_units: Width of the experts of each level.
      gate_rank: Rank of a feature gate.
      tower_units: Widths of the hidden layers of a task's tower.
      **kwargs: Settings of `MultiTaskModel`.

    Raises:
      ValueError: The groups do not fit the tasks, or there are not two widths.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("home", schema, task_groups=[1, 2], expert_units=[16, 8])
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> model.explain(features)["gate"].values[0, 0, 2:4].numpy()  # none of the other group's
      array([0., 0.], dtype=float32)
    """

    def __init__(
        self,
        fields,
        tasks,
        task_groups: Sequence[int] = (),
        num_shared_experts: int = 2,
        num_group_experts: int = 2,
        num_task_experts: int = 1,
        expert_units: Sequence[int] = (128, 64),
        gate_rank: int = 8,
        tower_units: Sequence[int] = (64, 32),
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        count = len(self.tasks)
        self.task_groups = tuple(task_groups) or (1,) * count
        groups = sorted(set(self.task_groups))
        if len(self.task_groups) != count or groups != list(range(1, len(groups) + 1)):
            raise ValueError(
                f"task_groups={list(task_groups)} must be the number of a group for each of the "
                f"{count} tasks, 1 and so on, without a gap"
            )
        if len(expert_units) != 2:
            raise ValueError(f"expert_units={list(expert_units)} must be two widths, of two levels")
        policy = {"dtype": self.dtype_policy}
        # Experts lie group by group, then the shared ones; at the second level the tasks' last.
        first = len(groups) * num_group_experts + num_shared_experts
        second = first + count * num_task_experts
        self._of_group = _blocks(0, num_group_experts, len(groups))
        (self._shared,) = _blocks(first - num_shared_experts, num_shared_experts, 1)
        self._of_task = _blocks(first, num_task_experts, count)
        self.feature_gates = FeatureGates(first, gate_rank, name="feature_gates_1", **policy)
        self.experts = NormalizedExperts(expert_units[0], name="experts_1", **policy)
        own = num_group_experts + num_shared_experts
        self.group_gates = SoftmaxGates(len(groups), own, name="group_gates", **policy)
        self.shared_gate = SoftmaxGates(1, first, name="shared_gate", **policy)
        self.self_gate = SoftmaxGates(1, num_shared_experts, name="self_gate", **policy)
        self.state_gates = FeatureGates(second, gate_rank, name="feature_gates_2", **policy)
        self.state_experts = NormalizedExperts(expert_units[1], name="experts_2", **policy)
        self.task_gates = tuple(
            SoftmaxGates(1, own + num_task_experts, name=f"{scope}_gate", **policy)
            for scope in self.task_scopes
        )
        self.tower_units = tuple(tower_units)
        self.towers = self.task_towers(self.tower_units)

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the towers' logits, each tower on its task's mixture of the second level."""
        gates, experts = self._second_level(self.flattened(embeddings), training)
        mixtures = mixture(gates, experts, self.takes_compiled(training))
        mixtures = tf.unstack(mixtures, num=len(self.tasks))
        return [tower(mixed) for tower, mixed in zip(self.towers, mixtures, strict=True)]

    def _states(self, inputs: tf.Tensor, training: bool) -> list[tf.Tensor]:
        """Returns `z_g` of each group, then `z_s`."""
        for_experts, for_groups, for_shared, for_self = fork(inputs, 4)
        experts = self.experts(self.feature_gates(for_experts), training=training)
        total = len(self._shared) + len(self._of_group) * len(self._of_group[0])
        gates = [
            _spread(gate, [*own, *self._shared], total)
            for gate, own in zip(
                tf.unstack(self.group_gates(for_groups), axis=1), self._of_group, strict=True
            )
        ]
        own_share = _spread(self.self_gate(for_self)[:, 0], self._shared, total)
        gates.append(self.shared_gate(for_shared)[:, 0] + own_share)
        mixed = mixture(tf.stack(gates, axis=1), experts, self.takes_compiled(training))
        return tf.unstack(mixed, num=len(gates))

    def _second_level(self, inputs: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the tasks' gates, `(batch, T, experts)`, and all experts."""
        *groups, shared = self._states(inputs, training)
        members = [self.task_groups.count(g + 1) for g in range(len(groups))]
        # Of each state: a copy for each reader, an expert or a gate.
        for_groups = [
            list(fork(state, len(own) + count * (1 + len(self._of_task[0]))))
            for state, own, count in zip(groups, self._of_group, members, strict=True)
        ]
        for_shared = list(fork(shared, len(self._shared) + len(self.tasks)))
        read = [for_groups[g].pop() for g, own in enumerate(self._of_group) for _ in own]
        read += [for_shared.pop() for _ in self._shared]
        of_tasks = [g - 1 for g in self.task_groups]
        read += [for_groups[g].pop() for g in of_tasks for _ in self._of_task[0]]
        experts = self.state_experts(self.state_gates(tf.stack(read)), training=training)
        gates = []
        for t, (group, gate) in enumerate(zip(of_tasks, self.task_gates, strict=True)):
            state = tf.concat([for_groups[group].pop(), for_shared.pop()], axis=1)
            columns = [*self._of_group[group], *self._shared, *self._of_task[t]]
            gates.append(_spread(gate(state)[:, 0], columns, len(read)))
        return tf.stack(gates, axis=1), experts

    def explain(self, features) -> dict[str, Explanation]:
        """Returns what each task's gate takes of the second level's experts, and what it comes to.

        The explanations are called `gate` and `expert use`.
        """
        gates, experts = self._second_level(self.flattened(self.embedding(features)), False)
        names = [
            f"group_{g}_{e}" for g, own in enumerate(self._of_group, 1) for e in range(len(own))
        ]
        names += [f"shared_{e}" for e in range(len(self._shared))]
        names += [f"{task}_{e}" for task in self.tasks for e in range(len(self._of_task[0]))]
        return {
            "gate": Explanation(gates, self.tasks, tuple(names)),
            "expert use": Explanation(expert_use(gates, experts), self.tasks, tuple(names)),
        }


def _blocks(start: int, size: int, count: int) -> tuple[tuple[int, ...], ...]:
    """Returns `count` blocks of `size` numbers each, one after the other."""
    return tuple(tuple(range(start + b * size, start + (b + 1) * size)) for b in range(count))


def _spread(shares: tf.Tensor, columns: Sequence[int], total: int) -> tf.Tensor:
    """Returns shares at their columns among `total`, zeros elsewhere, `(batch, total)`."""
    places = np.eye(total)[list(columns)]
    return shares @ tf.constant(places, shares.dtype)
