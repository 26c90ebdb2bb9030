"""Outputs that follow from the tasks' outputs: products and quotients of probabilities."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset import names
from dcrnn_tf.dataset.schema import BINARY, MULTICLASS, REGRESSION, Task
from dcrnn_tf.layers import conditional_logit, joint_logit


class DerivedOutput(NamedTuple):
    """A task's probability on another population than the one its label is defined on.

    Attributes:
      name: Name of the output.
      task: Task whose probability it is.
      given: Task, or derived output before it, by whose probability that of the task is multiplied
        or divided.
      is_product: Whether it is the product, on all exposures; else it is the quotient, at most 1,
        on the positives of `given`.
      kind: Kind of the task. Of a `regression` task the product is the expected number on all
        exposures, where the number is 0 if `given` is not positive.
    """

    name: str
    task: str
    given: str
    is_product: bool
    kind: str = BINARY

    @property
    def population(self) -> str:
        """The exposures on which it is measured, in words."""
        return "all exposures" if self.is_product else f"exposures where {self.given} is positive"

    def logit(self, logits: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns its logit, or the expected number.

        Args:
          logits: Logits of the tasks with positive weights taken off, and numbers, by name.
        """
        task, given = logits[self.task], logits[self.given]
        if self.kind == REGRESSION:
            return tf.sigmoid(given) * task
        return joint_logit(given, task) if self.is_product else conditional_logit(task, given)

    def labels(self, labels: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns its labels, int8 `(rows,)`; -1 outside its population and where one is missing.

        Those of a regression task are numbers, float32, and NaN where one is missing.

        Args:
          labels: Labels of the tasks, and of derived outputs before it, by name.
        """
        task, given = labels[self.task], labels[self.given]
        if self.kind == REGRESSION:
            numbers = np.where(given > 0, task, np.nan)
            return np.where(given == 0, 0, numbers).astype(np.float32)
        elsewhere = np.where(given == 0, 0, -1) if self.is_product else -1
        return np.where(given > 0, task, elsewhere).astype(np.int8)


def kinds(tasks: Sequence[Task], derived_outputs: Sequence[DerivedOutput]) -> dict[str, str]:
    """Returns the kind of each output, `{name: kind}`."""
    return {task.name: task.kind for task in tasks} | {o.name: o.kind for o in derived_outputs}


def after(task: str, given: str) -> DerivedOutput:
    """Returns `TASK_after_GIVEN`, of a task that is positive only where the other one is."""
    return DerivedOutput(f"{task}_after_{given}", task, given, is_product=False)


def per_exposure(tasks: Sequence[Task]) -> tuple[DerivedOutput, ...]:
    """Returns `TASK_per_exposure`, of each task that is defined where another one is positive.

    A multiclass task has none: its classes say nothing of exposures without any.
    """
    outputs: dict[str, DerivedOutput] = {}
    for task in tasks:
        if task.only_where is not None and task.kind != MULTICLASS:
            before = outputs.get(task.only_where)
            given = task.only_where if before is None else before.name
            outputs[task.name] = DerivedOutput(
                names.per_exposure(task.name), task.name, given, True, task.kind
            )
    return tuple(outputs.values())
