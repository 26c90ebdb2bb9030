"""The scores of rows, as named columns."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from data_prep.own_log.scoring.new_rows import NewChunk
from dcrnn_tf.system.errors import UsageError
from experiments.predict.models import ScoringModel


def columns(model: ScoringModel) -> list[str]:
    """Returns the names of the columns: outputs, of a multiclass task one for each class."""
    return [name for output in model.outputs for name in _names_of(model, output)]


def check_keys(model: ScoringModel, keys: Sequence[str]) -> None:
    """Refuses keys that have the name of a column of scores.

    Raises:
      UsageError: One has.
    """
    if both := [key for key in keys if key in columns(model)]:
        raise UsageError(f"--keys names {both[0]!r}, which is an output of the model; leave it out")


def of_chunk(model: ScoringModel, chunk: NewChunk, batch_size: int) -> pl.DataFrame:
    """Returns keys and scores of rows.

    Args:
      model: The model.
      chunk: The rows.
      batch_size: Number of rows that are scored at a time.
    """
    found = model.score(chunk.features, batch_size)
    scores = []
    for output in model.outputs:
        for number, name in enumerate(_names_of(model, output)):
            values = found[output] if found[output].ndim == 1 else found[output][:, number]
            scores.append(pl.Series(name, np.ascontiguousarray(values, np.float32)))
    return chunk.keys.with_columns(scores)


def _names_of(model: ScoringModel, output: str) -> list[str]:
    classes = {task.name: task.classes for task in model.schema.tasks}.get(output, ())
    return [f"{output}/{name}" for name in classes] or [output]
