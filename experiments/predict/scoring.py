"""Scores the rows of files, and writes the scores and what was counted on the way."""

import json
import pathlib
from collections.abc import Mapping

import numpy as np
import polars as pl
from tqdm import tqdm

from data_prep.own_log.parsing.remote import raw_folder
from data_prep.own_log.scoring.new_rows import NewRows
from data_prep.storage.work_folder import identity
from dcrnn_tf.system.errors import UsageError
from dcrnn_tf.system.whole_file import whole_file
from experiments.predict import counts
from experiments.predict.parts import ScoreParts
from experiments.predict.settings import Settings
from experiments.runs import trained_runs


def score_files(settings: Settings, step: int | str) -> str:
    """Writes the scores of files, and returns in words what was counted.

    Args:
      settings: Settings of the program.
      step: Step of the checkpoint, or `best` or `last`.

    Raises:
      DatasetError: A file cannot be read, or has more bad rows than tolerated.
    """
    run = trained_runs.load_chosen(settings.run_dir, settings.data_dir, step)
    schema = run.dataset.schema
    raw_dir = raw_folder(settings.raw_dir)
    joined_dir = raw_dir if settings.joined_dir is None else raw_folder(settings.joined_dir)
    rows = NewRows(
        run.dataset.folder,
        schema,
        settings.files,
        raw_dir,
        joined_dir,
        settings.keys,
        settings.max_bad_rows,
    )
    names = _columns(run)
    if both := [key for key in rows.keys if key in names]:
        raise UsageError(f"--keys names {both[0]!r}, which is an output of the model; leave it out")
    task = {
        "run": str(pathlib.Path(settings.run_dir).resolve()),
        "step": run.step,
        "dataset": schema.fingerprint,
        "files": [identity(file.path) for file in (*rows.files, *rows.joined)],
        "keys": list(rows.keys),
        "max_bad_rows": settings.max_bad_rows,
        "batch_size": settings.batch_size,
    }
    empty = pl.DataFrame(
        schema=dict.fromkeys(rows.keys, pl.Null) | dict.fromkeys(names, pl.Float32)
    )
    parts = ScoreParts(pathlib.Path(settings.out), task, empty)
    try:
        with tqdm(desc="scoring", total=rows.bytes, unit="B", unit_scale=True) as bar:
            bad_rows = parts.counts.get("bad_rows", {})
            for position, chunk in rows.read(bar.update, parts.position, bad_rows):
                scored = None
                if chunk.features:
                    scores = _scores(run, chunk.features, settings.batch_size)
                    chunk.counts["rows"] = {name: len(scores[name]) for name in names}
                    chunk.counts["sums"] = {
                        name: float(np.sum(values, dtype=np.float64))
                        for name, values in scores.items()
                    }
                    scored = chunk.keys.with_columns(**_series(scores))
                parts.add(scored, position, chunk.counts)
        parts.finish()
    finally:
        parts.release()
    content = counts.content(parts.counts, rows.bad_joined_rows)
    if settings.summary is not None:
        with whole_file(settings.summary) as file:
            json.dump(content, file, indent=2)
            file.write("\n")
    return counts.sentences(content, schema, settings.out)


def _columns(run: trained_runs.TrainedRun) -> list[str]:
    """The names of the columns of scores: outputs, of a multiclass task one for each class."""
    tasks = run.dataset.schema.tasks
    names = [name for task in tasks for name in _names_of(task.name, task.classes)]
    return names + [output.name for output in run.model.derived_outputs(tasks)]


def _names_of(task: str, classes: tuple[str, ...]) -> list[str]:
    return [f"{task}/{name}" for name in classes] or [task]


def _scores(
    run: trained_runs.TrainedRun, features: Mapping[str, np.ndarray], batch_size: int
) -> dict[str, np.ndarray]:
    """Scores of rows, `{column: float32 (rows,)}`."""
    tasks = run.dataset.schema.tasks
    found = run.predictor.probabilities(features, tasks, batch_size)
    classes = {task.name: task.classes for task in tasks}
    scores = {}
    for output, values in found.items():
        for number, name in enumerate(_names_of(output, classes.get(output, ()))):
            scores[name] = values if values.ndim == 1 else values[:, number]
    return scores


def _series(scores: Mapping[str, np.ndarray]) -> dict[str, pl.Series]:
    return {name: pl.Series(name, np.ascontiguousarray(v)) for name, v in scores.items()}
