"""A model as a SavedModel: raw features in, named probabilities out, for TensorFlow Serving."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.schema import DatasetError, Schema
from dcrnn_tf.models import MultiTaskModel
from dcrnn_tf.serving.raw_features import RawFeatures
from dcrnn_tf.serving.signatures import argument_names, name_inputs, named_inputs
from dcrnn_tf.system.folder_lock import FolderLock
from dcrnn_tf.system.plain_path import check_plain
from dcrnn_tf.system.whole_folder import whole_folder

USER = "user"
EXAMPLES = "examples"
EXTRA_FOLDER = "assets.extra"  # where TensorFlow Serving looks for warm-up requests


class ServingModel(tf.Module):
    """Raw features to probabilities, with the vocabularies inside.

    Signatures, all of them with the outputs of `output_names`, float32 `(batch,)` each:

    - `serving_default`: an input per field, as `RawFeatures.specs` has them. Inputs that are left
      out are missing values; an input with one row counts for all rows.
    - `serve_examples`: serialized `tf.Example`s, one input `examples`.
    - `rank`: one user and n candidates. The user's fields have one row and are looked up and pooled
      once, the others n rows. n users are one for each candidate.

    A task's output is its probability; that of a task defined only where another one is positive
    is the probability given that one. Derived outputs are there by their names: such a task's
    `TASK_per_exposure`, and `TASK_after_GIVEN` of a model whose tasks are in sequence.

    Args:
      model: trained.
      schema: of its dataset.
      vocabularies: `{field: raw ids}`, as `RawFeatures` takes them.
      positive_weights: that the model was trained with, `{task: w}`; log w is taken off its logits.
      user_fields: Fields of the user; without them there is no `rank`.

    Raises:
      DatasetError: there is no such field, or no other one; or as `RawFeatures`.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        schema: Schema,
        vocabularies: Mapping[str, np.ndarray],
        positive_weights: Mapping[str, float],
        user_fields: Sequence[str] = (),
    ):
        super().__init__(name="serving_model")
        names = [field.name for field in schema.fields]
        if unknown := sorted(set(user_fields) - set(names)):
            raise DatasetError(f"the model has no field {', '.join(unknown)} to be the user's")
        if user_fields and not set(names) - set(user_fields):
            raise DatasetError("all fields are the user's, so that no two candidates differ")
        self._user_fields = [name for name in names if name in user_fields]
        self._candidate_fields = [name for name in names if name not in user_fields]
        self.tasks = schema.tasks
        self.derived_outputs = model.derived_outputs(schema.tasks)
        self._shift = {task: float(np.log(weight)) for task, weight in positive_weights.items()}
        self.raw_features = RawFeatures(schema, vocabularies)
        copy = _with_user(model, self._user_fields)
        # The variables alone: of a Keras model more would be saved than a server needs.
        self.weights = tuple(variable.value for variable in copy.variables)
        self._logits = lambda features: copy(features, training=False)
        self._rank_logits = copy.rank_logits

    def __call__(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Probabilities of a batch of raw inputs."""
        return self._probabilities(self._logits(self.raw_features.encode(raw)))

    def examples(self, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        """Probabilities of serialized `tf.Example`s."""
        return self(self.raw_features.parse(serialized))

    def rank(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Probabilities of one user's candidates, or of a candidate each of as many users."""
        user = self.raw_features.encode(raw, self._user_fields)
        candidates = self.raw_features.encode(raw, self._candidate_fields)
        users, count = (tf.shape(next(iter(part.values())))[0] for part in (user, candidates))
        # A server that batches puts requests of one candidate together, each with its user.
        row = tf.where(users == 1, 0, tf.range(count))
        return self._probabilities(self._rank_logits(user | candidates | {f"{USER}_row": row}))

    def signatures(self) -> dict[str, tf.types.experimental.PolymorphicFunction]:
        """The functions behind the signatures, by name."""
        raw, names = self.raw_features, self.arguments
        signatures = {"serving_default": named_inputs(self, raw.specs(), names, raw.defaults())}
        examples = {EXAMPLES: tf.TensorSpec((None,), tf.string)}
        signatures["serve_examples"] = named_inputs(
            lambda i: self.examples(i[EXAMPLES]), examples, {EXAMPLES: EXAMPLES}
        )
        if self._user_fields:
            specs = raw.specs(self._user_fields) | raw.specs(self._candidate_fields)
            signatures["rank"] = named_inputs(self.rank, specs, names, raw.defaults())
        return signatures

    @property
    def arguments(self) -> dict[str, str]:
        """The argument of each input when the signatures are called in Python, by input."""
        return argument_names(self.raw_features.specs())

    def samples(self, candidates: int = 100) -> dict[str, dict[str, np.ndarray]]:
        """Inputs to try each signature with, `{signature: {input: array}}`.

        Args:
          candidates: of `rank`; the other signatures get one row.
        """
        row = self.raw_features.samples()
        samples = {
            "serving_default": row,
            "serve_examples": {EXAMPLES: np.array([serialize(row)], object)},
        }
        if self._user_fields:
            rows = self.raw_features.samples(self._candidate_fields, candidates)
            samples["rank"] = self.raw_features.samples(self._user_fields) | rows
        return samples

    def _probabilities(self, logits: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        corrected = {
            task.name: tf.cast(logits[task.name], tf.float32) - self._shift[task.name]
            for task in self.tasks
        }
        for output in self.derived_outputs:
            corrected[output.name] = output.logit(corrected)
        return {name: tf.sigmoid(logit) for name, logit in corrected.items()}


def next_version(export_dir: str | pathlib.Path) -> int:
    """One more than the highest version in a folder of exports, 1 for the first."""
    versions = [int(p.name) for p in pathlib.Path(export_dir).glob("*") if p.name.isdecimal()]
    return max(versions, default=0) + 1


def save(
    serving_model: ServingModel,
    export_dir: str | pathlib.Path,
    version: int | None = None,
    write_extra: Callable[[pathlib.Path], None] = lambda folder: None,
) -> pathlib.Path:
    """Writes `export_dir/version/`, whole or not at all.

    Args:
      serving_model: what to write.
      export_dir: folder of the model's versions, which TensorFlow Serving watches; made if need be.
      version: a whole number from 1 that is not there yet; `next_version` if not given.
      write_extra: writes more files into the folder that it is given, `assets.extra`.

    Returns:
      The version's folder.

    Raises:
      DatasetError: the version exists.
      UserError: TensorFlow could not load a model from that path.
      FolderInUseError: another process exports there.
    """
    export_dir = pathlib.Path(export_dir)
    check_plain(export_dir, "export_dir")
    export_dir.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(export_dir / ".lock", export_dir)
    try:
        version = next_version(export_dir) if version is None else version
        return _save(serving_model, export_dir, version, write_extra)
    finally:
        lock.release()


def _save(
    serving_model: ServingModel,
    export_dir: pathlib.Path,
    version: int,
    write_extra: Callable[[pathlib.Path], None],
) -> pathlib.Path:
    target = export_dir / str(version)
    if target.exists():
        raise DatasetError(
            f"{target} exists already; leave the version out to get {next_version(export_dir)}"
        )
    # A server passes over folders whose names are no numbers.
    with whole_folder(target, export_dir / "next.partial") as partial:
        signatures = serving_model.signatures()
        tf.saved_model.save(serving_model, str(partial), signatures=signatures)
        name_inputs(partial, serving_model.arguments)
        extra = partial / EXTRA_FOLDER
        extra.mkdir()
        write_extra(extra)
        _flush(partial)
    return target


def _with_user(model: MultiTaskModel, user_fields: Sequence[str]) -> MultiTaskModel:
    """The model with the user's fields, and no others, in an entity table named `user`."""
    fields = [
        dataclasses.replace(field, entity=USER if field.name in user_fields else None)
        for field in model.fields
    ]
    copy = type(model).from_config(
        model.get_config()
        | {"fields": [dataclasses.asdict(field) for field in fields], "table_devices": None}
    )
    copy.build()
    for variable, trained in zip(copy.variables, model.variables, strict=True):
        variable.assign(trained)
    return copy


def serialize(row: Mapping[str, np.ndarray]) -> bytes:
    """One row of inputs as a serialized `tf.Example`, as `serve_examples` takes it.

    Args:
      row: `{input: one value, or the values of a list}`.
    """
    features = {}
    for name, values in row.items():
        values = np.ravel(values)
        if not values.size:  # its type is not to be trusted: NumPy makes floats of an empty list
            continue
        if values.dtype.kind in "OU":
            kind = {"bytes_list": tf.train.BytesList(value=[text.encode() for text in values])}
        elif values.dtype.kind == "i":
            kind = {"int64_list": tf.train.Int64List(value=values)}
        else:
            kind = {"float_list": tf.train.FloatList(value=values)}
        features[name] = tf.train.Feature(**kind)
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def _flush(folder: pathlib.Path) -> None:
    """Makes sure that the files are on disk before their folder gets its name."""
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
