"""Prepares an own log on Beam in three stages, each a pipeline.

Small results go through this program: counts, bad rows, scalings. Rows stay with the workers, in
chunk files that all of them see.
"""

import dataclasses
import operator
import pathlib
import shutil
from collections.abc import Mapping, Sequence

import numpy as np
from apache_beam.options.pipeline_options import PipelineOptions

from data_prep.beam.own_log.chunks import Chunk, ReadLog
from data_prep.beam.own_log.fields import EncodeLog, LearnedField, LearnLog, vocabulary_file
from data_prep.beam.own_log.histories import FindHistories, with_histories
from data_prep.beam.own_log.tables import TableFiles
from data_prep.beam.shuffle import name_shards, shard_count
from data_prep.beam.stage import pipeline_options, run_stage
from data_prep.own_log import preparation
from data_prep.own_log.declaration import SPLIT_NAMES, Declaration
from data_prep.own_log.extending import EXTENDS, ExtendedDataset
from data_prep.own_log.parsing.remote import raw_folder
from data_prep.own_log.row_counts import RowCounts, check_rows, never_met, written_spans
from data_prep.own_log.rows.log_rows import LogRows
from data_prep.own_log.split_draw import SplitCounts, SplitDraw
from data_prep.own_log.statistics import EncodedCounts, filters_of
from data_prep.storage import sizes
from data_prep.storage.dataset_folder import DatasetFolder, check_absent
from data_prep.storage.work_folder import WorkFolder, identity
from dcrnn_tf.dataset.schema import DatasetError, Schema


def prepare(
    declaration: Declaration,
    data_dir: str | pathlib.Path,
    out_dir: str | pathlib.Path,
    seed: int = 0,
    max_bad_rows: int = 0,
    simulation: Mapping[str, object] | None = None,
    options: PipelineOptions | None = None,
    extended: ExtendedDataset | None = None,
) -> Schema:
    """Writes the prepared dataset that a declaration describes, on Beam.

    Args:
      declaration: Declaration of the log, from `load_declaration`.
      data_dir: folder that the declaration's file patterns are relative to.
      out_dir: folder of the dataset; must not exist.
      seed: Seed of the split and the shuffle.
      max_bad_rows: Number of bad rows that are left out and counted; one more is an error.
      simulation: What the simulator recorded of simulated rows; None for real ones.
      options: Options of Beam; its defaults if None.
      extended: The dataset whose ids, scalings and classes this one keeps; None learns all anew.

    Returns:
      The schema of the dataset.

    Raises:
      DatasetError: `out_dir` exists, or something is wrong with a file or a row.
    """
    options = options or pipeline_options("")
    raw_dir, out_dir = raw_folder(data_dir).absolute(), pathlib.Path(out_dir).absolute()
    check_absent(out_dir)
    rows = LogRows(declaration, raw_dir, seed, max_bad_rows)
    preparation.require_room(sizes.OWN_LOG_ON_BEAM, declaration, rows, out_dir)
    task = {
        "on": "Beam",
        "declaration": declaration.content,
        "seed": seed,
        "max_bad_rows": max_bad_rows,
        "files": [identity(file.path) for file in rows.all_files],
    }
    if extended is not None:
        task |= {"extends": extended.source, "forget_after": extended.forget_after}
    work = WorkFolder(out_dir.with_name(out_dir.name + ".work"), task)
    try:
        reading = ReadLog(rows, declaration, work.path, seed, max_bad_rows)
        split_counts = SplitCounts(declaration, seed)
        chunks, bad_rows, without_rows, rows.unmatched = _read(reading, split_counts, work, options)
        draw = split_counts.draw()
        chunks = _with_histories(chunks, declaration, work, options)
        learned, counts = _learn(chunks, declaration, draw, work, options, extended)
        filters = filters_of(
            bad_rows,
            rows,
            without_rows,
            {one.field.name: one.counts for one in learned},
            never_met(declaration, counts),
            written_spans(declaration, counts),
        )
        if draw.negatives is not None:
            filters["negatives_left_out"] = counts.left_out
        if counts.in_no_split:
            filters["rows_in_no_split"] = counts.in_no_split
        source = preparation.source_of(declaration, rows, simulation)
        if extended is not None:
            grown = {one.field.name: one.growth for one in learned}
            source[EXTENDS], filters[EXTENDS] = extended.source, extended.counts(grown)
        schema = Schema(
            declaration.name,
            tuple(one.field for one in learned),
            extended.tasks(counts.tasks()) if extended else counts.tasks(),
            splits={},
            entities=declaration.schema.entities,
            source=source,
            settings=preparation.settings_of(declaration),
            filters=filters,
            seed=seed,
        )
        return _write(chunks, schema, declaration, counts, draw, work, options, out_dir)
    except DatasetError:
        work.remove()
        raise
    finally:
        work.release()


