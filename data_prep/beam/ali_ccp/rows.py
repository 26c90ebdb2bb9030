"""Counts and encodes Ali-CCP's parsed chunks with many workers."""

import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import apache_beam as beam
import numpy as np
import polars as pl
from apache_beam.utils.shared import Shared

from data_prep.ali_ccp.chunks import ChunkedLog, Sample, load_chunk, load_users
from data_prep.ali_ccp.encoding import (
    counted,
    divide,
    draw_validation,
    encode,
    row_count,
    training_rows,
)
from data_prep.ali_ccp.fields import SPLITS, USER
from data_prep.ali_ccp.settings import Settings
from data_prep.beam.counting import CountIds, partitions, sum_tables
from data_prep.beam.shuffle import WriteShards, line_up, scatter
from data_prep.beam.stage import Results, replaced
from data_prep.storage.columns import select
from data_prep.storage.vocabulary import IdCounter
from data_prep.storage.writer import Columns
from dcrnn_tf.dataset.schema import Schema
from dcrnn_tf.dataset.vocabulary import Vocabulary, read_vocabulary, write_vocabulary

_USER_ROW = "user_row"


class CountLog:
    """Builds the stage that counts: each user's training rows, then the ids of those rows.

    Args:
      log: Log to count.
      first_users: number of the first user of each chunk of users.
      folder: Folder in which each field's vocabulary becomes `FIELD.parquet`, if it has an id.
      settings: Settings of what to keep.
    """

    def __init__(
        self,
        log: ChunkedLog,
        first_users: Sequence[int],
        folder: pathlib.Path,
        settings: Settings,
    ):
        self._log = log
        self._first_users = first_users
        self._folder = folder
        self._settings = settings

    def build(self, pipeline: beam.Pipeline) -> Results:
        """Adds the steps; for `run_stage`."""
        spread = partitions(self._log.rows["train"])
        samples = (
            pipeline
            | "Training chunks" >> beam.Create(self._log.samples("train"))
            | "Spread training chunks" >> beam.Reshuffle()
        )
        exposures = (
            samples
            | "Count users' rows" >> beam.Map(_count_rows)
            | "Sum users' rows" >> CountIds(spread)
            | "Drop name" >> beam.Values()
            | "Gather users" >> beam.combiners.ToList()
            | "Exposures" >> beam.Map(_dense, self._log.users)
        )
        validation = exposures | "Draw validation" >> beam.Map(draw_validation, self._settings)
        held_out = beam.pvalue.AsSingleton(validation)
        of_rows = samples | "Count ids of rows" >> beam.FlatMap(_count_training_rows, held_out)
        of_users = (
            pipeline
            | "User chunks"
            >> beam.Create(list(zip(self._log.user_chunks, self._first_users, strict=True)))
            | "Spread user chunks" >> beam.Reshuffle()
            | "Count ids of users"
            >> beam.FlatMap(_count_users, beam.pvalue.AsSingleton(exposures), held_out)
        )
        _ = (
            (of_rows, of_users)
            | "All counts" >> beam.Flatten()
            | "Sum ids" >> CountIds(spread)
            | "Frequent ids" >> beam.Map(_frequent, self._settings.min_count)
            | "Group by field" >> beam.GroupByKey()
            | "Write vocabularies" >> beam.Map(_write_vocabulary, self._folder)
        )
        return {"exposures": exposures, "validation": validation}


def _count_rows(sample: Sample) -> tuple[str, pl.DataFrame]:
    counter = IdCounter()
    counter.add(pl.Series(load_users(sample.path)[sample.kept()]))
    return _USER_ROW, counter.table()


def _dense(tables: Sequence[pl.DataFrame], users: int) -> np.ndarray:
    """Counts as an array, `(users,)`, with zeros."""
    exposures = np.zeros(users, np.int64)
    for table in tables:
        exposures[table["id"].to_numpy()] = table["count"].to_numpy()
    return exposures


def _count_training_rows(
    sample: Sample, validation: np.ndarray
) -> Iterator[tuple[str, pl.DataFrame]]:
    columns = dict(training_rows(sample.path, sample.kept(), validation))
    for label in ("click", "conversion"):
        del columns[label]
    yield from _counts(columns)


