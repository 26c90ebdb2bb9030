"""What other test rows would give: DeLong's intervals of differences, from the kept scores."""

from collections.abc import Mapping, Sequence

import numpy as np

from dcrnn_tf.metrics.intervals.delong import auc_difference
from dcrnn_tf.system.errors import UserError
from experiments.runs import finish
from experiments.runs.run import Run
from experiments.tables.result import TableResult

Intervals = Mapping[tuple[str, str], tuple[float, float]]
"""Ends of intervals, by the model's label and the task."""


def intervals(result: TableResult) -> Intervals:
    """Returns 95 % intervals of each model's mean AUC minus the baseline's, over test rows.

    A model or task without kept scores, or that is not ranked by the AUC, has none.

    Raises:
      UserError: Runs have scored other rows than the baseline's.
    """
    baseline = next((r for r in result.rows if r.row.label == result.table.baseline), None)
    tasks = [task for task in result.table.tasks if result.primary(task).name == "auc"]
    if baseline is None or not (theirs := _scores(baseline.runs, tasks)):
        return {}
    found = {}
    for row in result.rows:
        if row is baseline or not (ours := _scores(row.runs, tasks)):
            continue
        for task, (labels, scores) in ours.items():
            if not np.array_equal(labels, theirs[task][0]):
                raise UserError(
                    f"{row.runs[0].folder} has scored other test rows of {task} than "
                    f"{baseline.runs[0].folder}; remove the seed_* folders of one of them"
                )
            difference = auc_difference(labels, scores, theirs[task][1])
            if difference is not None:
                found[row.row.label, task] = difference[1]
    return found


def _scores(runs: Sequence[Run], tasks: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns labels and the runs' scores of the rows where a task is defined, `{task: ...}`."""
    kept = [scores for run in runs if (scores := finish.scores(run.folder)) is not None]
    if not kept or len(kept) < len(runs):
        return {}
    found = {}
    for task in tasks:
        labels = kept[0][task][0]
        defined = labels >= 0
        found[task] = labels[defined], np.array([scores[task][1][defined] for scores in kept])
    return found
