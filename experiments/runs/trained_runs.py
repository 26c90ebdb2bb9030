"""Loads the model of a run: built as for its training, with the weights of a checkpoint."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np

from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError, Schema
from dcrnn_tf.training import evaluation, metrics_log
from dcrnn_tf.training.checkpoints import CHECKPOINTS, Checkpoints, numbered
from dcrnn_tf.training.metric_address import MEAN_PRIMARY, MetricAddress
from dcrnn_tf.training.metrics_log import METRICS_FILE
from dcrnn_tf.training.weight_average import averaged
from experiments.runs import run_folder

LAST = "last"
"""In the place of a step: that of the newest checkpoint that can be read."""


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """A run's model and dataset, and the predictor of splits; `step` is that of the checkpoint."""

    config: Mapping
    model: models.MultiTaskModel
    dataset: PreparedDataset
    predictor: evaluation.Predictor
    positive_weights: Mapping[str, float]
    step: int

    def probabilities(self, features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns probabilities of rows, float32 `(rows,)` by output, as an export gives them.

        Args:
          features: Features of the rows, such as a `RowEncoder` makes them of raw ones.
        """
        return self.predictor.probabilities(features, self.dataset.schema.tasks)


def load(
    run_dir: str | pathlib.Path,
    data_dir: str | None = None,
    step: int | str | None = None,
    mixed_precision: str | None = None,
) -> TrainedRun:
    """Loads a run of `experiments.train`.

    Args:
      run_dir: Folder of the run.
      data_dir: Folder of the prepared dataset; that of the run if not given.
      step: Step of the checkpoint, or `last` for the newest; if not given, the best one of a run
        that monitors a metric, else the newest.
      mixed_precision: One of `forms.PRECISIONS`; as in training if not given.

    Raises:
      DatasetError: The folder is no run, has no checkpoint, or the dataset is another one.
    """
    run_dir = pathlib.Path(run_dir)
    config = run_folder.read(run_dir, run_folder.CONFIG_FILE)
    weights = run_folder.read(run_dir, run_folder.RUN_FILE)["positive_weights"]
    with _naming(run_dir / run_folder.CONFIG_FILE):
        dataset = PreparedDataset(data_dir or config["data_dir"], config.get("fields"))
    if dataset.schema.fingerprint != config["dataset_fingerprint"]:
        raise DatasetError(
            f"{dataset.folder} is not the dataset that {run_dir} was trained on "
            "(fingerprints differ), so ids would mean something else; give that one as --data_dir"
        )
    if set(weights) != set(dataset.schema.task_names):
        raise DatasetError(
            f"{run_dir / run_folder.RUN_FILE} has positive_weights of {', '.join(weights)}, "
            f"expected those of {', '.join(dataset.schema.task_names)}; copy the run's folder again"
        )
    run_folder.use_precision(mixed_precision or config.get("mixed_precision") or "none")
    with _naming(run_dir / run_folder.CONFIG_FILE):
        model = build(config, dataset.schema)
    variables = numbered("model", model.variables)
    if config.get("weight_average"):
        variables = averaged(model)
    checkpoints = Checkpoints(run_dir / CHECKPOINTS, variables, partial=True)
    if step is None and config.get("monitor") is not None:
        step = best_step(run_dir)
    restored = checkpoints.restore(step if isinstance(step, int) else None)
    if restored is None:
        raise DatasetError(f"{run_dir} has no checkpoint yet; train first")
    predictor = evaluation.Predictor(model, weights)
    return TrainedRun(config, model, dataset, predictor, weights, restored)


def load_chosen(
    run_dir: str | pathlib.Path,
    data_dir: str | None,
    checkpoint: int | str,
    mixed_precision: str | None = None,
) -> TrainedRun:
    """Loads a run with the checkpoint that `run_folder.checkpoint_of` returns.

    The best one is the newest where nothing was validated. The other arguments are those of `load`.
    """
    step = best_step(run_dir) if checkpoint == "best" else checkpoint
    return load(run_dir, data_dir, LAST if step is None else step, mixed_precision)


def build(config: Mapping, schema: Schema) -> models.MultiTaskModel:
    """Builds the model that a run's `config.json` asks for.

    Raises:
      ModelError: It cannot be built for the dataset.
    """
    return models.build(config["model"], schema, **config["settings"])


@contextlib.contextmanager
def _naming(path: pathlib.Path) -> Iterator[None]:
    """Adds the file that asks for it to errors of what cannot be built."""
    try:
        yield
    except (DatasetError, models.ModelError) as error:
        raise type(error)(f"{error} (asked for by {path})") from None


def best_step(run_dir: str | pathlib.Path) -> int | None:
    """Returns the step that counts among those with a checkpoint.

    That is the best one by the metric that the run monitors; by the mean over the tasks of the
    primary metric on the validation split, AUC for most, where it monitors none.

    Returns:
      The step; None where nothing was validated.

    Raises:
      DatasetError: The folder has no checkpoint.
    """
    run_dir = pathlib.Path(run_dir)
    steps = Checkpoints(run_dir / CHECKPOINTS, {}).steps()
    if not steps:
        raise DatasetError(f"{run_dir} has no checkpoint yet; train first")
    config = run_folder.read_if_there(run_dir, run_folder.CONFIG_FILE) or {}
    monitor = config.get("monitor")
    address = MEAN_PRIMARY if monitor is None else MetricAddress.parse(monitor)
    return metrics_log.best_step(metrics_log.read(run_dir / METRICS_FILE), steps, address)