def _read(
    reading: ReadLog, counts: SplitCounts, work: WorkFolder, options: PipelineOptions
) -> tuple[list[Chunk], Mapping[str, int], Sequence[str], Mapping[str, int]]:
    """Reads the files, or takes up what an interrupted preparation has read.

    Returns:
      The chunks, the bad rows by reason, the names of the files without a usable row, and the
      numbers of rows without partner by join. What is to be known of all rows before they are split
      is added to `counts`.
    """
    state = work.load("chunks.json")
    if state is None:
        print("1/3 reading", flush=True)
        results = run_stage(options, work.path, reading.build)
        chunks, bad_rows, without_rows, unmatched = reading.chunks(results["read"])
        state = {
            "chunks": [(chunk.path.name, chunk.drawn) for chunk in chunks],
            "bad_rows": bad_rows,
            "files_without_rows": without_rows,
            "unmatched": unmatched,
            "bucket_rows": results["counts"][0].rows.tolist(),
            "latest": results["counts"][0].latest,
        }
        work.save("chunks.json", state)
    chunks = [Chunk(n, work.path / name, drawn) for n, (name, drawn) in enumerate(state["chunks"])]
    counts.rows, counts.latest = np.array(state["bucket_rows"]), state["latest"]
    return chunks, state["bad_rows"], state["files_without_rows"], state["unmatched"]


def _with_histories(
    chunks: list[Chunk], declaration: Declaration, work: WorkFolder, options: PipelineOptions
) -> list[Chunk]:
    """Finds the histories, where there are some, unless an interrupted preparation has done so."""
    if not any(field.history for field in declaration.fields):
        return chunks
    if work.load("histories.json") is None:
        print("finding histories", flush=True)
        run_stage(options, work.path, FindHistories(chunks, declaration).build)
        work.save("histories.json", {})
    return with_histories(chunks, declaration)


def _learn(
    chunks: Sequence[Chunk],
    declaration: Declaration,
    draw: SplitDraw,
    work: WorkFolder,
    options: PipelineOptions,
    extended: ExtendedDataset | None,
) -> tuple[list[LearnedField], RowCounts]:
    """Returns the fields, in the order of the declaration, and the counts of rows."""
    print("2/3 counting", flush=True)
    learning = LearnLog(chunks, declaration, draw, work.path, extended)
    results = run_stage(options, work.path, learning.build)
    counts = RowCounts(declaration)
    for _, part in sorted(results["counted"], key=operator.itemgetter(0)):
        counts.merge(part)
    check_rows(declaration, counts)
    learned = {one.field.name: one for one in results["fields"]}
    fields = []
    for declared in declaration.fields:
        one = learned[declared.name]
        size = learned[one.field.owner].field.vocabulary_size
        field = dataclasses.replace(one.field, vocabulary_size=size)
        fields.append(dataclasses.replace(one, field=field))
    return fields, counts


def _write(
    chunks: Sequence[Chunk],
    schema: Schema,
    declaration: Declaration,
    counts: RowCounts,
    draw: SplitDraw,
    work: WorkFolder,
    options: PipelineOptions,
    out_dir: pathlib.Path,
) -> Schema:
    """Encodes the chunks and writes the prepared dataset."""
    print("3/3 writing", flush=True)
    ids = [field for field in schema.fields if field.has_vocabulary]
    vocabularies = {field.name: vocabulary_file(work.path, field.owner) for field in ids}
    rows = zip(SPLIT_NAMES, counts.rows.tolist(), strict=True)
    shards = {split: shard_count(count) for split, count in rows}
    with DatasetFolder(out_dir) as folder:
        for field in ids:
            if field.shares is None:
                shutil.copyfile(vocabularies[field.name], folder.vocabulary_path(field.name))
        encoding = EncodeLog(
            chunks,
            vocabularies,
            schema,
            shards,
            draw,
            folder.partial,
            TableFiles(declaration.joins, work.path),
        )
        results = run_stage(options, work.path, encoding.build)
        counted = EncodedCounts()
        for part in results["counted"]:
            counted.merge(part)
        schema = name_shards(folder.partial, schema, results["written"])
        filters = {**schema.filters, **counted.filters()}
        schema = dataclasses.replace(schema, filters=filters)
        folder.finish(schema, work.remove)
    return schema
