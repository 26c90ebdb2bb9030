"""Turns a model's outputs into what users get: positive weights off, derived outputs added."""

import math
import numbers
from collections.abc import Mapping, Sequence

import tensorflow as tf

from dcrnn_tf.dataset.schema import BINARY, MULTICLASS, REGRESSION, DatasetError, Task
from dcrnn_tf.layers import conditional_logit
from dcrnn_tf.models import predictions
from dcrnn_tf.models.derived_outputs import DerivedOutput, kinds


def log_weights(
    positive_weights: Mapping[str, float], tasks: Sequence[Task] = ()
) -> dict[str, float]:
    """Returns what training adds to logits, `{task: log w - log k}`.

    A model trained with a positive weight w on rows that hold the share k of the negatives tends to
    the logit `log(w p / (k (1 - p)))`. Ranking, and so AUC, does not depend on it; a probability
    does.

    Args:
      positive_weights: Factor w on the loss of each task's positives, `{task: w}`.
      tasks: The tasks, which say what share was kept; of others all were.

    Raises:
      DatasetError: A weight is no finite number above 0.
    """
    for task, weight in positive_weights.items():
        if not (isinstance(weight, numbers.Real) and 0 < weight < math.inf):
            raise DatasetError(
                f"the positive weight of {task} is {weight!r:.80}, expected a finite number above "
                "0; give the weights that the model was trained with"
            )
    kept = {task.name: task.keep_negatives for task in tasks}
    return {
        task: math.log(weight) - math.log(kept.get(task, 1.0))
        for task, weight in positive_weights.items()
    }


def unweighted(
    logits: Mapping[str, tf.Tensor], log_weights: Mapping[str, float], tasks: Sequence[Task] = ()
) -> dict[str, tf.Tensor]:
    """Returns the logits of probabilities, float32: a model's with `log w` taken off.

    The output of a regression task becomes a number on the scale of its labels.

    Args:
      logits: Outputs of the model, `{task: (rows,)}`.
      log_weights: As the function of that name returns them.
      tasks: The tasks; those that are not among them are binary.
    """
    others = {task.name: task for task in tasks if task.kind != BINARY}
    return {
        task: tf.cast(predictions.on_scale_of_labels(others[task], logits[task]), tf.float32)
        if task in others
        else tf.cast(logits[task], tf.float32) - log_w
        for task, log_w in log_weights.items()
    }


def with_derived(
    logits: Mapping[str, tf.Tensor],
    derived_outputs: Sequence[DerivedOutput],
    on_every_exposure: Sequence[str] = (),
) -> dict[str, tf.Tensor]:
    """Returns the logits of tasks, and after them those of derived outputs.

    Args:
      logits: Logits of the tasks with positive weights taken off, by name.
      derived_outputs: Outputs in an order in which they can be computed.
      on_every_exposure: Tasks whose logits are those of their products: the product is known, and
        the task's probability is the quotient.
    """
    every = dict(logits)
    known = [o for o in derived_outputs if o.is_product and o.task in on_every_exposure]
    for output in derived_outputs:
        every[output.name] = logits[output.task] if output in known else output.logit(every)
    for output in known:
        every[output.task] = conditional_logit(logits[output.task], every[output.given])
    return every


def shown(
    every: Mapping[str, tf.Tensor], tasks: Sequence[Task], derived_outputs: Sequence[DerivedOutput]
) -> dict[str, tf.Tensor]:
    """Returns what a user gets of each output: probabilities of logits, and numbers as they are.

    A multiclass task has a probability for each class, `(rows, classes)`.

    Args:
      every: Results of `with_derived`.
      tasks: The tasks; those that are not among them are binary.
      derived_outputs: The derived outputs.
    """
    kind_of = kinds(tasks, derived_outputs)
    functions = {BINARY: tf.sigmoid, MULTICLASS: tf.nn.softmax, REGRESSION: tf.identity}
    return {name: functions[kind_of.get(name, BINARY)](values) for name, values in every.items()}
