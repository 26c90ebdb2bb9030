"""The rows where a task is defined, as the metrics take them."""

from typing import Any

import numpy as np

from dcrnn_tf.dataset.schema import BINARY, MULTICLASS, REGRESSION
from dcrnn_tf.metrics.by_group.ranking import GroupedRanking
from dcrnn_tf.training.evaluation.row_groups import RowGroups

_PREDICTED = {BINARY: "logits", REGRESSION: "predictions", MULTICLASS: "class_logits"}


def where_defined(
    label: np.ndarray, logit: np.ndarray, kind: str = BINARY
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the labels and logits, or other values, of the rows where a task is defined.

    Args:
      label: Labels of the task, `(rows,)`.
      logit: Values of the rows, `(rows, ...)`.
      kind: Kind of the task.
    """
    defined = ~np.isnan(label) if kind == REGRESSION else label >= 0
    return label[defined], logit[defined]


def columns_where_defined(
    labels: np.ndarray,
    logits: np.ndarray,
    kind: str,
    weights: np.ndarray | None = None,
    groups: RowGroups | None = None,
) -> dict[str, Any]:
    """Returns what `dcrnn_tf.metrics.compute` takes, of the rows where a task is defined.

    Args:
      labels: Labels of the task.
      logits: Logits, or the numbers that are predicted.
      kind: Kind of the task.
      weights: Weights of examples, if there are any.
      groups: Groups of the rows, if there are any.
    """
    columns: dict[str, Any] = {}
    columns["labels"], logits_there = where_defined(labels, logits, kind)
    columns[_PREDICTED[kind]] = logits_there
    if weights is not None:
        columns["weights"] = where_defined(labels, weights, kind)[1]
    if groups is not None:
        columns["groups"] = where_defined(labels, groups.numbers, kind)[1]
    if groups is not None and kind == BINARY:
        columns["ranking"] = GroupedRanking(columns["labels"], logits_there, columns["groups"])
    return columns
