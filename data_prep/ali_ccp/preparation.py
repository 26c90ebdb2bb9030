"""Prepares Ali-CCP on one machine: the four raw files in, a prepared dataset out."""

import concurrent.futures
import dataclasses
import importlib
import itertools
import pathlib
import sys
from collections.abc import Mapping

import numpy as np
import tqdm

from data_prep.ali_ccp.chunks import ChunkedLog, listed, load_chunk, load_users
from data_prep.ali_ccp.encoding import (
    counted,
    divide,
    draw_validation,
    encode,
    row_count,
    schema_fields,
    training_rows,
)
from data_prep.ali_ccp.fields import FIELDS, PUBLISHED_COUNTS, SPLITS, USER
from data_prep.ali_ccp.log import ParsedLog, file_names, ordered, thread_pool
from data_prep.ali_ccp.settings import Settings
from data_prep.own_log.parsing.first_bytes import check_text
from data_prep.simulation.folder import read_simulation
from data_prep.storage import sizes
from data_prep.storage.columns import select
from data_prep.storage.dataset_folder import check_absent
from data_prep.storage.group_draw import reached
from data_prep.storage.vocabulary import IdCounter
from data_prep.storage.work_folder import WorkFolder, identity
from data_prep.storage.writer import Columns, DatasetWriter, Ragged
from dcrnn_tf.dataset.schema import DatasetError, Schema, Task
from dcrnn_tf.dataset.vocabulary import Vocabulary, read_vocabulary, write_vocabulary

NAME = "ali_ccp"


TASKS = (Task("click"), Task("conversion"))


def prepare(raw_dir: str | pathlib.Path, out_dir: str | pathlib.Path, settings: Settings) -> Schema:
    """Prepares Ali-CCP.

    Args:
      raw_dir: folder of the four raw files.
      out_dir: folder to make; must not exist.
      settings: Settings of what to keep.

    Returns:
      The schema of the prepared dataset; its `filters` hold all counts.

    Raises:
      DatasetError: the input is not as it must be, or `out_dir` exists.
    """
    raw_dir, out_dir = pathlib.Path(raw_dir), pathlib.Path(out_dir)
    check_absent(out_dir)
    files = find_files(raw_dir)
    sizes.ALI_CCP.require(files.values(), out_dir, len(settings.fields) / len(FIELDS))
    source = source_of(raw_dir, files)
    task = {"settings": dataclasses.asdict(settings), "files": list(map(identity, files.values()))}
    work = WorkFolder(out_dir.with_name(out_dir.name + ".work"), task)
    try:
        with _progress(sum(path.stat().st_size for path in files.values()), "Reading", "B") as bar:
            log = ParsedLog(files, work, settings, bar.update)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            # The writer needs it, and its import takes seconds of one core alone.
            pool.submit(importlib.import_module, "tensorflow")
            exposures = _count_exposures(log)
            validation = draw_validation(exposures, settings)
            vocabularies = _vocabularies(log, work, settings, exposures, validation)
        return _write(log, work, settings, vocabularies, validation, source, out_dir)
    except DatasetError:
        work.remove()
        raise
    finally:
        work.release()


def _count_exposures(log: ParsedLog) -> np.ndarray:
    """Returns each user's training rows, `(users,)`."""
    exposures = np.zeros(log.users, np.int64)
    for path, kept in log.chunks("train"):
        exposures += np.bincount(load_users(path)[kept], minlength=log.users)
    return exposures


def _vocabularies(
    log: ParsedLog,
    work: WorkFolder,
    settings: Settings,
    exposures: np.ndarray,
    validation: np.ndarray,
) -> dict[str, Vocabulary]:
    """Counts the ids, or reads what an interrupted preparation has counted."""
    files = {field.name: work.path / f"{field.name}.parquet" for field in settings.fields}
    if work.load("vocabularies.json") is None:
        for name, vocabulary in _count(log, settings, exposures, validation).items():
            write_vocabulary(files[name], vocabulary.ids, vocabulary.counts)
        work.save("vocabularies.json", {})
    return {name: read_vocabulary(path) for name, path in files.items()}


def _count(
    log: ParsedLog, settings: Settings, exposures: np.ndarray, validation: np.ndarray
) -> dict[str, Vocabulary]:
    """Counts the ids of the training split."""
    counters = {field.name: IdCounter() for field in settings.fields}
    weights = np.where(validation, 0, exposures)

    def add(name: str, column: "np.ndarray | Ragged", weight: np.ndarray | None = None) -> None:
        counters[name].add(*counted(column, weight))

    def training(chunk: tuple[pathlib.Path, np.ndarray]) -> Columns:
        return training_rows(*chunk, validation)

    total = log.users + log.rows["train"]
    with _progress(total, "Counting", "row") as bar, thread_pool() as pool:
        first = 0
        for columns in ordered(load_chunk, log.user_chunks):
            end = first + row_count(columns)
            weight = itertools.repeat(weights[first:end])
            list(pool.map(add, columns, columns.values(), weight))
            bar.update(end - first)
            first = end
        for rows in ordered(training, log.chunks("train")):
            fields = {name: rows[name] for name in rows if name in counters}
            list(pool.map(add, fields, fields.values()))
            bar.update(row_count(rows))
    return {name: c.vocabulary(settings.min_count) for name, c in counters.items()}


