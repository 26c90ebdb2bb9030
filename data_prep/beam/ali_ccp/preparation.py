"""Prepares Ali-CCP on Beam in three stages, each a pipeline.

Small results go through this program: counts, faulty lines, the users in validation. Rows stay with
the workers, in chunk files that all of them see.
"""

import dataclasses
import pathlib
import shutil
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow.parquet
from apache_beam.options.pipeline_options import PipelineOptions

from data_prep.ali_ccp import preparation
from data_prep.ali_ccp.chunks import ChunkedLog
from data_prep.ali_ccp.encoding import schema_fields
from data_prep.ali_ccp.fields import FIELDS
from data_prep.ali_ccp.settings import Settings
from data_prep.ali_ccp.text_blocks import BLOCK_BYTES
from data_prep.beam.ali_ccp.reading import ReadLog
from data_prep.beam.ali_ccp.rows import CountLog, EncodeLog
from data_prep.beam.shuffle import name_shards, shard_count
from data_prep.beam.stage import pipeline_options, run_stage
from data_prep.storage import sizes
from data_prep.storage.dataset_folder import DatasetFolder, check_absent
from data_prep.storage.vocabulary import IdCounter
from data_prep.storage.work_folder import WorkFolder, identity
from dcrnn_tf.dataset.encodings import FIRST_ID_ROW
from dcrnn_tf.dataset.schema import DatasetError, Entity, Schema
from dcrnn_tf.dataset.vocabulary import write_vocabulary
from dcrnn_tf.system.whole_file import whole_file


def prepare(
    raw_dir: str | pathlib.Path,
    out_dir: str | pathlib.Path,
    settings: Settings,
    options: PipelineOptions | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Schema:
    """Prepares Ali-CCP on Beam.

    Args:
      raw_dir: folder of the four raw files.
      out_dir: folder to make; must not exist.
      settings: Settings of what to keep.
      options: Options of Beam; its defaults if None.
      block_bytes: Approximate size of raw text that one worker reads at a time. With another value
        `settings.rows` draws other rows, and rows are in another order.

    Returns:
      The schema of the prepared dataset; its `filters` hold all counts.

    Raises:
      DatasetError: the input is not as it must be, or `out_dir` exists.
    """
    options = options or pipeline_options("")
    raw_dir, out_dir = pathlib.Path(raw_dir).absolute(), pathlib.Path(out_dir).absolute()
    check_absent(out_dir)
    files = preparation.find_files(raw_dir)
    share = len(settings.fields) / len(FIELDS)
    sizes.ALI_CCP_ON_BEAM.require(files.values(), out_dir, share)
    source = preparation.source_of(raw_dir, files)
    task = {
        "on": "Beam",
        "settings": dataclasses.asdict(settings),
        "files": list(map(identity, files.values())),
        "block_bytes": block_bytes,
    }
    work = WorkFolder(out_dir.with_name(out_dir.name + ".work"), task)
    try:
        reading = ReadLog(list(files.values()), work.path, settings, block_bytes)
        log, first_users = _read(reading, work, settings, options)
        rows = _count(log, first_users, work, settings, options)
        return _write(log, first_users, rows, work, settings, options, source, out_dir)
    except DatasetError:
        work.remove()
        raise
    finally:
        work.release()


def _read(
    reading: ReadLog, work: WorkFolder, settings: Settings, options: PipelineOptions
) -> tuple[ChunkedLog, list[int]]:
    """Reads the files, or takes up what an interrupted preparation has read."""
    if (state := work.load("read.json")) is not None:
        log = ChunkedLog(work.path, settings)
        log.take_up(state["log"])
        return log, state["first_users"]
    print("1/3 reading", flush=True)
    log, first_users = reading.log(run_stage(options, work.path, reading.build))
    reading.clean_up()
    work.save("read.json", {"log": log.state(), "first_users": first_users})
    return log, first_users


def _count(
    log: ChunkedLog,
    first_users: Sequence[int],
    work: WorkFolder,
    settings: Settings,
    options: PipelineOptions,
) -> dict[str, int]:
    """Counts, or takes up what was counted; returns the rows of each split."""
    if (rows := work.load("count.json")) is not None:
        return rows
    print("2/3 counting", flush=True)
    counting = CountLog(log, first_users, work.path, settings)
    results = run_stage(options, work.path, counting.build)
    (exposures,), (validation,) = results["exposures"], results["validation"]
    with whole_file(_validation_file(work), "wb") as file:
        np.save(file, validation)
    nothing = IdCounter().vocabulary()
    for path in _vocabulary_files(work, settings).values():
        if not path.exists():
            write_vocabulary(path, nothing.ids, nothing.counts)
    held_out = int(exposures[validation].sum())
    rows = {"train": log.rows["train"] - held_out, "validation": held_out}
    rows["test"] = log.rows["test"]
    work.save("count.json", rows)
    return rows


def _write(
    log: ChunkedLog,
    first_users: Sequence[int],
    rows: Mapping[str, int],
    work: WorkFolder,
    settings: Settings,
    options: PipelineOptions,
    source: Mapping[str, object],
    out_dir: pathlib.Path,
) -> Schema:
    """Encodes the chunks and writes the prepared dataset."""
    print("3/3 writing", flush=True)
    vocabularies = _vocabulary_files(work, settings)
    sizes = {
        name: FIRST_ID_ROW + pyarrow.parquet.read_metadata(path).num_rows
        for name, path in vocabularies.items()
    }
    fields = schema_fields(settings, sizes, log)
    schema = Schema(
        preparation.NAME,
        tuple(fields),
        preparation.TASKS,
        splits={},
        entities={field.entity: Entity(field.entity, 0, ()) for field in fields if field.entity},
        source=source,
        settings=preparation.settings_of(settings),
        filters=preparation.filters_of(log),
        seed=settings.seed,
    )
    with DatasetFolder(out_dir) as folder:
        for name, path in vocabularies.items():
            shutil.copyfile(path, folder.vocabulary_path(name))
        encoding = EncodeLog(
            log,
            first_users,
            vocabularies,
            _validation_file(work),
            schema,
            {split: shard_count(count) for split, count in rows.items()},
            folder.partial,
        )
        written = run_stage(options, work.path, encoding.build)["written"]
        schema = name_shards(folder.partial, schema, written)
        folder.finish(schema, work.remove)
    return schema


def _vocabulary_files(work: WorkFolder, settings: Settings) -> dict[str, pathlib.Path]:
    return {field.name: work.path / f"{field.name}.parquet" for field in settings.fields}


def _validation_file(work: WorkFolder) -> pathlib.Path:
    return work.path / "validation.npy"
