"""Ends a run of any model: evaluates its splits, writes curves, report and result."""

import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from dcrnn_tf.dataset.schema import Task
from dcrnn_tf.models.derived_outputs import DerivedOutput
from dcrnn_tf.system.whole_file import whole_file
from dcrnn_tf.training import evaluation
from dcrnn_tf.training.evaluation.row_groups import RowGroups
from experiments.runs import run_folder
from experiments.runs.pages import report

Columns = Mapping[str, np.ndarray]
"""Labels or logits of a split, `{task: (rows,)}`."""


def splits_of(evaluate_test: bool) -> Sequence[str] | None:
    """Returns the splits that a run reads; None for all of them."""
    return None if evaluate_test else ("train", "validation")


def evaluate(
    folder: pathlib.Path,
    predictions: Iterable[tuple[str, Columns, Columns]],
    derived_outputs: Sequence[DerivedOutput] = (),
    tasks: Sequence[Task] = (),
    weights: Callable[[str], Columns] = lambda split: {},
    groups: Callable[[str], RowGroups | None] = lambda split: None,
    keep_scores: bool = False,
) -> dict[str, dict]:
    """Evaluates splits one after the other, and writes the curves of the last one.

    Args:
      folder: Folder of the run.
      predictions: Name, labels and logits of each split.
      derived_outputs: Outputs of the model that follow from the logits of several tasks.
      tasks: Tasks of the dataset, which say where they are defined; others are binary.
      weights: Function of a split's name that returns the weights of its examples by output.
      groups: Function of a split's name that returns the groups of its rows.
      keep_scores: Whether labels and logits of the last split are written, as `scores` reads them.

    Returns:
      `{split: {task: {metric: value}}}`.
    """
    metrics = {}
    for split, labels, logits in predictions:
        columns = weights(split), groups(split)
        metrics[split] = evaluation.evaluate(labels, logits, derived_outputs, tasks, *columns)
    if metrics:
        curves = evaluation.curves(labels, logits, derived_outputs, tasks)
        run_folder.write_json(folder / run_folder.CURVES_FILE, curves)
        if keep_scores:
            _write_scores(folder / run_folder.SCORES_FILE, labels, logits)
    return metrics


def _write_scores(path: pathlib.Path, labels: Columns, logits: Columns) -> None:
    columns: dict[str, Any] = {"tasks": np.array(list(labels))}
    for number, task in enumerate(labels):
        columns |= {f"labels_{number}": labels[task], f"logits_{number}": logits[task]}
    with whole_file(path, "wb") as file:
        np.savez_compressed(file, **columns)


def scores(folder: pathlib.Path) -> dict[str, tuple[np.ndarray, np.ndarray]] | None:
    """Returns labels and logits of a run's last split, `{task: (labels, logits)}`.

    None for a run that has kept none.
    """
    path = folder / run_folder.SCORES_FILE
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as columns:
        return {
            str(task): (columns[f"labels_{number}"], columns[f"logits_{number}"])
            for number, task in enumerate(columns["tasks"])
        }


def finish(folder: pathlib.Path, result: Mapping[str, Any], paged: bool = True) -> None:
    """Writes the report, then the result, which makes the run a finished one, and prints both.

    Args:
      folder: Folder of the run.
      result: Content of `result.json`, with the `metrics` that `evaluate` returns.
      paged: Whether the report is written, whose pictures cost more than a small training.
    """
    page = report.write(folder, result) if paged else None
    run_folder.write_json(folder / run_folder.RESULT_FILE, result)
    for split, tasks in result["metrics"].items():
        for task, values in tasks.items():
            print(f"{split} {task}: {evaluation.sentence(values)}")
    if page is not None:
        print(f"Report: {page}")
