"""Makes, locks and describes run folders, which hold all that is needed to repeat a run."""

import atexit
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dcrnn_tf.system import code_identity, json_form
from dcrnn_tf.system.errors import DatasetError, UsageError
from dcrnn_tf.system.folder_lock import FolderLock
from dcrnn_tf.system.whole_file import PARTIAL_SUFFIX, whole_file
from experiments.runs import forms

if TYPE_CHECKING:
    from dcrnn_tf.dataset.schema import Schema

CONFIG_FILE = "config.json"
RUN_FILE = "run.json"
RESULT_FILE = "result.json"
CURVES_FILE = "curves.json"
EXPLANATION_FILE = "explanation.json"
EVALUATION_FILE = "evaluation.json"
SCORES_FILE = "scores.npz"
LOCK_FILE = "lock"
FORMS: Mapping[str, json_form.Form] = {
    CONFIG_FILE: forms.CONFIG,
    RUN_FILE: forms.RUN,
    RESULT_FILE: forms.RESULT,
    CURVES_FILE: forms.CURVES,
    EXPLANATION_FILE: forms.EXPLANATION,
    EVALUATION_FILE: forms.EVALUATION,
}
_REMEDY = "copy the run's folder again, or make the run again in another one"
_PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "polars", "scikit-learn", "scipy")


_locks: dict[pathlib.Path, FolderLock] = {}  # locks of the folders that this process has opened


def open_run(
    run_dir: str | pathlib.Path,
    config: Mapping[str, object],
    defaults: Mapping[str, object] | None = None,
) -> pathlib.Path:
    """Makes a run folder for these settings, or takes up the one that exists.

    The folder is locked until this process ends or calls `close_run`.

    Args:
      run_dir: Folder of the run.
      config: Settings that decide the run's result. When a run is taken up, `data_dir` may differ,
        `dataset_fingerprint` may not.
      defaults: Values of the settings that the config of a run of earlier code may lack.

    Raises:
      DatasetError: The folder holds a run with other settings, or something that is no run.
      FolderInUseError: Another process has opened the folder.
    """
    run_dir = pathlib.Path(run_dir)
    path = run_dir / CONFIG_FILE
    config = json.loads(json.dumps(config))
    leftovers = {LOCK_FILE, CONFIG_FILE + PARTIAL_SUFFIX}  # of a process that was killed right here
    found = {entry.name for entry in run_dir.iterdir()} if run_dir.exists() else set()
    if found - leftovers and CONFIG_FILE not in found:
        raise DatasetError(f"{run_dir} is not empty and holds no {CONFIG_FILE}; choose another")
    run_dir.mkdir(parents=True, exist_ok=True)
    _lock(run_dir)
    if not path.exists():
        write_json(path, config)
        return run_dir
    missing = json.loads(json.dumps(dict(defaults or {})))
    before = missing | json_form.read(path, json_form.OBJECT, _REMEDY)
    names = sorted((set(before) | set(config)) - {"data_dir"})
    other = [n for n in names if before.get(n) != config.get(n)]
    if other:
        close_run(run_dir)
        listed = "; ".join(f"{n} was {before.get(n)!r}, now {config.get(n)!r}" for n in other)
        raise DatasetError(
            f"{run_dir} holds a run with other settings ({listed}); "
            "choose another run_dir or repeat the settings"
        )
    return run_dir


def close_run(run_dir: str | pathlib.Path) -> None:
    """Unlocks the folder for other processes."""
    if lock := _locks.pop(pathlib.Path(run_dir).resolve(), None):
        lock.release()


def _lock(run_dir: pathlib.Path) -> None:
    if (folder := run_dir.resolve()) not in _locks:
        _locks[folder] = FolderLock(run_dir / LOCK_FILE, run_dir)
        atexit.register(close_run, folder)


def describe(
    schema: "Schema", parameters: Mapping[str, int | None], positive_weights: Mapping
) -> dict:
    """The content of `run.json`: versions, machine, dataset, numbers of parameters."""
    # TensorFlow comes with it, which other programs here do without.
    from dcrnn_tf.kernels import operations

    return {
        "started": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "command": shlex.join([pathlib.Path(sys.executable).name, *sys.orig_argv[1:]]),
        "versions": versions(),
        "code": code_identity.identity(),
        "machine": _machine(),
        "compiled_kernels": operations.library() is not None,
        "dataset": {
            "name": schema.name,
            "fingerprint": schema.fingerprint,
            "simulated": schema.simulated,
            "rows": {name: split.rows for name, split in schema.splits.items()},
            "positives": {name: dict(split.positives) for name, split in schema.splits.items()},
            "simulation": schema.source.get("simulation"),
        },
        "parameters": dict(parameters),
        "positive_weights": dict(positive_weights),
    }


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the libraries that decide a run's result."""
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in _PACKAGES
    }


def use_precision(mixed_precision: str) -> None:
    """Sets the precision of models that are built from now on.

    Args:
      mixed_precision: One of `forms.PRECISIONS`: `none`, float32 throughout; `bfloat16`, products
        and activations in bfloat16; `bfloat16_products`, large products alone; `float16`, products
        and activations in float16.
    """
    import keras

    from dcrnn_tf.layers.product import use_bfloat16_products

    low = mixed_precision in ("bfloat16", "float16")
    keras.config.set_dtype_policy(f"mixed_{mixed_precision}" if low else "float32")
    use_bfloat16_products(mixed_precision == "bfloat16_products")


def finished(run_dir: str | pathlib.Path) -> bool:
    """Whether the run in the folder came to its end."""
    return pathlib.Path(run_dir, RESULT_FILE).exists()


def checkpoint_of(checkpoint: str) -> int | str:
    """Returns the step that the flag `--checkpoint` names, or `best` or `last`.

    Raises:
      UsageError: The flag is none of these.
    """
    if checkpoint in ("best", "last"):
        return checkpoint
    if checkpoint.isdecimal():
        return int(checkpoint)
    raise UsageError(f"--checkpoint={checkpoint} must be best, last, or the number of a step")


def read(run_dir: str | pathlib.Path, name: str) -> dict:
    """Reads a JSON file of a run.

    Args:
      run_dir: Folder of the run.
      name: Name of the file, one of `FORMS`.

    Raises:
      DatasetError: The file is missing, or its content has another form.
    """
    path = pathlib.Path(run_dir, name)
    remedy = _REMEDY if path.exists() else "is this a run folder?"
    return json_form.read(path, FORMS[name], remedy)


def read_if_there(run_dir: str | pathlib.Path, name: str) -> dict | None:
    """Reads a JSON file of a run, as `read` does; None where the run has no such file."""
    return read(run_dir, name) if pathlib.Path(run_dir, name).exists() else None


def write_json(path: pathlib.Path, content: object) -> None:
    """Writes a JSON file, whole or not at all."""
    with whole_file(path) as file:
        json.dump(content, file, indent=2)
        file.write("\n")


def _machine() -> dict:
    processor = platform.processor() or platform.machine()
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line
            for line in cpuinfo.read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ]
        processor = names[0].partition(":")[2].strip() if names else processor
    memory = None
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    return {"cores": os.cpu_count(), "processor": processor, "memory_gib": memory}
