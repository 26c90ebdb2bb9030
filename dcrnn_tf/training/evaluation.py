"""Predictions of a model over a split or over loose rows, and the exact metrics of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from dcrnn_tf import metrics
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import BINARY, MULTICLASS, REGRESSION, Task
from dcrnn_tf.distribution.distribution import Distribution
from dcrnn_tf.metrics.by_group.ranking import GroupedRanking
from dcrnn_tf.metrics.calibration_error import reliability
from dcrnn_tf.metrics.curves import roc_curve, score_histogram
from dcrnn_tf.models import MultiTaskModel, feature_specs, probabilities
from dcrnn_tf.models.derived_outputs import DerivedOutput, kinds
from dcrnn_tf.system.errors import UserError
from dcrnn_tf.training.row_groups import RowGroups

_PREDICTED = {BINARY: "logits", REGRESSION: "predictions", MULTICLASS: "class_logits"}
_LABEL_TYPES = {BINARY: np.int8, REGRESSION: np.float32, MULTICLASS: np.int16}


class EvaluationError(UserError):
    """Predictions of which no metrics can be computed."""


class Predictor:
    """Scores whole splits with one traced function.

    The weights that training gave to positives are taken off the logits again, and negatives that
    were left out are counted in, so that they are those of probabilities.

    Args:
      model: features in, `{task: logit (batch,)}` out.
      positive_weights: that the model was trained with, `{task: w}`.
      distribution: workers that share the batches of a split among them, each whole.

    Raises:
      DatasetError: A positive weight is no finite number above 0.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        positive_weights: Mapping[str, float],
        distribution: Distribution | None = None,
    ):
        self._derived_outputs = model.derived_outputs
        self._on_every_exposure = model.tasks_on_every_exposure
        self._distribution = distribution or Distribution()
        self._specs = feature_specs(model.fields)
        self._tasks = tasks = model.task_specs
        self._log_weights = log_weights = probabilities.log_weights(positive_weights, tasks)

        @tf.function(autograph=False)  # there is no control flow to convert
        def logits(features):
            return probabilities.unweighted(model(features, training=False), log_weights, tasks)

        self._logits = logits
        self._batches: dict[tuple, tf.data.Dataset] = {}

    def predict(
        self,
        dataset: PreparedDataset,
        split: str,
        batch_size: int = 4096,
        progress: Callable[[int], object] = lambda rows: None,
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Labels and logits of a split, each `{task: (rows,)}`, in the order on disk.

        In the place of logits, regression tasks have predictions on the scale of their labels.

        Derived outputs are there beside the tasks, with labels of their own.

        Raises:
          EvaluationError: a task of a derived output is positive where the one before it is not.
        """
        labels: dict[str, list] = {task: [] for task in self._log_weights}
        logits: dict[str, list] = {task: [] for task in self._log_weights}
        types = {task.name: _LABEL_TYPES[task.kind] for task in self._tasks}
        worker, workers = self._distribution.worker, self._distribution.workers
        # An evaluation after each epoch makes its pipeline once; to make it costs half a second.
        key = (id(dataset), split, batch_size)
        if key not in self._batches:
            self._batches[key] = dataset.batches(
                split, batch_size, every=(worker, workers), weighted=False
            )
        batches = self._batches[key]
        # Traced for batches of any size, whichever comes first: the same bits from every caller.
        score = self._logits.get_concrete_function(batches.element_spec[0])
        for features, batch_labels in batches:
            for task, values in score(features).items():
                logits[task].append(values.numpy())
                labels[task].append(batch_labels[task].numpy().astype(types[task]))
            progress(len(values))
        all_labels = {t: self._whole(parts, types[t], batch_size) for t, parts in labels.items()}
        all_logits = {t: self._whole(parts, np.float32, batch_size) for t, parts in logits.items()}
        derived_outputs = self._derived_outputs(dataset.schema.tasks)
        for output in derived_outputs:
            all_labels[output.name] = _derived_labels(output, all_labels, split)
        every = probabilities.with_derived(all_logits, derived_outputs, self._on_every_exposure)
        return all_labels, {name: np.asarray(logit) for name, logit in every.items()}

    def _whole(self, parts: list[np.ndarray], dtype: type, batch_size: int) -> np.ndarray:
        """All workers' batches in their order."""
        own = np.concatenate([np.empty((0, *parts[0].shape[1:]) if parts else 0, dtype), *parts])
        if self._distribution.workers == 1:
            return own
        flat = own.astype(np.float32).reshape(-1)
        gathered: np.ndarray = self._distribution.gather(flat).astype(dtype)
        gathered = gathered.reshape(-1, *own.shape[1:])
        worker = np.arange(len(gathered)) // batch_size % self._distribution.workers
        whole = np.empty_like(gathered)
        whole[np.argsort(worker, kind="stable")] = gathered
        return whole

    def score(
        self, features: Mapping[str, np.ndarray], batch_size: int = 4096
    ) -> dict[str, np.ndarray]:
        """Logits `{task: (rows,)}` of rows of no dataset.

        Args:
          features: `{field: (rows, ...)}`, as in a batch of a dataset without entity tables.
          batch_size: rows scored at a time.
        """
        specs = {name: spec for name, spec in self._specs.items() if name in features}
        score = self._logits.get_concrete_function(specs)
        logits: dict[str, list] = {task: [] for task in self._log_weights}
        rows = len(next(iter(features.values())))
        for start in range(0, rows, batch_size):
            batch = {
                name: tf.constant(features[name][start : start + batch_size], spec.dtype)
                for name, spec in specs.items()
            }
            for task, values in score(batch).items():
                logits[task].append(values.numpy())
        return {
            task: np.concatenate(parts) if parts else np.empty(0, np.float32)
            for task, parts in logits.items()
        }

    def probabilities(
        self,
        features: Mapping[str, np.ndarray],
        tasks: Sequence[Task] = (),
        batch_size: int = 4096,
    ) -> dict[str, np.ndarray]:
        """Probabilities `{output: float32 (rows,)}` of rows of no dataset, as an export gives them.

        Those of regression tasks are numbers on the scale of their labels.

        Args:
          features: As `score` takes them, such as a `RowEncoder` makes them of raw rows.
          tasks: Tasks of the dataset; those with `only_where` have a derived output, which is left
            out if they are not given.
          batch_size: Number of rows that are scored at a time.
        """
        logits = self.score(features, batch_size)
        derived_outputs = self._derived_outputs(tasks)
        every = probabilities.with_derived(logits, derived_outputs, self._on_every_exposure)
        shown = probabilities.shown(every, self._tasks, derived_outputs)
        return {name: np.asarray(values) for name, values in shown.items()}


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


def sentence(values: Mapping[str, float | int | None]) -> str:
    """Puts the metrics of one task, as `evaluate` gives them, in words."""
    if not values["rows"]:
        return "n/a (no rows)"
    words = [_words(metric, values) for metric in metrics.registered() if metric.name in values]
    on = values.get("measured_on") or values.get("population")
    rows = f"{values['rows']} rows" + (f" ({on})" if on else "")
    if "positives" in values:
        rows = f"{values['positives']} positives in {rows}"
    if "grouped_by" in values:
        rows += f", {values['groups']} groups by {values['grouped_by']}"
        rows += f" ({values['groups_of_one_class']} of one class, left out of the metrics by group)"
    return ", ".join([*words, rows])


def curves(
    labels: Mapping[str, np.ndarray],
    logits: Mapping[str, np.ndarray],
    derived_outputs: Sequence[DerivedOutput] = (),
    tasks: Sequence[Task] = (),
) -> dict:
    """Curves for plotting by task: `roc`, `scores`, `reliability`; of binary tasks with rows.

    The arguments are those of `evaluate`.
    """
    result = {}
    kind_of = kinds(tasks, derived_outputs)
    for task in labels:
        if kind_of.get(task, BINARY) != BINARY:
            continue
        label, logit = _where_defined(labels[task], logits[task])
        if not len(label):
            continue
        result[task] = {
            "roc": roc_curve(label, logit),
            "scores": score_histogram(label, logit),
            "reliability": reliability(label, logit),
        }
    return result


def _population(task: Task) -> str:
    """Returns the exposures on which a task is defined, in words; empty for all of them."""
    words = ["exposures"] if task.only_where or task.may_be_missing else []
    words += [f"where {task.only_where} is positive"] if task.only_where else []
    words += ["that have its label"] if task.may_be_missing else []
    return " ".join(words)


def _derived_labels(
    output: DerivedOutput, labels: Mapping[str, np.ndarray], split: str
) -> np.ndarray:
    contrary = int(np.sum((labels[output.task] > 0) & (labels[output.given] == 0)))
    if contrary:
        raise EvaluationError(
            f"{output.task} is positive where {output.given} is not in {contrary} rows of the "
            f"{split} split, so {output.name} means nothing; set the model's tasks_in_sequence to "
            "false"
        )
    return output.labels(labels)


def _where_defined(
    label: np.ndarray, logit: np.ndarray, kind: str = BINARY
) -> tuple[np.ndarray, np.ndarray]:
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
    columns["labels"], logits_there = _where_defined(labels, logits, kind)
    columns[_PREDICTED[kind]] = logits_there
    if weights is not None:
        columns["weights"] = _where_defined(labels, weights, kind)[1]
    if groups is not None:
        columns["groups"] = _where_defined(labels, groups.numbers, kind)[1]
    if groups is not None and kind == BINARY:
        columns["ranking"] = GroupedRanking(columns["labels"], logits_there, columns["groups"])
    return columns


def _values(columns: Mapping[str, Any], kind: str, groups: RowGroups | None) -> dict[str, Any]:
    """All metrics of rows where a task is defined, then how many rows and positives there are."""
    counts: dict[str, Any] = {"rows": len(columns["labels"])}
    if kind == BINARY:
        counts["positives"] = int(np.sum(columns["labels"] > 0))
    if groups is not None and kind == BINARY:
        counts["grouped_by"] = groups.name
        counts |= {name: getattr(columns["ranking"], name) for name in metrics.GROUP_COUNTS}
    return metrics.compute(columns, kind) | counts


def _words(metric: metrics.Metric, values: Mapping[str, float | int | None]) -> str:
    """A metric's label and value, with that of its reference."""
    if (value := values[metric.name]) is None:
        one_class = values.get("positives", 1) in (0, values["rows"])
        return f"{metric.label} n/a" + (" (one class only)" if one_class else "")
    words = f"{metric.label} {value:{metric.form}}"
    if metric.reference and (reference := values[metric.reference.name]) is not None:
        words += f" (constant {reference:{metric.form}})"
    return words
