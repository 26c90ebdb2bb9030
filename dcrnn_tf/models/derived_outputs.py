"""Outputs that follow from those of the tasks: products and quotients of their probabilities."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.schema import Task
from dcrnn_tf.layers import conditional_logit, joint_logit


class DerivedOutput(NamedTuple):
    """A task's probability on another population than the one its label is defined on.

    Attributes:
      name: of the output.
      task: whose probability it is.
      given: the task, or the derived output before, whose probability it is multiplied or divided
        by.
      is_product: whether it is the product, on all exposures; else it is the quotient, at most 1,
        on the positives of `given`.
    """

    name: str
    task: str
    given: str
    is_product: bool

    @property
    def population(self) -> str:
        """The exposures that it is measured on, in words."""
        return "all exposures" if self.is_product else f"exposures where {self.given} is positive"

    def logit(self, logits: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Its logit, from those of the tasks with positive weights taken off."""
        task, given = logits[self.task], logits[self.given]
        return joint_logit(given, task) if self.is_product else conditional_logit(task, given)

    def labels(self, labels: Mapping[str, np.ndarray]) -> np.ndarray:
        """Its labels, int8 `(rows,)`, from those of the tasks; -1 outside its population."""
        task = (labels[self.task] > 0).astype(np.int8)
        return task if self.is_product else np.where(labels[self.given] > 0, task, np.int8(-1))


def after(task: str, given: str) -> DerivedOutput:
    """`TASK_after_GIVEN`, of a task that is positive only where the given one is."""
    return DerivedOutput(f"{task}_after_{given}", task, given, is_product=False)


def per_exposure(tasks: Sequence[Task]) -> tuple[DerivedOutput, ...]:
    """`TASK_per_exposure`, of each task that is defined only where another one is positive."""
    outputs: dict[str, DerivedOutput] = {}
    for task in tasks:
        if task.only_where is not None:
            before = outputs.get(task.only_where)
            given = task.only_where if before is None else before.name
            name = f"{task.name}_per_exposure"
            outputs[task.name] = DerivedOutput(name, task.name, given, is_product=True)
    return tuple(outputs.values())
