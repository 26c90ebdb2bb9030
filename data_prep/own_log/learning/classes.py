"""The classes of multiclass tasks, counted in training rows, and the numbers that they get."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from dcrnn_tf.dataset.schema import MULTICLASS, Task

Labels = Mapping[str, np.ndarray]


def countable(labels: Labels, tasks: Sequence[Task]) -> dict[str, np.ndarray]:
    """Returns labels as numbers before classes have any: 0 where there is a class, else -1."""
    return {**labels, **{t: np.where(c.is_null(), -1, 0) for t, c in _classes(labels, tasks)}}


def class_counts(labels: Labels, tasks: Sequence[Task]) -> dict[str, dict[str, int]]:
    """Returns the numbers of rows by class, `{task: {class: rows}}`."""
    return {
        task: dict(column.drop_nulls().value_counts().iter_rows())
        for task, column in _classes(labels, tasks)
    }


def learned(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Returns classes in the order of their numbers, the most frequent first."""
    return tuple(sorted(counts, key=lambda name: (-counts[name], name)))


def extended_classes(before: Sequence[str], found: Sequence[str]) -> tuple[str, ...]:
    """Returns the classes of an extended dataset in their order, new ones behind them."""
    return (*before, *(name for name in found if name not in before))


def coded(labels: Labels, tasks: Sequence[Task]) -> dict[str, np.ndarray]:
    """Returns labels as they are stored: classes by their numbers, -1 of those without one."""
    classes = {task.name: task.classes for task in tasks}
    return {
        **labels,
        **{
            task: column.replace_strict(
                classes[task],
                pl.Series(range(len(classes[task])), dtype=pl.Int16),
                default=-1,
                return_dtype=pl.Int16,
            )
            .fill_null(-1)
            .to_numpy()
            for task, column in _classes(labels, tasks)
        },
    }


def _classes(labels: Labels, tasks: Sequence[Task]) -> list[tuple[str, pl.Series]]:
    names = [task.name for task in tasks if task.kind == MULTICLASS]
    # A list: of an array whose first class is None Polars would make a column of objects.
    return [(name, pl.Series(labels[name].tolist(), dtype=pl.String)) for name in names]
