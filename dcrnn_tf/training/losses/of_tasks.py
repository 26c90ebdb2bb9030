"""The losses of all tasks of a dataset, and what they are before anything is learned."""

import math
from collections.abc import Mapping, Sequence

import keras

from dcrnn_tf.dataset.names import ascii_names
from dcrnn_tf.dataset.schema import MULTICLASS, Schema, Task
from dcrnn_tf.training.losses.cross_entropy import WeightedCrossEntropy
from dcrnn_tf.training.losses.regression import LOSSES, initial_loss
from dcrnn_tf.training.losses.softmax import SoftmaxCrossEntropy


def initial_losses(schema: Schema, weights: Mapping[str, float]) -> dict[str, float]:
    """Returns each task's mean training loss under a model that gives every example one half.

    `log(2) (w P + N) / R` with P positives and N negatives among R examples; of a regression task
    that under a model whose outputs are 0, as `regression.initial_loss` has it; of a multiclass
    task `log(K)` for each example that has one of K classes.

    Args:
      schema: Schema of the dataset to train on.
      weights: Factor w on the positives' loss, `{task: weight}`.

    Example:
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Split, Task
      >>> from dcrnn_tf.training.losses import initial_losses
      >>> train = Split("train", 100, positives={"click": 20}, defined={"click": 100}, shards=())
      >>> fields, tasks = (Field("item", vocabulary_size=9),), (Task("click"),)
      >>> losses = initial_losses(Schema("small", fields, tasks, {"train": train}), {"click": 4.0})
      >>> round(losses["click"], 4)  # log(2) (4 20 + 80) / 100
      1.109
    """
    train = schema.split("train")
    tasks_by_name = {task.name: task for task in schema.tasks}

    def total(name: str, weight: float) -> float:
        positives, defined, task = train.positives[name], train.defined[name], tasks_by_name[name]
        if task.target:
            return initial_loss(task.target) * defined
        if task.kind == MULTICLASS:
            return math.log(task.outputs) * defined
        return math.log(2) * (weight * positives + defined - positives)

    return {task: total(task, weight) / train.rows for task, weight in weights.items()}


def multi_task_losses(
    weights: Mapping[str, float], tasks: Sequence[Task] = ()
) -> dict[str, keras.losses.Loss]:
    """Returns a loss for each task, as `keras.Model.compile(loss=...)` takes them.

    Args:
      weights: Factor on the positives' loss, `{task: weight}`.
      tasks: The tasks; those that are not among them are binary.

    Example:
      >>> from dcrnn_tf.training.losses import multi_task_losses
      >>> losses = multi_task_losses({"click": 4.0, "conversion": 50.0})
      >>> losses["conversion"].positive_weight
      50.0
    """
    tasks_by_name = {task.name: task for task in tasks}
    losses: dict[str, keras.losses.Loss] = {}
    for task, scope in ascii_names(weights).items():
        name, spec = f"{scope}_loss", tasks_by_name.get(task, Task(task))
        if spec.target:
            losses[task] = LOSSES[spec.target.loss](spec.target, name=name)
        elif spec.kind == MULTICLASS:
            losses[task] = SoftmaxCrossEntropy(name=name)
        else:
            losses[task] = WeightedCrossEntropy(weights[task], name=name)
    return losses
