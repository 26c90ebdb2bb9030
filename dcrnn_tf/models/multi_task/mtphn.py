"""MTPHN: the multi-task parallel heterogeneous network, the first half of DEPHN."""

import tensorflow as tf

from dcrnn_tf.layers import SoftmaxGates
from dcrnn_tf.models.base import Explanation
from dcrnn_tf.models.parallel_heterogeneous import ParallelHeterogeneousModel
from dcrnn_tf.models.registry import register


@register("mtphn", label="MTPHN", width="expert_units")
class MTPHN(ParallelHeterogeneousModel):
    """Heterogeneous experts with the gates of MMoE over the public ones (DEPHN, Section III-A).

    `y_t = tower_t(sum_k softmax(E W_t)_k e_k) + private_tower_t(e'_1, .., e'_K')`: the public
    experts' mixture and a task's private experts each go through a tower. The three expert settings
    of the paper's Table I are `private_experts` of `()`, `("dnn",)` and `("cross", "field")`.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.

      **kwargs: Settings of `ParallelHeterogeneousModel`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("mtphn", schema, num_dnn_experts=2, expert_units=[8, 4])
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> model.explain(features)["gate"].columns
      ('dnn_0', 'dnn_1')
    """

    def __init__(self, fields, tasks, **kwargs):
        super().__init__(fields, tasks, **kwargs)
        self.softmax_gates = SoftmaxGates(
            len(self.tasks), len(self.public.names), name="gates", dtype=self.dtype_policy
        )
        self.public_towers = self.towers("public")

    def public_logits(self, experts, embeddings, labels) -> list[tf.Tensor]:
        """Returns the towers' logits on the tasks' mixtures."""
        mixtures = tf.einsum("bte,ebu->tbu", self._gate_values(embeddings), experts)
        mixtures = tf.unstack(mixtures, num=len(self.tasks))
        return [tower(mix) for tower, mix in zip(self.public_towers, mixtures, strict=True)]

    def gates(self, embeddings) -> Explanation:
        """Returns the share that each task takes of each public expert."""
        return Explanation(self._gate_values(embeddings), self.tasks, self.public.names)

    def _gate_values(self, embeddings: tf.Tensor) -> tf.Tensor:
        inputs = tf.reshape(embeddings, (-1, len(self.fields) * self.embedding_dim))
        return self.softmax_gates(inputs)
