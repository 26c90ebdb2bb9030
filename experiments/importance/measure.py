"""Permutation importance: how much worse a metric gets when a field's values are exchanged."""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from dcrnn_tf import metrics
from dcrnn_tf.models import probabilities
from dcrnn_tf.system.errors import UsageError
from dcrnn_tf.training import evaluation
from experiments.runs.trained_runs import TrainedRun
from experiments.tables.statistics import Interval, mean_interval


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows of a split, with features joined from entity tables and labels."""

    features: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(next(iter(self.labels.values())))


@dataclasses.dataclass(frozen=True)
class Importance:
    """What permuting a field does to a metric of a task.

    Attributes:
      field: Name of the field.
      task: Name of the task.
      metric: The metric.
      value: The metric of the rows as they are, mean over the parts.
      loss: How much worse the metric is with the field permuted, mean over the parts: above 0 where
        the model relies on the field.
      interval: 95 % t interval of the loss over the parts; None where it has none.
      parts: Number of parts in which the metric is defined.
    """

    field: str
    task: str
    metric: metrics.Metric
    value: float
    loss: float
    interval: Interval | None
    parts: int


def read(run: TrainedRun, split: str, most: int, parts: int) -> Rows:
    """Reads the first rows of a split.

    Args:
      run: The run.
      split: Name of the split.
      most: Largest number of rows.
      parts: Number of parts in which they are to be divided.

    Raises:
      DatasetError: There is no such split, or it is empty.
      UsageError: The split has fewer rows than parts.
    """
    features: dict[str, list[np.ndarray]] = {}
    labels: dict[str, list[np.ndarray]] = {}
    count = 0
    for batch, batch_labels in run.dataset.batches(split, 8192, joined=True, weighted=False):
        for columns, found in ((features, batch), (labels, batch_labels)):
            for name, column in found.items():
                columns.setdefault(name, []).append(column.numpy()[: most - count])
        count = sum(map(len, next(iter(labels.values()))))
        if count >= most:
            break
    if count < 2 * parts:
        raise UsageError(f"--parts={parts} is too many for the {count:,} rows of {split}")
    return Rows({name: _joined(cut) for name, cut in features.items()}, _concatenated(labels))


def importances(
    run: TrainedRun,
    rows: Rows,
    parts: int,
    seed: int,
    batch_size: int,
    progress: Callable[[int], object] = lambda fields: None,
) -> list[Importance]:
    """Measures the importance of each field for each task and metric.

    Args:
      run: The run.
      rows: Rows to measure it on.
      parts: Number of parts of the rows; a field's values are exchanged within each.
      seed: Seed of the permutations.
      batch_size: Number of rows that are scored at a time.
      progress: called with 1 for each pass over the rows.
    """
    ends = np.arange(parts + 1) * rows.count // parts
    before = _values(run, rows, rows.features, ends, batch_size)
    progress(1)
    found = []
    for number, field in enumerate(run.dataset.schema.fields):
        random = np.random.default_rng([seed, number])
        order = np.concatenate(
            [low + random.permutation(high - low) for low, high in itertools.pairwise(ends)]
        )
        columns = [field.name, *([field.weight_name] if field.weighted else [])]
        permuted = {name: rows.features[name][order] for name in columns}
        after = _values(run, rows, {**rows.features, **permuted}, ends, batch_size)
        found += _losses(field.name, before, after)
        progress(1)
    return found


def _values(
    run: TrainedRun,
    rows: Rows,
    features: Mapping[str, np.ndarray],
    ends: np.ndarray,
    batch_size: int,
) -> list[dict]:
    """Metrics of the tasks, part by part."""
    tasks = run.dataset.schema.tasks
    logits = run.predictor.score(features, batch_size)
    every = probabilities.with_derived(
        logits, run.model.derived_outputs(tasks), run.model.tasks_on_every_exposure
    )
    own = {task.name: np.asarray(every[task.name]) for task in tasks}
    return [
        evaluation.evaluate(
            {task: label[low:high] for task, label in rows.labels.items()},
            {task: values[low:high] for task, values in own.items()},
            tasks=tasks,
        )
        for low, high in itertools.pairwise(ends)
    ]


def _losses(field: str, before: Sequence[Mapping], after: Sequence[Mapping]) -> list[Importance]:
    found = []
    for task in before[0]:
        for metric in metrics.registered():
            pairs = [
                (old[task][metric.name], new[task][metric.name])
                for old, new in zip(before, after, strict=True)
                if metric.name in old[task]
            ]
            pairs = [(old, new) for old, new in pairs if old is not None and new is not None]
            if not pairs:
                continue
            losses = [metric.penalty(new) - metric.penalty(old) for old, new in pairs]
            value = float(np.mean([old for old, _ in pairs]))
            interval = mean_interval(losses)
            loss = float(np.mean(losses))
            found.append(Importance(field, task, metric, value, loss, interval, len(pairs)))
    return found


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """One column of several batches' ones, lists as wide as the widest."""
    if parts[0].ndim == 1:
        return np.concatenate(parts)
    width = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(p, ((0, 0), (0, width - p.shape[1]))) for p in parts])


def _concatenated(columns: Mapping[str, Sequence[np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate(parts) for name, parts in columns.items()}
