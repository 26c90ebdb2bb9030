"""Predictions of a model over a split or over loose rows, without the weights of training."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import BINARY, MULTICLASS, REGRESSION, Task
from dcrnn_tf.distribution.distribution import Distribution
from dcrnn_tf.models import MultiTaskModel, feature_specs, probabilities
from dcrnn_tf.models.derived_outputs import DerivedOutput
from dcrnn_tf.training.evaluation.errors import EvaluationError

_LABEL_TYPES = {BINARY: np.int8, REGRESSION: np.float32, MULTICLASS: np.int16}


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
        self._batches: dict[tuple, tuple[PreparedDataset, tf.data.Dataset]] = {}

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
        key = (id(dataset), split, batch_size)  # of a dataset that stays, so that its id does
        if key not in self._batches:
            every = (worker, workers)
            made = dataset.batches(split, batch_size, every=every, weighted=False)
            self._batches[key] = (dataset, made)
        _, batches = self._batches[key]
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
        every_output = probabilities.with_derived(
            all_logits, derived_outputs, self._on_every_exposure
        )
        return all_labels, {name: np.asarray(logit) for name, logit in every_output.items()}

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
