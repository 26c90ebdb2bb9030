"""Labels and counts on every exposure, of tasks that are defined where another one is positive.

A purchase that is defined where there was a click is defined by the same two labels on every
exposure: it is 0 where there was no click. Where it is not known whether there was one, or what
came of it, it is not defined.
"""

import dataclasses
from collections.abc import Mapping

import tensorflow as tf

from dcrnn_tf.dataset.schema import Schema


def labels(given: Mapping[str, tf.Tensor], only_where: Mapping[str, str]) -> dict[str, tf.Tensor]:
    """Returns the labels of a batch on every exposure.

    Args:
      given: Labels of the batch, `{task: (batch,)}`, tasks in order.
      only_where: `{task: earlier task on whose positives it is defined}`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.models import every_exposure
      >>> batch = {"click": tf.constant([1.0, 0.0]), "buy": tf.constant([1.0, -1.0])}
      >>> every_exposure.labels(batch, {"buy": "click"})["buy"].numpy().tolist()
      [1.0, 0.0]
    """
    every = dict(given)
    for task, parent in only_where.items():
        every[task] = tf.where(every[parent] == 0, tf.zeros_like(every[task]), every[task])
    return every


def schema(of_dataset: Schema) -> Schema:
    """Returns the schema of a dataset with every task defined on every exposure.

    `D(task) = D(parent) - P(parent) + d(task)` exposures define a task, with P positives of the
    parent and d exposures that define the task where the parent is positive.

    Args:
      of_dataset: Schema of the dataset.
    """
    splits = {}
    for name, split in of_dataset.splits.items():
        defined = dict(split.defined)
        for task in of_dataset.tasks:
            if task.only_where is not None:
                elsewhere = defined[task.only_where] - split.positives[task.only_where]
                defined[task.name] += elsewhere
        splits[name] = dataclasses.replace(split, defined=defined)
    tasks = tuple(dataclasses.replace(task, only_where=None) for task in of_dataset.tasks)
    return dataclasses.replace(of_dataset, tasks=tasks, splits=splits)
