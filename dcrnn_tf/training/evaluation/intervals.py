"""Intervals of the metrics of a split, by the bootstrap or after DeLong."""

from collections.abc import Mapping, Sequence

import numpy as np

from dcrnn_tf.dataset.schema import BINARY, Task
from dcrnn_tf.metrics.intervals import bootstrap
from dcrnn_tf.metrics.intervals.delong import auc_interval
from dcrnn_tf.models.derived_outputs import DerivedOutput, kinds
from dcrnn_tf.training.evaluation.defined_rows import columns_where_defined
from dcrnn_tf.training.evaluation.row_groups import RowGroups

BOOTSTRAP, DELONG = "bootstrap", "delong"

Intervals = dict[str, dict[str, tuple[float, float]]]
"""Ends of 95 % intervals, `{task or derived output: {metric: (low, high)}}`."""


def compute(
    labels: Mapping[str, np.ndarray],
    logits: Mapping[str, np.ndarray],
    derived_outputs: Sequence[DerivedOutput] = (),
    tasks: Sequence[Task] = (),
    weights: Mapping[str, np.ndarray] | None = None,
    groups: RowGroups | None = None,
    method: str = BOOTSTRAP,
    resamples: int = bootstrap.RESAMPLES,
) -> Intervals:
    """Computes intervals of metrics over the rows where each task is defined.

    The first arguments are those of `dcrnn_tf.training.evaluation.evaluate`.

    Args:
      labels: Labels by output.
      logits: Logits by output.
      derived_outputs: Outputs that follow from those of tasks.
      tasks: Tasks of the dataset.
      weights: Weights of examples by output.
      groups: Groups of the rows, which the bootstrap draws whole.
      method: `bootstrap`, of all metrics, or `delong`, of the AUC of binary tasks alone.
      resamples: Number of times that the bootstrap draws.
    """
    kind_of = kinds(tasks, derived_outputs)
    found: Intervals = {}
    for task in labels:
        kind = kind_of.get(task, BINARY)
        of_task = (weights or {}).get(task)
        columns = columns_where_defined(labels[task], logits[task], kind, of_task, groups)
        if method == BOOTSTRAP:
            found[task] = bootstrap.intervals(columns, kind, resamples)
        elif kind == BINARY and (ends := auc_interval(columns["labels"], columns["logits"])):
            found[task] = {"auc": ends}
    return found


def in_words(method: str, groups: RowGroups | None, resamples: int) -> str:
    """Returns how intervals were made, a clause."""
    if method == DELONG:
        return "95 % intervals of the AUC after DeLong"
    unit = "rows" if groups is None else f"the rows of each {groups.name} together"
    return f"95 % intervals by the bootstrap, {resamples} resamples that draw {unit}"
