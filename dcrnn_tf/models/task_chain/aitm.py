"""AITM: the adaptive information transfer multi-task model."""

import itertools
from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.layers import AttentionTransfer, Experts, fork
from dcrnn_tf.models.base import Explanation, MultiTaskModel
from dcrnn_tf.models.registry import register


@register("aitm", label="AITM", width="network_units")
class AITM(MultiTaskModel):
    """A network per task, whose state passes to the next task (AITM; Xi et al., KDD 2021).

    `q_t = f_t(x)`, `z_1 = q_1`, `z_t = AIT(q_t, z_{t-1})`, `y_t = tower_t(z_t)`; see
    `AttentionTransfer`. The calibrator adds the loss
    `calibrator_weight * sum_t mean(max(p_t - p_{t-1}, 0))`, p being the predicted probabilities: a
    task is no more likely than the one before it.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      network_units: Widths of the layers of a task's network; the last is d of the attention.
      calibrator_weight: Factor of the calibrator; 0 for tasks that are in no such sequence.
      tower_units: Widths of the hidden layers of a task's tower.
      tasks_in_sequence: Whether each task is positive only where the one before it is.
      **kwargs: Settings of `MultiTaskModel`.

    Raises:
      ValueError: There is no layer, or the calibrator's weight is negative.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("aitm", schema, network_units=[16, 8])
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> model.explain(features)["attention"].columns
      ('its own state', 'told by the task before')
    """

    statistic_names = ("order_violation",)
    takes_shared_rows = True

    def __init__(
        self,
        fields,
        tasks,
        network_units: Sequence[int] = (128, 64),
        calibrator_weight: float = 0.6,
        tower_units: Sequence[int] = (64, 32),
        tasks_in_sequence: bool = True,
        **kwargs,
    ):
        super().__init__(fields, tasks, tasks_in_sequence=tasks_in_sequence, **kwargs)
        if not network_units:
            raise ValueError(f"network_units={list(network_units)} must not be empty")
        if calibrator_weight < 0:
            raise ValueError(f"calibrator_weight={calibrator_weight} must not be negative")
        policy = self.dtype_policy
        self.calibrator_weight = calibrator_weight
        self.networks = Experts(
            len(self.tasks), network_units, name="networks", **self.dense_options
        )
        self.transfers = tuple(
            AttentionTransfer(name=f"{before}_to_{task}", dtype=policy)
            for before, task in itertools.pairwise(self.task_scopes)
        )
        self.tower_units = tuple(tower_units)
        self.towers = self.task_towers(self.tower_units)

    @property
    def bounds_tasks(self) -> bool:
        """Whether the calibrator holds each task to the one before it."""
        return bool(self.calibrator_weight)

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the towers' logits, each tower on its task's state."""
        states = self._states(self._own_states(self.flattened(embeddings)))
        logits = [
            tf.cast(tower(state), self.variable_dtype)
            for tower, state in zip(self.towers, states, strict=True)
        ]
        if not training:
            return logits
        # The loss of an output adds gradients too.
        outputs, calibrated = zip(*(fork(logit, 2) for logit in logits), strict=True)
        self._calibrate(calibrated)
        return list(outputs)

    def _calibrate(self, logits: Sequence[tf.Tensor]) -> None:
        probabilities = [tf.sigmoid(logit) for logit in logits]
        violation = sum(
            (
                tf.reduce_mean(tf.nn.relu(later - before))
                for before, later in itertools.pairwise(probabilities)
            ),
            tf.zeros((), self.variable_dtype),
        )
        if self.calibrator_weight and self.transfers:
            self.add_loss(self.calibrator_weight * violation)
        self.add_statistic("order_violation", tf.stop_gradient(violation))

    def _own_states(self, inputs) -> list[tf.Tensor]:
        """Returns `q_t` of each task."""
        return tf.unstack(self.networks(inputs), num=len(self.tasks))

    def _states(self, own_states: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Returns `z_t` of each task."""
        first, *others = own_states
        states = [first]
        for transfer, own in zip(self.transfers, others, strict=True):
            states.append(transfer(own, states[-1]))
        return states

    def explain(self, features) -> dict[str, Explanation]:
        """Returns what each task after the first takes of its state and of the one before it.

        The explanation is called `attention`.
        """
        if not self.transfers:
            return {}
        own_states = self._own_states(self.flattened(self.embedding(features)))
        *before, _ = self._states(own_states)
        shares = [
            transfer.shares(own, state)
            for transfer, own, state in zip(self.transfers, own_states[1:], before, strict=True)
        ]
        columns = ("its own state", "told by the task before")
        return {"attention": Explanation(tf.stack(shares, axis=1), self.tasks[1:], columns)}