def _count_users(
    element: tuple[pathlib.Path, int], exposures: np.ndarray, validation: np.ndarray
) -> Iterator[tuple[str, pl.DataFrame]]:
    path, first = element
    columns = load_chunk(path)
    rows = slice(first, first + row_count(columns))
    yield from _counts(columns, np.where(validation[rows], 0, exposures[rows]))


def _counts(
    columns: Columns, weight: np.ndarray | None = None
) -> Iterator[tuple[str, pl.DataFrame]]:
    for name, column in columns.items():
        counter = IdCounter()
        counter.add(*counted(column, weight))
        yield name, counter.table()


def _frequent(element: tuple[str, pl.DataFrame], min_count: int) -> tuple[str, pl.DataFrame]:
    field, table = element
    return field, table.filter(pl.col("count") >= min_count)


def _write_vocabulary(element: tuple[str, Iterable[pl.DataFrame]], folder: pathlib.Path) -> None:
    field, tables = element
    vocabulary = sum_tables(tables).vocabulary()
    with replaced(folder / f"{field}.parquet") as partial:
        write_vocabulary(partial, vocabulary.ids, vocabulary.counts)


class EncodeLog:
    """Builds the stage that encodes the chunks and writes the shards.

    Args:
      log: Log to encode.
      first_users: number of the first user of each chunk of users.
      vocabularies: the file of each field's vocabulary.
      validation: file of the array that says who is in validation.
      schema: Schema of the dataset, without its shards.
      shards: Number of shards of each split.
      folder: Folder of the dataset while it is written.
    """

    def __init__(
        self,
        log: ChunkedLog,
        first_users: Sequence[int],
        vocabularies: Mapping[str, pathlib.Path],
        validation: pathlib.Path,
        schema: Schema,
        shards: Mapping[str, int],
        folder: pathlib.Path,
    ):
        self._log = log
        self._first_users = first_users
        self._encode = (vocabularies, validation, schema, shards)
        self._schema = schema
        self._folder = folder

    def build(self, pipeline: beam.Pipeline) -> Results:
        """Adds the steps; for `run_stage`."""
        chunks = [
            (split, number, sample)
            for split in SPLITS
            for number, sample in enumerate(self._log.samples(split))
        ]
        users = list(zip(self._log.user_chunks, self._first_users, strict=True))
        exposures = (
            pipeline
            | "Chunks" >> beam.Create(chunks)
            | "Spread chunks" >> beam.Reshuffle()
            | "Encode exposures" >> beam.ParDo(_EncodeExposures(*self._encode))
        )
        tables = (
            pipeline
            | "User chunks" >> beam.Create(users)
            | "Spread user chunks" >> beam.Reshuffle()
            | "Encode users" >> beam.ParDo(_EncodeUsers(*self._encode))
        )
        written = (
            (exposures, tables)
            | "All rows" >> beam.Flatten()
            | WriteShards(self._folder, self._schema)
        )
        return {"written": written}


class _Cache(dict):
    """A dict that `Shared` can refer to."""


class _Encode(beam.DoFn):
    """Holds the vocabularies, which all threads of a worker share."""

    def __init__(
        self,
        vocabularies: Mapping[str, pathlib.Path],
        validation: pathlib.Path,
        schema: Schema,
        shards: Mapping[str, int],
    ):
        self._files = vocabularies
        self._validation_file = validation
        self._schema = schema
        self._shards = shards
        self._shared = Shared()
        self._vocabularies: Mapping[str, Vocabulary] = {}

    def setup(self) -> None:
        self._vocabularies = self._shared.acquire(
            lambda: _Cache({name: read_vocabulary(path) for name, path in self._files.items()})
        )
        self._validation = np.load(self._validation_file, mmap_mode="r", allow_pickle=False)


class _EncodeExposures(_Encode):
    def process(self, element: tuple[str, int, Sample]) -> Iterator:
        split, number, sample = element
        columns = select(load_chunk(sample.path), sample.kept())
        columns = encode(columns, self._schema.fields, self._vocabularies)
        has_users = bool(self._schema.entities)
        for part, rows in divide(split, columns, self._validation, has_users).items():
            yield from scatter(self._schema, part, number, rows, self._shards[part])


class _EncodeUsers(_Encode):
    def process(self, element: tuple[pathlib.Path, int]) -> Iterator:
        path, first = element
        columns = encode(load_chunk(path), self._schema.fields, self._vocabularies)
        yield from line_up(self._schema, USER, first, columns)
