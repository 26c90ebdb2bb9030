"""The run that another run starts from."""

import json
import pathlib
from collections.abc import Mapping

from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.training.checkpoints import CHECKPOINTS, path_of, whole_steps
from dcrnn_tf.training.warm_start import Earlier, WarmStartError
from experiments.runs import run_folder, trained_runs

_NO_ARCHITECTURE = ("table_shards", "table_devices", "static_shapes", "frozen_fields")


def check_architecture(run_dir: str | pathlib.Path, config: Mapping) -> None:
    """Refuses to start a run of another model, or of another architecture of it.

    Args:
      run_dir: Folder of the run to start from.
      config: What the new run's config.json will hold.

    Raises:
      WarmStartError: The model or a setting of it differs.
      DatasetError: The folder is no run.
    """
    before = run_folder.read(run_dir, run_folder.CONFIG_FILE)
    now = json.loads(json.dumps(config))
    asked = [{"model": one["model"], **one["settings"]} for one in (before, now)]
    for name in sorted({*asked[0], *asked[1]} - {*_NO_ARCHITECTURE}):
        there, here = (settings.get(name) for settings in asked)
        if there != here:
            raise WarmStartError(
                f"--init_from={run_dir} holds a model with {name}={there!r}, and this one has "
                f"{name}={here!r}; repeat that run's settings, or start without it"
            )


def step_of(run_dir: str | pathlib.Path) -> int:
    """Returns the step that a run is carried on from: the best one by its monitor, or the last.

    Raises:
      DatasetError: The run has no checkpoint whose weights are whole.
    """
    folder = pathlib.Path(run_dir, CHECKPOINTS)
    steps = whole_steps(folder)
    if not steps:
        raise DatasetError(f"{run_dir} has no checkpoint to start from; train it first")
    if run_folder.read(run_dir, run_folder.CONFIG_FILE).get("monitor") is not None:
        return trained_runs.best_step(run_dir) or steps[-1]
    return steps[-1]


def describe(run_dir: str | pathlib.Path) -> dict[str, object]:
    """Returns what run.json says of it."""
    config = run_folder.read(run_dir, run_folder.CONFIG_FILE)
    fingerprint = config["dataset_fingerprint"]
    return {"run_dir": str(run_dir), "step": step_of(run_dir), "dataset_fingerprint": fingerprint}


def load(run_dir: str | pathlib.Path, data_dir: str | None = None) -> Earlier:
    """Finds a run's checkpoint and reads the vocabularies of its dataset.

    Args:
      run_dir: Folder of the run.
      data_dir: Its prepared dataset; where the run says by default.

    Raises:
      DatasetError: The folder is no run, has no checkpoint, or the dataset is another one.
    """
    config = run_folder.read(run_dir, run_folder.CONFIG_FILE)
    dataset = PreparedDataset(data_dir or config["data_dir"], config.get("fields"))
    if dataset.schema.fingerprint != config["dataset_fingerprint"]:
        raise DatasetError(
            f"{dataset.folder} is not the dataset that {run_dir} was trained on (fingerprints "
            "differ), so ids would mean something else; give that one as --init_data_dir"
        )
    checkpoint = path_of(pathlib.Path(run_dir, CHECKPOINTS), step_of(run_dir))
    schema = dataset.schema
    return Earlier(checkpoint, schema.fields, dataset.vocabularies(), schema.tasks)
