"""Averages what a model explains of itself, such as its gates, over examples."""

import itertools
import math

import numpy as np

from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.models import MultiTaskModel

BATCH_ROWS = 1024


def collect(
    model: MultiTaskModel, dataset: PreparedDataset, split: str, rows: int = 4096
) -> dict[str, dict]:
    """Averages `model.explain` over the first rows of a split, which lie in random order.

    Args:
      model: Model, built.
      dataset: Dataset that the model is built for.
      split: Name of the split.
      rows: Number of examples to average over; all if there are fewer.

    Returns:
      `{name: {"rows": names, "columns": names, "mean": matrix, "std": matrix}}`, ready for JSON.
      `std` is the standard deviation over the examples, None where the quantity is the same for
      all. Empty where the model explains nothing.
    """
    explained: dict[str, list] = {}
    size = min(rows, BATCH_ROWS)
    batches = dataset.batches(split, size, weighted=False)
    for features, _ in itertools.islice(batches, math.ceil(rows / size)):
        for name, explanation in model.explain(features).items():
            explained.setdefault(name, []).append(explanation)
    return {name: _average(parts, rows) for name, parts in explained.items()}


def _average(parts: list, rows: int) -> dict:
    first = parts[0]
    content: dict = {"rows": list(first.rows), "columns": list(first.columns)}
    if len(first.values.shape) == 2:
        return content | {"mean": _matrix(first.values), "std": None}
    values = np.concatenate([np.asarray(part.values, np.float64) for part in parts])[:rows]
    return content | {"mean": _matrix(values.mean(axis=0)), "std": _matrix(values.std(axis=0))}


def _matrix(values: object) -> list[list[float]]:
    """The matrix as lists of numbers of six digits, which keep the file short."""
    matrix = np.asarray(values, np.float64)
    return [[float(f"{value:.6g}") for value in row] for row in matrix]
