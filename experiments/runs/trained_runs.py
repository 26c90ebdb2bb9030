"""Loads the model of a run: built as for its training, with the weights of a checkpoint."""

import dataclasses
import pathlib
from collections.abc import Mapping

from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.training import evaluation, metrics_log
from dcrnn_tf.training.checkpoints import Checkpoints, numbered
from dcrnn_tf.training.trainer import METRICS_FILE
from experiments.runs import run_folder


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """A run's model and dataset, and the predictor of splits; `step` is that of the checkpoint."""

    config: Mapping
    model: models.MultiTaskModel
    dataset: PreparedDataset
    predictor: evaluation.Predictor
    positive_weights: Mapping[str, float]
    step: int


def load(
    run_dir: str | pathlib.Path,
    data_dir: str | None = None,
    step: int | None = None,
    mixed_precision: str | None = None,
) -> TrainedRun:
    """Loads a run of `experiments.train`.

    Args:
      run_dir: Folder of the run.
      data_dir: Folder of the prepared dataset; that of the run if not given.
      step: Step of the checkpoint; the newest if not given.
      mixed_precision: One of `run_folder.PRECISIONS`; as in training if not given.

    Raises:
      DatasetError: The folder is no run, has no checkpoint, or the dataset is another one.
    """
    run_dir = pathlib.Path(run_dir)
    config = run_folder.read_json(run_dir / run_folder.CONFIG_FILE)
    record = run_folder.read_json(run_dir / run_folder.RUN_FILE)
    for name, content, keys in (
        (run_folder.CONFIG_FILE, config, ("data_dir", "dataset_fingerprint", "model", "settings")),
        (run_folder.RUN_FILE, record, ("positive_weights",)),
    ):
        if missing := [key for key in keys if key not in content]:
            raise DatasetError(f"{run_dir / name} is damaged: it lacks {', '.join(missing)}")
    weights = record["positive_weights"]
    dataset = PreparedDataset(data_dir or config["data_dir"], config.get("fields"))
    if dataset.schema.fingerprint != config["dataset_fingerprint"]:
        raise DatasetError(
            f"{dataset.folder} is not the dataset that {run_dir} was trained on "
            "(fingerprints differ), so ids would mean something else; give that one as --data_dir"
        )
    run_folder.use_precision(mixed_precision or config.get("mixed_precision", "none"))
    model = models.build(config["model"], dataset.schema, **config["settings"])
    checkpoints = Checkpoints(
        run_dir / "checkpoints", numbered("model", model.variables), partial=True
    )
    step = checkpoints.restore(step)
    if step is None:
        raise DatasetError(f"{run_dir} has no checkpoint yet; train first")
    predictor = evaluation.Predictor(model, weights)
    return TrainedRun(config, model, dataset, predictor, weights, step)


def best_step(run_dir: str | pathlib.Path) -> int | None:
    """The step with the highest mean validation AUC over tasks among those with a checkpoint.

    Returns:
      The step; None where nothing was validated.

    Raises:
      DatasetError: The folder has no checkpoint.
    """
    steps = Checkpoints(pathlib.Path(run_dir, "checkpoints"), {}).steps()
    if not steps:
        raise DatasetError(f"{run_dir} has no checkpoint yet; train first")
    return metrics_log.best_step(metrics_log.read(pathlib.Path(run_dir, METRICS_FILE)), steps)
