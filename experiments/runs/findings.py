"""Checks a run folder for what is missing or damaged."""

import pathlib
from collections.abc import Iterator, Mapping

import tensorflow as tf

from dcrnn_tf.dataset.schema import load_schema
from dcrnn_tf.models import ModelError
from dcrnn_tf.system.errors import DatasetError
from dcrnn_tf.training import checkpoints, metrics_log
from experiments.runs import run_folder, trained_runs


def findings(run_dir: pathlib.Path) -> Iterator[str]:
    """Yields what is wrong with a run folder, a sentence each.

    A finished run that was trained in steps must have all of its files; a finished one that was
    fitted at once has neither metrics by step nor checkpoints.

    Args:
      run_dir: Folder of the run.
    """
    contents: dict[str, dict] = {}
    result = run_dir / run_folder.RESULT_FILE
    needed = {run_folder.CONFIG_FILE, run_folder.RUN_FILE}
    needed |= {run_folder.CURVES_FILE} if result.exists() else set()
    for name in run_folder.FORMS:
        try:
            if name in needed or (run_dir / name).exists():
                contents[name] = run_folder.read(run_dir, name)
        except DatasetError as error:
            yield str(error)
    steps = contents.get(run_folder.RESULT_FILE, {}).get("steps")
    yield from _of_metrics(run_dir / metrics_log.METRICS_FILE, contents, steps)
    yield from _of_checkpoints(run_dir / checkpoints.CHECKPOINTS, contents, steps)


def _of_metrics(path: pathlib.Path, contents: Mapping, steps: int | None) -> Iterator[str]:
    try:
        entries = metrics_log.read(path)
    except DatasetError as error:
        yield str(error)
        return
    if steps is None:
        return
    validated = "validation" in contents[run_folder.RESULT_FILE]["metrics"]
    if not path.exists():
        yield f"{path} is missing, and the run is finished"
    elif validated and steps not in metrics_log.evaluations(entries, "validation"):
        yield f"{path} has no evaluation of the last step, {steps}"


def _of_checkpoints(folder: pathlib.Path, contents: Mapping, steps: int | None) -> Iterator[str]:
    there = checkpoints.Checkpoints(folder, {}).steps()
    if steps is not None and steps not in there:
        yield f"{folder} has no checkpoint of the last step, {steps}"
    evaluated = contents.get(run_folder.RESULT_FILE, {}).get("evaluated_step", steps)
    if evaluated not in (steps, *there):
        yield f"{folder} has no checkpoint of the best step, {evaluated}"
    try:
        variables = _variables(contents.get(run_folder.CONFIG_FILE)) if there else None
    except ModelError as error:
        yield f"{folder.parent / run_folder.CONFIG_FILE} asks for no model of the dataset: {error}"
        variables = None
    for step in there:
        path = checkpoints.path_of(folder, step)
        if (what := checkpoints.damage(path, variables)) is not None:
            yield f"{path} is damaged: {what}"


def _variables(config: Mapping | None) -> Mapping[str, tf.Variable] | None:
    """The variables of a run's model; None where its dataset is not there to say their shapes."""
    if config is None:
        return None
    try:
        schema = load_schema(config["data_dir"])
        schema = schema if config.get("fields") is None else schema.select_fields(config["fields"])
        if schema.fingerprint != config["dataset_fingerprint"]:
            raise DatasetError(f"{config['data_dir']} is another dataset now")
    except DatasetError as error:
        print(f"Checkpoints are not compared with the run's model: {error}.")
        return None
    return checkpoints.numbered("model", trained_runs.build(config, schema).variables)