def _write(
    log: ParsedLog,
    work: WorkFolder,
    settings: Settings,
    vocabularies: Mapping[str, Vocabulary],
    validation: np.ndarray,
    source: Mapping[str, object],
    out_dir: pathlib.Path,
) -> Schema:
    """Encodes the chunks and writes the prepared dataset."""
    sizes = {name: vocabulary.size for name, vocabulary in vocabularies.items()}
    fields = schema_fields(settings, sizes, log)
    has_users = any(field.entity for field in fields)

    def users(path: pathlib.Path) -> Columns:
        return encode(load_chunk(path), fields, vocabularies)

    def splits(item: tuple[str, pathlib.Path, np.ndarray]) -> dict[str, Columns]:
        split, path, kept = item
        columns = encode(select(load_chunk(path), kept), fields, vocabularies)
        return divide(split, columns, validation, has_users)

    with (
        DatasetWriter(
            out_dir, NAME, fields, TASKS, settings.seed, max(log.rows.values())
        ) as writer,
        _progress(2 * sum(log.rows.values()), "Writing", "row") as bar,
    ):
        for name, vocabulary in vocabularies.items():
            writer.add_vocabulary(name, vocabulary.ids, vocabulary.counts)
        for columns in ordered(users, log.user_chunks):
            writer.add_entity_rows(USER, columns)
        chunks = ((split, *chunk) for split in SPLITS for chunk in log.chunks(split))
        for parts in ordered(splits, chunks):
            for split, columns in parts.items():
                if row_count(columns):
                    writer.add_rows(split, columns)
                bar.update(row_count(columns))
        return writer.finish(
            source, settings_of(settings), filters_of(log), bar.update, work.remove
        )


def settings_of(settings: Settings) -> dict[str, object]:
    """The schema's `settings`."""
    return dataclasses.asdict(settings) | {"fields": [field.raw_name for field in settings.fields]}


def filters_of(log: ChunkedLog) -> dict[str, object]:
    """The schema's `filters`."""
    return {
        "bad_lines": dict(log.bad_lines),
        "truncated_lists": dict(log.truncated),
        "raw": {split: dict(counts) for split, counts in log.counts.items()},
    }


def summary(schema: Schema) -> str:
    """Describes a prepared Ali-CCP, and compares the full data with the published counts."""
    settings, filters = schema.settings, schema.filters
    lines = []
    if schema.simulated:
        lines.append("simulated data")
    dropped = "kept" if settings["keep_conversions_without_click"] else "dropped"
    for split, counts in filters["raw"].items():
        lines.append(
            f"{split} files: {counts['rows']:,} rows, {counts['clicks']:,} clicks, "
            f"{counts['conversions']:,} conversions after a click, "
            f"{counts['conversions_without_click']:,} conversions without a click ({dropped}), "
            f"{counts['users']:,} users"
        )
        lines += _differences(split, counts, schema.simulated)
    lines.append(f"bad lines: {listed(filters['bad_lines']) or 'none'}")
    if filters["truncated_lists"]:
        cut = {name: n for name, n in filters["truncated_lists"].items() if n}
        lines.append(f"lists cut to {settings['max_values']} values: {listed(cut) or 'none'}")
    for split in schema.splits.values():
        positives = ", ".join(f"{n:,} {task}s" for task, n in split.positives.items())
        lines.append(f"{split.name} split: {split.rows:,} rows, {positives}")
    lines.append(reached(schema, settings["validation_fraction"], "users"))
    for entity in schema.entities.values():
        lines.append(f"entity table {entity.name}: {entity.rows:,} rows")
    total = sum(field.vocabulary_size for field in schema.fields)
    lines.append(f"{len(schema.fields)} fields, {total:,} embedding rows")
    return "\n".join(lines)


def _differences(split: str, counts: Mapping[str, int], simulated: bool) -> list[str]:
    """Compares with the published counts if the file is about as long as the full one."""
    published = dataclasses.asdict(PUBLISHED_COUNTS[split])
    if simulated or abs(counts["rows"] / published["rows"] - 1) > 0.1:
        return []
    different = [
        f"WARNING: {split} files: {counts[name]:,} {name.replace('_', ' ')}, "
        f"published are {published[name]:,}"
        for name in published
        if counts[name] != published[name]
    ]
    return different or [f"{split} files: all counts are the published ones"]


def find_files(raw_dir: pathlib.Path) -> dict[str, pathlib.Path]:
    """The four files, plain or .gz, by their plain names in the order of reading.

    Raises:
      DatasetError: one of them is not there, or in both forms.
    """
    return {name: _find(raw_dir, name) for split in SPLITS for name in file_names(split)}


def _find(raw_dir: pathlib.Path, name: str) -> pathlib.Path:
    paths = [path for path in (raw_dir / name, raw_dir / f"{name}.gz") if path.is_file()]
    if not paths:
        raise DatasetError(
            f"{raw_dir} has neither {name} nor {name}.gz; Ali-CCP is four files, "
            f"{', '.join(n for split in SPLITS for n in file_names(split))}"
        )
    if len(paths) == 2:
        raise DatasetError(f"{raw_dir} has both {name} and {name}.gz; remove one of them")
    check_text(paths[0])
    return paths[0]


def source_of(raw_dir: pathlib.Path, files: Mapping[str, pathlib.Path]) -> dict[str, object]:
    """The schema's `source`: what the files are, and what a simulator said of them."""
    sizes = {path.name: path.stat().st_size for path in files.values()}
    source: dict[str, object] = {"files": sizes}
    simulation = read_simulation(raw_dir)
    if simulation is None:
        return source | {"simulated": False}
    return source | {"simulated": True, "simulation": simulation}


def _progress(total: int, title: str, unit: str) -> tqdm.tqdm:
    return tqdm.tqdm(total=total, desc=title, unit=unit, unit_scale=True, file=sys.stderr)
