"""Versions of a served model in a folder, whole and tried, for TensorFlow Serving."""

import json
import os
import pathlib
from collections.abc import Callable

import tensorflow as tf

from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.serving import request_samples, trial, warmup
from dcrnn_tf.serving.serving_model import ServingModel
from dcrnn_tf.serving.signatures import name_inputs
from dcrnn_tf.system.folder_lock import FolderLock
from dcrnn_tf.system.plain_path import check_plain
from dcrnn_tf.system.whole_folder import whole_folder

HIGHEST_VERSION = 2**63 - 1  # that TensorFlow Serving can read
CLASSES_FILE = "classes.json"  # names of the columns of multiclass tasks' outputs, by task
EXTRA_FOLDER = "assets.extra"  # where TensorFlow Serving looks for warm-up requests


def next_version(export_dir: str | pathlib.Path) -> int:
    """One more than the highest version in a folder of exports, 1 for the first.

    Raises:
      DatasetError: the highest possible version is there.
    """
    last = last_version(export_dir)
    version = 1 if last is None else int(last.name) + 1
    check_version(version, export_dir)
    return version


def last_version(export_dir: str | pathlib.Path) -> pathlib.Path | None:
    """Returns the folder of the highest version in a folder of exports; None without any."""
    names = [path.name for path in pathlib.Path(export_dir).glob("*")]
    versions = [name for name in names if name.isascii() and name.isdecimal()]
    last = max((v for v in versions if int(v) <= HIGHEST_VERSION), default=None, key=int)
    return None if last is None else pathlib.Path(export_dir, last)


def save(
    serving_model: ServingModel,
    export_dir: str | pathlib.Path,
    version: int | None = None,
    write_extra: Callable[[pathlib.Path], None] = lambda folder: None,
    dataset: PreparedDataset | None = None,
    gate: Callable[[pathlib.Path, pathlib.Path], object] | None = None,
) -> pathlib.Path:
    """Writes `export_dir/version/`, whole or not at all.

    In its folder `assets.extra` are warm-up requests, samples of requests and a `models.config`.
    Before it gets its name the version is loaded and tried: its warm-up requests must give
    probabilities, and the first rows of the dataset those of the model in training.

    Args:
      serving_model: what to write.
      export_dir: folder of the model's versions, which TensorFlow Serving watches; made if need be.
        Its name is the model's name.
      version: a whole number from 1 that is not there yet; `next_version` if not given.
      write_extra: writes more files into the folder that it is given, `assets.extra`.
      dataset: that the model belongs to; without one only the warm-up requests are tried.
      gate: compares the version with the highest one that is there, whose folder is its second
        argument, and raises an error where that one is not to be replaced.

    Returns:
      The version's folder.

    Raises:
      DatasetError: the version exists, or is no number that TensorFlow Serving reads.
      ExportError: what was written does not give what the model in training gives.
      UserError: TensorFlow could not load a model from that path.
      FolderInUseError: another process exports there.
    """
    export_dir = pathlib.Path(export_dir)
    check_plain(export_dir, "export_dir")
    export_dir.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(export_dir / ".lock", export_dir)
    try:
        version = next_version(export_dir) if version is None else version
        check_version(version, export_dir)
        target = export_dir / str(version)
        # A server passes over folders whose names are no numbers.
        with whole_folder(target, export_dir / "next.partial") as partial:
            _write(serving_model, partial, export_dir.resolve().name, write_extra)
            _try(serving_model, partial, dataset)
            before = last_version(export_dir)
            if gate is not None and before and tf.saved_model.contains_saved_model(str(before)):
                gate(partial, before)
            _flush(partial)
        return target
    finally:
        lock.release()


def _write(
    serving_model: ServingModel,
    folder: pathlib.Path,
    name: str,
    write_extra: Callable[[pathlib.Path], None],
) -> None:
    tf.saved_model.save(serving_model, str(folder), signatures=serving_model.signatures())
    name_inputs(folder, serving_model.arguments)
    extra = folder / EXTRA_FOLDER
    extra.mkdir()
    warmup.write(extra, name, serving_model.samples())
    request_samples.write(extra, name, serving_model.samples(candidates=3))
    if serving_model.classes:
        text = json.dumps(serving_model.classes, ensure_ascii=False, indent=2) + "\n"
        (extra / CLASSES_FILE).write_text(text, encoding="utf-8")
    write_extra(extra)


def _try(
    serving_model: ServingModel, folder: pathlib.Path, dataset: PreparedDataset | None
) -> None:
    trials = [trial.Trial(*request) for request in warmup.read(folder / EXTRA_FOLDER)]
    if dataset is not None:
        trials += serving_model.trials(dataset)
    specs, arguments = serving_model.specs(), serving_model.arguments
    trial.check(folder, specs, arguments, serving_model.outputs, trials, serving_model.numbers)


def check_version(version: int, export_dir: str | pathlib.Path) -> None:
    """Refuses a version that cannot be written.

    Args:
      version: Number of the version.
      export_dir: Folder of the model's versions.

    Raises:
      DatasetError: The version exists, or is no number that TensorFlow Serving reads.
    """
    if not 1 <= version <= HIGHEST_VERSION:
        raise DatasetError(
            f"{version} cannot be a version in {export_dir}: TensorFlow Serving reads numbers from "
            f"1 to {HIGHEST_VERSION}; give a smaller one"
        )
    if (target := pathlib.Path(export_dir, str(version))).exists():
        raise DatasetError(
            f"{target} exists already; leave the version out to get {next_version(export_dir)}"
        )


def _flush(folder: pathlib.Path) -> None:
    """Makes sure that the files are on disk before their folder gets its name."""
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
