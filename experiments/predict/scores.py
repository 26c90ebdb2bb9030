"""The scores of rows by a run's model, as named columns."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from data_prep.own_log.scoring.new_rows import NewChunk
from dcrnn_tf.system.errors import UsageError
from experiments.runs.trained_runs import TrainedRun


def columns(run: TrainedRun) -> list[str]:
    """Returns the names of the columns: outputs, of a multiclass task one for each class."""
    tasks = run.dataset.schema.tasks
    names = [name for task in tasks for name in _names_of(task.name, task.classes)]
    return names + [output.name for output in run.model.derived_outputs(tasks)]


def check_keys(run: TrainedRun, keys: Sequence[str]) -> None:
    """Refuses keys that have the name of a column of scores.

    Raises:
      UsageError: One has.
    """
    if both := [key for key in keys if key in columns(run)]:
        raise UsageError(f"--keys names {both[0]!r}, which is an output of the model; leave it out")


def of_chunk(run: TrainedRun, chunk: NewChunk, batch_size: int) -> pl.DataFrame:
    """Returns keys and scores of rows.

    Args:
      run: The run.
      chunk: The rows.
      batch_size: Number of rows that are scored at a time.
    """
    tasks = run.dataset.schema.tasks
    found = run.predictor.probabilities(chunk.features, tasks, batch_size)
    classes = {task.name: task.classes for task in tasks}
    scores = []
    for output, values in found.items():
        for number, name in enumerate(_names_of(output, classes.get(output, ()))):
            values_of = values if values.ndim == 1 else values[:, number]
            scores.append(pl.Series(name, np.ascontiguousarray(values_of, np.float32)))
    return chunk.keys.with_columns(scores)


def _names_of(task: str, classes: Sequence[str]) -> list[str]:
    return [f"{task}/{name}" for name in classes] or [task]
