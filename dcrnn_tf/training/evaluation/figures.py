"""The exact metrics of predictions, task by task."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dcrnn_tf import metrics
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import BINARY, Task
from dcrnn_tf.models.derived_outputs import DerivedOutput, kinds
from dcrnn_tf.training.evaluation.defined_rows import columns_where_defined
from dcrnn_tf.training.evaluation.errors import EvaluationError
from dcrnn_tf.training.evaluation.row_groups import RowGroups


def evaluate(
    labels: Mapping[str, np.ndarray],
    logits: Mapping[str, np.ndarray],
    derived_outputs: Sequence[DerivedOutput] = (),
    tasks: Sequence[Task] = (),
    weights: Mapping[str, np.ndarray] | None = None,
    groups: RowGroups | None = None,
) -> dict:
    """Computes all metrics of each task over the rows where it is defined.

    Args:
      labels: Labels by output, `{output: (rows,)}`.
      logits: Logits by output, `{output: (rows,)}`, or the numbers that are predicted.
      derived_outputs: Outputs that follow from those of tasks.
      tasks: Tasks of the dataset, which say where they are defined; others are binary.
      weights: Weights of examples, `{output: (rows,)}`, for the metrics that count by them.
      groups: Groups of the rows, for the metrics by group.

    Returns:
      `{task: {metric: value}}`, with the numbers of `rows`, of a binary task's `positives` and of
      groups beside the metrics, and in words the exposures that these are: `population` for a
      derived output, `measured_on` for a task that is not defined on all.

    Raises:
      EvaluationError: a logit is not a finite number.
    """
    kind_of = kinds(tasks, derived_outputs)
    for task, values in logits.items():
        what = "logit" if kind_of.get(task, BINARY) == BINARY else "prediction"
        finite = np.isfinite(values)
        finite = finite.all(axis=1) if finite.ndim > 1 else finite
        if not finite.all():
            row = int(np.argmin(finite))
            raise EvaluationError(
                f"the model's {what} of {task} is {values[row]} in row {row} of the split (counted "
                f"from 0; {int((~finite).sum())} such), so nothing can be measured; train it with "
                "a lower learning rate, or look for damaged numbers in the dataset with "
                "dcrnn_tf.dataset.verification.findings"
            )
    result: dict[str, dict[str, Any]] = {}
    for task in labels:
        kind, of_task = kind_of.get(task, BINARY), (weights or {}).get(task)
        columns = columns_where_defined(labels[task], logits[task], kind, of_task, groups)
        result[task] = _values(columns, kind, groups)
    for output in derived_outputs:
        result[output.name]["population"] = output.population
    for defined in tasks:
        if population := _population(defined):
            result[defined.name]["measured_on"] = population
    return result


def weights_of(
    dataset: PreparedDataset, split: str, derived_outputs: Sequence[DerivedOutput] = ()
) -> dict[str, np.ndarray]:
    """Weights of a split's examples by output, for `evaluate`; empty where all count alike.

    A derived output has them where all tasks have the same.

    Args:
      dataset: The dataset.
      split: Name of the split.
      derived_outputs: Outputs that follow from those of tasks.
    """
    weights = dataset.example_weights(split)
    if len({task.weight for task in dataset.schema.tasks}) == 1:
        weights |= {o.name: weights[o.task] for o in derived_outputs if o.task in weights}
    return weights


def _population(task: Task) -> str:
    """Returns the exposures on which a task is defined, in words; empty for all of them."""
    words = ["exposures"] if task.only_where or task.may_be_missing else []
    words += [f"where {task.only_where} is positive"] if task.only_where else []
    words += ["that have its label"] if task.may_be_missing else []
    return " ".join(words)


def _values(columns: Mapping[str, Any], kind: str, groups: RowGroups | None) -> dict[str, Any]:
    """All metrics of rows where a task is defined, then how many rows and positives there are."""
    counts: dict[str, Any] = {"rows": len(columns["labels"])}
    if kind == BINARY:
        counts["positives"] = int(np.sum(columns["labels"] > 0))
    if groups is not None and kind == BINARY:
        counts["grouped_by"] = groups.name
        counts |= {name: getattr(columns["ranking"], name) for name in metrics.GROUP_COUNTS}
    return metrics.compute(columns, kind) | counts
