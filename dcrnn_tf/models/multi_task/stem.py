"""STEM-Net: embeddings of each task beside shared ones, and gates that do not mix gradients."""

from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.layers import Experts, SoftmaxGates, expert_use, fork, mixture
from dcrnn_tf.models.base import Explanation, MultiTaskModel
from dcrnn_tf.models.registry import register


@register("stem", label="STEM-Net", width="expert_units")
class STEM(MultiTaskModel):
    """Shared and task embeddings, forward from all and backward to one's own (STEM-Net).

    (Su et al., AAAI 2024.) Each task t has embeddings `E^t` and experts `e^t` on them, beside
    shared embeddings `E^s` with shared experts. Its gate mixes all experts, but its loss does not
    reach the other tasks' experts and embeddings ("all forward, task-specific backward"), sg being
    the stop of the gradient:

        y_t = tower_t(sum_k g_ttk e_k^t(E^t) + sum_k g_tsk e_k^s(E^s)
                      + sum_{u != t, k} g_tuk sg(e_k^u(E^u)))

    with `g_t = softmax((E^t + E^s) W_t)`. The embedding table is `T + 1` times as wide as
    `embedding_dim`.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      num_shared_experts: Number of shared experts.
      num_task_experts: Number of experts of each task.
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
      >>> model = models.build("stem", schema, embedding_dim=8, num_shared_experts=1)
      >>> model.embedding_width  # of click, of conversion, and shared
      24
    """

    def __init__(
        self,
        fields,
        tasks,
        num_shared_experts: int = 4,
        num_task_experts: int = 2,
        expert_units: Sequence[int] = (128, 64),
        tower_units: Sequence[int] = (64, 32),
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        if not expert_units:
            raise ValueError(f"expert_units={list(expert_units)} must not be empty")
        policy = {"dtype": self.dtype_policy}
        scopes, count = self.task_scopes, num_task_experts
        self.own_experts = tuple(
            Experts(count, expert_units, name=f"{scope}_experts", **self.dense_options)
            for scope in scopes
        )
        self.shared_experts = Experts(
            num_shared_experts, expert_units, name="shared_experts", **self.dense_options
        )
        everyone = len(self.tasks) * count + num_shared_experts
        self.gates = tuple(
            SoftmaxGates(1, everyone, name=f"{scope}_gate", **policy) for scope in scopes
        )
        self.tower_units = tuple(tower_units)
        self.towers = self.task_towers(self.tower_units)

    @property
    def embedding_width(self) -> int:
        """The width of the table: an embedding of each task, and a shared one."""
        return (len(self.tasks) + 1) * self.embedding_dim

    @property
    def embedding_parts(self) -> int:
        """The number of embeddings: of each task, and a shared one."""
        return len(self.tasks) + 1

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the towers' logits, each tower on its task's mixture of all experts."""
        gates, experts = self._gates_and_experts(embeddings)
        compiled = self.takes_compiled(training)
        mixtures = [
            mixture(gate[:, None], own, compiled)[0]
            for gate, own in zip(gates, experts, strict=True)
        ]
        return [tower(mixed) for tower, mixed in zip(self.towers, mixtures, strict=True)]

    def _gates_and_experts(self, embeddings: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """Returns each task's gate, `(batch, experts)`, and the experts as the task sees them."""
        width = len(self.fields) * self.embedding_dim
        *own_inputs, shared_input = (
            tf.reshape(part, (-1, width))
            for part in tf.split(embeddings, len(self.tasks) + 1, axis=2)
        )
        own = [layer(x) for layer, x in zip(self.own_experts, own_inputs, strict=True)]
        stopped = [tf.stop_gradient(outputs) for outputs in own]
        shared_input, *for_gates = fork(shared_input, len(self.tasks) + 1)
        shared = fork(self.shared_experts(shared_input), len(self.tasks))
        gates = [
            gate(x + common)[:, 0]
            for gate, x, common in zip(self.gates, own_inputs, for_gates, strict=True)
        ]
        experts = [
            tf.concat([*stopped[:t], own[t], *stopped[t + 1 :], shared[t]], axis=0)
            for t in range(len(self.tasks))
        ]
        return gates, experts

    def explain(self, features) -> dict[str, Explanation]:
        """Returns `gate`, what tasks take of each expert, and `expert use`, what it comes to."""
        gates, experts = self._gates_and_experts(self.embedding(features))
        count = self.own_experts[0].num_experts
        names = tuple(f"{task}_{e}" for task in self.tasks for e in range(count))
        names += tuple(f"shared_{e}" for e in range(self.shared_experts.num_experts))
        gate = tf.stack(gates, axis=1)
        return {
            "gate": Explanation(gate, self.tasks, names),
            "expert use": Explanation(expert_use(gate, experts[0]), self.tasks, names),
        }
