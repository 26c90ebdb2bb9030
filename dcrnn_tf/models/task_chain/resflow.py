"""ResFlow: the hidden layers and logits of a task are added to those of the next one."""

from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.dataset.schema import BINARY
from dcrnn_tf.layers import Experts, SubNetworks, fork
from dcrnn_tf.models.base import MultiTaskModel
from dcrnn_tf.models.registry import register


@register("resflow", label="ResFlow", width="network_units")
class ResFlow(MultiTaskModel):
    """A network per task with residual links from the task before (ResFlow; Fu et al., KDD 2024).

        h_t^l = relu(h_t^(l-1) W_t^l + b_t^l) + h_(t-1)^l,  y_t = h_t^L w_t + b_t + y_(t-1)

    for tasks in causal order, such as click, cart and order: each network learns what its task has
    beyond the one before it. What flows from task to task is the sum, so that the gradients of
    later tasks reach all earlier networks. The first task has no link.

    Logits are added between binary tasks alone; a task of another kind, and the one after it, has
    its own output.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      network_units: Widths of the layers of a task's network.
      **kwargs: Settings of `MultiTaskModel`.

    Raises:
      ValueError: There is no layer.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("resflow", schema, network_units=[16, 8])
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> {task: logits.shape for task, logits in model(features).items()}
      {'click': TensorShape([2]), 'conversion': TensorShape([2])}
    """

    takes_shared_rows = True

    def __init__(self, fields, tasks, network_units: Sequence[int] = (128, 64, 32), **kwargs):
        super().__init__(fields, tasks, **kwargs)
        if not network_units:
            raise ValueError(f"network_units={list(network_units)} must not be empty")
        self.network_units = tuple(network_units)
        policy = {"dtype": self.dtype_policy}
        self.first = Experts(
            len(self.tasks), self.network_units[:1], name="layer_1", **self.dense_options
        )
        self.later = tuple(
            SubNetworks(units, name=f"layer_{layer}", **policy)
            for layer, units in enumerate(self.network_units[1:], start=2)
        )
        self.towers = self.task_towers(())

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the tasks' logits, each added to that of the task before."""
        hidden = tf.cumsum(self.first(self.flattened(embeddings)))  # over the tasks
        for layer in self.later:
            hidden = tf.cumsum(layer(hidden))
        states = tf.unstack(hidden, num=len(self.tasks))
        logits: list[tf.Tensor] = []
        before = None
        for task, tower, state in zip(self.task_specs, self.towers, states, strict=True):
            logit = tf.cast(tower(state), self.variable_dtype)
            if task.kind != BINARY:
                before = None
                logits.append(logit)
                continue
            logit = logit if before is None else logit + before
            output, before = fork(logit, 2)  # the loss of the output adds gradients too
            logits.append(output)
        return logits
