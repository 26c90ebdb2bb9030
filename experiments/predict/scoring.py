"""Scores the rows of files, and writes the scores and what was counted on the way."""

import json
import pathlib
from collections.abc import Mapping

import polars as pl
from tqdm import tqdm

from data_prep.own_log.parsing.remote import raw_folder
from data_prep.own_log.scoring.earlier import EarlierRows
from data_prep.own_log.scoring.new_rows import NewRows
from data_prep.storage.work_folder import identity
from dcrnn_tf.system import command_line
from dcrnn_tf.system.whole_file import whole_file
from experiments.predict import counts, models, scores
from experiments.predict.parts import ScoreParts
from experiments.predict.settings import Settings


def score_files(settings: Settings, step: int | str) -> str:
    """Writes the scores of files, and returns in words what was counted.

    Args:
      settings: Settings of the program.
      step: Step of the checkpoint, or `best` or `last`.

    Raises:
      DatasetError: A file cannot be read, or has more bad rows than tolerated.
    """
    if settings.run_dir is not None:
        model = models.of_run(settings.run_dir, settings.data_dir, step)
    elif settings.export_dir is not None:
        model = models.of_export(settings.export_dir)
    else:
        raise command_line.UsageError("give one of --run_dir and --export_dir")
    raw_dir = raw_folder(settings.raw_dir)
    declared_dir = raw_dir if settings.declared_dir is None else raw_folder(settings.declared_dir)
    earlier = None
    if settings.history_files:
        work = pathlib.Path(settings.out + ".histories")
        earlier = EarlierRows(settings.history_files, declared_dir, work, settings.max_bad_rows)
    rows = NewRows(
        model.folder,
        model.schema,
        settings.files,
        raw_dir,
        declared_dir,
        settings.keys,
        settings.max_bad_rows,
        earlier,
        model.raw,
    )
    scores.check_keys(model, rows.keys)
    names = scores.columns(model)
    task = {
        "model": model.identity,
        "files": [identity(file.path) for file in (*rows.files, *rows.joined)],
        "histories": [identity(path) for path in (earlier.paths() if earlier else ())],
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
            bad_rows: Mapping[str, int] = parts.counts.get("bad_rows", {})
            done = max(parts.counts.get("rows", {}).values(), default=0)
            for position, chunk in rows.read(bar.update, parts.position, bad_rows, done):
                scored = None
                counted: dict[str, Mapping[str, float]] = {**chunk.counts}
                if chunk.features:
                    scored = scores.of_chunk(model, chunk, settings.batch_size)
                    sums = scored.select(pl.col(names).cast(pl.Float64).sum())
                    counted["rows"] = dict.fromkeys(names, scored.height)
                    counted["sums"] = sums.row(0, named=True)
                parts.add(scored, position, counted)
        parts.complete()
        content = counts.content(parts.counts, rows.bad_joined_rows)
        if settings.summary is not None:  # before the scores, which are not written twice
            with whole_file(settings.summary) as file:
                json.dump(content, file, indent=2)
                file.write("\n")
        parts.join()
    finally:
        parts.release()
    return counts.sentences(content, model.schema, settings.out)
