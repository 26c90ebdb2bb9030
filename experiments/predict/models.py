"""The models that score rows: that of a run, or an exported one."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.schema import DatasetError, Schema, load_schema
from dcrnn_tf.serving.export import EXTRA_FOLDER
from dcrnn_tf.serving.signatures import argument_names
from experiments.runs import trained_runs

Features = Mapping[str, np.ndarray]
SIGNATURE = "serving_default"


@dataclasses.dataclass(frozen=True)
class ScoringModel:
    """A model that scores rows.

    Attributes:
      schema: Schema of its dataset.
      folder: Folder of the schema.
      outputs: Names of its outputs, in their order.
      identity: What tells it from other models, as JSON.
      raw: Whether it takes raw values rather than encoded ones.
      score: Function of features and of the number of rows that are scored at a time; returns
        probabilities and numbers by output.
    """

    schema: Schema
    folder: pathlib.Path
    outputs: Sequence[str]
    identity: Mapping[str, object]
    raw: bool
    score: Callable[[Features, int], Mapping[str, np.ndarray]]


def of_run(run_dir: str, data_dir: str | None, checkpoint: int | str) -> ScoringModel:
    """Returns the model of a run; the arguments are those of `trained_runs.load_chosen`."""
    run = trained_runs.load_chosen(run_dir, data_dir, checkpoint)
    tasks = run.dataset.schema.tasks
    outputs = [*(task.name for task in tasks)]
    outputs += [output.name for output in run.model.derived_outputs(tasks)]
    identity = {
        "run": str(pathlib.Path(run_dir).resolve()),
        "step": run.step,
        "dataset": run.dataset.schema.fingerprint,
    }
    return ScoringModel(
        run.dataset.schema,
        run.dataset.folder,
        outputs,
        identity,
        False,
        lambda features, batch_size: run.predictor.probabilities(features, tasks, batch_size),
    )


def of_export(export_dir: str, version: int | None = None) -> ScoringModel:
    """Returns an exported model.

    Args:
      export_dir: Folder of the model's versions.
      version: Number of the version; the highest one by default.

    Raises:
      DatasetError: There is no such version.
    """
    numbers = [int(p.name) for p in pathlib.Path(export_dir).glob("*") if p.name.isdecimal()]
    if not numbers or (version is not None and version not in numbers):
        which = "version" if version is None else f"version {version}"
        raise DatasetError(f"{export_dir} holds no {which} of an exported model")
    folder = pathlib.Path(export_dir, str(max(numbers) if version is None else version))
    schema = load_schema(folder / EXTRA_FOLDER)
    loaded = tf.saved_model.load(str(folder))
    serve = loaded.signatures[SIGNATURE]
    names = [name for f in schema.fields for name in (f.name, f.weight_name)[: 1 + f.weighted]]
    arguments = argument_names(names)
    found = serve.structured_outputs
    tasks = [task.name for task in schema.tasks]
    outputs = [*tasks, *(name for name in found if name not in tasks)]

    def score(features: Features, batch_size: int) -> dict[str, np.ndarray]:
        rows = len(next(iter(features.values())))
        parts: dict[str, list[np.ndarray]] = {name: [] for name in outputs}
        for start in range(0, max(rows, 1), batch_size):
            batch = {
                arguments[name]: tf.constant(
                    column[start : start + batch_size],
                    tf.string if column.dtype == object else column.dtype,
                )
                for name, column in features.items()
            }
            for name, values in serve(**batch).items():
                parts[name].append(values.numpy())
        return {name: np.concatenate(values) for name, values in parts.items()}

    identity = {"export": str(folder.resolve()), "dataset": schema.fingerprint}
    return ScoringModel(schema, folder / EXTRA_FOLDER, outputs, identity, True, score)
