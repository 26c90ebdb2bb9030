"""Writes the SavedModels of the serving benchmark, and ids to call them with.

python -m benchmarks.export_models --workload=FOLDER --model=mmoe --user_fields=13 --out_dir=EXPORTS
"""

import dataclasses
import pathlib

import numpy as np

from benchmarks import requests, workload
from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting
from experiments.runs import forms, run_folder

MOST_ROWS = 4096  # of a request


def write(
    data: pathlib.Path,
    model_name: str,
    user_fields: int,
    out_dir: pathlib.Path,
    mixed_precision: str = "none",
) -> None:
    """Writes a model with its initial weights.

    `MODEL/1` takes raw ids, as what `experiments.export` makes of a trained run. `MODEL_encoded` is
    the model alone, rows of the embedding tables in. `raw_ids.npy` and `encoded_ids.npy` hold the
    same rows for the one and for the other, int64 and int32 `(rows, fields)`.

    Args:
      data: folder that `benchmarks.workload` has made.
      model_name: one of `workload.MODELS`.
      user_fields: Number of first fields that are the user's in `rank`.
      out_dir: Folder of the exports.
      mixed_precision: one of `forms.PRECISIONS`; but for `none` it is in the folders' names.
    """
    import keras
    import tensorflow as tf

    from dcrnn_tf import models
    from dcrnn_tf.dataset.reader import PreparedDataset
    from dcrnn_tf.serving import export
    from dcrnn_tf.serving.serving_model import ServingModel

    out_dir.mkdir(parents=True, exist_ok=True)
    schema = PreparedDataset(data / "prepared").schema
    names = [field.name for field in schema.fields]
    sizes, ids, _ = workload.load(data)
    vocabularies = raw_vocabularies(sizes)
    encoded = ids[: requests.REQUESTS * MOST_ROWS]
    np.save(out_dir / "encoded_ids.npy", encoded)
    np.save(out_dir / "raw_ids.npy", raw_ids(encoded, vocabularies))

    keras.utils.set_random_seed(1)
    run_folder.use_precision(mixed_precision)
    kind, settings = workload.MODELS[model_name]
    if mixed_precision != "none":
        model_name += f"_{mixed_precision}"
    model = models.build(kind, schema, embedding_dim=workload.EMBEDDING_DIM, **settings)
    serving_model = ServingModel(
        model,
        schema,
        dict(zip(names, vocabularies, strict=True)),
        {task.name: 1.0 for task in schema.tasks},
        names[:user_fields],
    )
    export.save(serving_model, out_dir / model_name, 1)

    alone = tf.Module()
    alone.weights = tuple(variable.value for variable in model.variables)
    specs = {name: tf.TensorSpec((None,), tf.int32, name) for name in names}

    @tf.function(input_signature=[specs])
    def probabilities(features):
        logits = model(features, training=False)
        return {task: tf.sigmoid(logit) for task, logit in logits.items()}

    tf.saved_model.save(alone, str(out_dir / f"{model_name}_encoded"), signatures=probabilities)


def raw_vocabularies(sizes: list[int]) -> list[np.ndarray]:
    """For each field made-up ids of 63 bits, in the order of their rows, which begin at 2."""
    random = np.random.default_rng(1)
    vocabularies = []
    for size in sizes:
        ids = np.unique(random.integers(2**63 - 1, size=size))
        # Two more than there are rows for ids: should two be the same, there are enough.
        vocabularies.append(random.permutation(ids)[: size - 2])
    return vocabularies


def raw_ids(rows: np.ndarray, vocabularies: list[np.ndarray]) -> np.ndarray:
    """The ids that encode to given rows of the tables, both `(rows, fields)`.

    Row 0 is that of a missing id, -1, and row 1 that of an unknown one.
    """
    columns = []
    for number, ids in enumerate(vocabularies):
        columns.append(np.concatenate([[-1, -2], ids])[rows[:, number]])
    return np.stack(columns, axis=1)


_MODELS = tuple(workload.MODELS)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which model is written."""

    workload: str = required("Folder that benchmarks.workload has made.")
    out_dir: str = required("Folder of the SavedModels.")
    model: str = setting("mmoe", "Name of the model.", choices=_MODELS)
    user_fields: int = setting(13, "Number of the first fields, which are the user's in `rank`.")
    mixed_precision: str = setting("none", "Type of the products.", choices=forms.PRECISIONS)


def main(settings: Settings) -> None:
    """Runs the program."""
    write(
        pathlib.Path(settings.workload),
        settings.model,
        settings.user_fields,
        pathlib.Path(settings.out_dir),
        settings.mixed_precision,
    )


if __name__ == "__main__":
    command_line.run(main, Settings)
