"""Learns and encodes the fields of an own log with many workers."""

import collections
import dataclasses
import pathlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import apache_beam as beam
import numpy as np
import polars as pl
from apache_beam.utils.shared import Shared

from data_prep.beam.counting import CountIds, partitions
from data_prep.beam.own_log.chunks import Chunk
from data_prep.beam.own_log.tables import TableFiles
from data_prep.beam.shuffle import WriteShards, line_up, scatter
from data_prep.beam.stage import Results, replaced
from data_prep.own_log.declaration import SPLIT_NAMES, Declaration, DeclaredField
from data_prep.own_log.encode_rows import EncodeRows
from data_prep.own_log.extending import ExtendedDataset
from data_prep.own_log.field_encoder import FieldEncoder
from data_prep.own_log.learning.classes import coded
from data_prep.own_log.learning.field_counts import FieldCounts
from data_prep.own_log.learning.field_learner import FieldLearner
from data_prep.own_log.learning.scaling import ScalingLearner
from data_prep.own_log.preparation import take_rows
from data_prep.own_log.row_counts import RowCounts
from data_prep.own_log.split_draw import TRAIN, SplitDraw
from data_prep.own_log.statistics import EncodedCounts
from dcrnn_tf.dataset.encodings import QUANTILE
from dcrnn_tf.dataset.names import file_names
from dcrnn_tf.dataset.schema import NUMERIC, VECTOR, Field, Schema
from dcrnn_tf.dataset.vocabulary import read_vocabulary, write_vocabulary


@dataclasses.dataclass(frozen=True)
class FieldPart:
    """Counts and scaling of one field in one chunk; its ids are counted apart.

    Attributes:
      chunk: Number of the chunk.
      counts: what was counted of its cells.
      values: training values that are not missing, of a field of quantile scaling.
      scaling: ScalingLearner that has seen the training values; a quantile scaling has seen none.
    """

    chunk: int
    counts: FieldCounts
    values: int
    scaling: ScalingLearner


@dataclasses.dataclass(frozen=True)
class LearnedField:
    """What was learned of one field from all chunks.

    Attributes:
      field: The field.
      counts: What was counted of its cells.
      growth: What became of the ids of the dataset that is extended, without the vocabulary; None
        where the field has none.
    """

    field: Field
    counts: FieldCounts
    growth: Mapping[str, int] | None


class LearnLog:
    """Builds the stage that counts ids and fits scalings on the training rows.

    Args:
      chunks: Chunks of the log.
      declaration: Declaration of what they hold.
      draw: Draws the split.
      folder: Folder for the vocabulary of each field of ids, as `vocabulary_file` says.
      extended: The dataset whose ids and scalings stay; None learns all anew.
    """

    def __init__(
        self,
        chunks: Sequence[Chunk],
        declaration: Declaration,
        draw: SplitDraw,
        folder: pathlib.Path,
        extended: ExtendedDataset | None,
    ):
        self._chunks = chunks
        self._declaration = declaration
        self._draw = draw
        self._folder = folder
        self._extended = extended

    def build(self, pipeline: beam.Pipeline) -> Results:
        """Adds the steps; for `run_stage`."""
        fields = {field.name: field for field in self._declaration.fields}
        known = {field.name for field in self._extended.shared} if self._extended else set()
        chunks = (
            pipeline | "Chunks" >> beam.Create(self._chunks) | "Spread chunks" >> beam.Reshuffle()
        )
        learned = chunks | "Learn" >> beam.ParDo(
            _Learn(self._declaration, self._draw)
        ).with_outputs("ids", "parts", main="counted")
        ids = (
            learned.ids
            | "Sum ids" >> CountIds(partitions(max((c.drawn for c in self._chunks), default=0)))
            | "Frequent ids" >> beam.Map(_frequent, fields, known)
        )
        sizes = beam.pvalue.AsList(
            learned.parts
            | "Quantile parts" >> beam.Filter(lambda part: fields[part[0]].scaling == QUANTILE)
            | "Their sizes" >> beam.MapTuple(lambda name, part: (name, part.chunk, part.values))
        )
        samples = (
            chunks
            | "Sample" >> beam.FlatMap(_sample, self._declaration, self._draw, sizes)
            | "Merge samples" >> beam.CombinePerKey(_MergeScalings())
        )
        finished = (
            {"ids": ids, "parts": learned.parts, "samples": samples}
            | "By field" >> beam.CoGroupByKey()
            | "Finish fields"
            >> beam.Map(_finish, self._declaration, self._draw.seed, self._folder, self._extended)
        )
        return {"counted": learned.counted, "fields": finished}


class _Learn(beam.DoFn):
    def __init__(self, declaration: Declaration, draw: SplitDraw):
        self._declaration = declaration
        self._draw = draw

    def process(self, chunk: Chunk) -> Iterator:
        (frame, splits, labels), rows_stay = chunk.load_with_counts(self._draw)
        train = splits == TRAIN
        for field in self._declaration.fields:
            learner = FieldLearner(field, self._declaration, self._draw.seed)
            learner.add(frame, train)
            values, scaling = 0, learner.scaling
            if field.kind == NUMERIC and field.scaling == QUANTILE:
                # Its sample depends on how many values there were in the chunks before.
                values = int(np.count_nonzero(~np.isnan(learner.numbers(frame)[train])))
                scaling = ScalingLearner(QUANTILE)
            part = FieldPart(chunk.number, learner.counts, values, scaling)
            yield beam.pvalue.TaggedOutput("parts", (field.name, part))
            if field.kind not in (NUMERIC, VECTOR) and field.hashed is None:
                owner = field.shares or field.name
                yield beam.pvalue.TaggedOutput("ids", (owner, learner.id_counter.table()))
        counts = RowCounts(self._declaration)
        counts.add(frame, splits, labels)
        counts.left_out, counts.in_no_split = rows_stay.left_out, rows_stay.in_no_split
        yield chunk.number, counts


def _frequent(
    element: tuple[str, pl.DataFrame], fields: Mapping[str, DeclaredField], known: Collection[str]
) -> tuple[str, pl.DataFrame]:
    """Drops rare ids; keeps numbers of quantile bins, and ids that an earlier dataset may have."""
    name, table = element
    if fields[name].bins == QUANTILE or name in known:
        return name, table
    return name, table.filter(pl.col("count") >= fields[name].min_count)


def _sample(
    chunk: Chunk,
    declaration: Declaration,
    draw: SplitDraw,
    sizes: Sequence[tuple[str, int, int]],
) -> Iterator[tuple[str, ScalingLearner]]:
    """Samples the training values of the fields of quantile scaling."""
    fields = [f for f in declaration.fields if f.kind == NUMERIC and f.scaling == QUANTILE]
    if not fields:
        return
    frame, splits, _ = chunk.load(draw)
    before: collections.Counter[str] = collections.Counter()
    for name, number, values in sizes:
        if number < chunk.number:
            before[name] += values
    for field in fields:
        learner = FieldLearner(field, declaration, draw.seed)
        learner.scaling.skip(before[field.name])
        learner.scaling.add(learner.numbers(frame)[splits == TRAIN])
        yield field.name, learner.scaling


class _MergeScalings(beam.CombineFn):
    """Merges what does not depend on the order."""

    def create_accumulator(self) -> ScalingLearner:
        return ScalingLearner(QUANTILE)

    def add_input(self, scaling: ScalingLearner, other: ScalingLearner) -> ScalingLearner:
        scaling.merge(other)
        return scaling

    def merge_accumulators(self, scalings: Iterable[ScalingLearner]) -> ScalingLearner:
        merged = ScalingLearner(QUANTILE)
        for scaling in scalings:
            merged.merge(scaling)
        return merged

    def extract_output(self, scaling: ScalingLearner) -> ScalingLearner:
        return scaling


def _finish(
    element: tuple[str, Mapping[str, Iterable]],
    declaration: Declaration,
    seed: int,
    folder: pathlib.Path,
    extended: ExtendedDataset | None,
) -> LearnedField:
    """Puts together what all chunks say of a field, and writes its vocabulary.

    A field that shares its ids has the vocabulary of another one, whose size is not known here.
    """
    name, groups = element
    (declared,) = (field for field in declaration.fields if field.name == name)
    earlier = extended.field(name) if extended and declared.shares is None else None
    learner = FieldLearner(declared, declaration, seed, earlier)
    for part in sorted(groups["parts"], key=lambda part: part.chunk):
        learner.counts.merge(part.counts)
        learner.scaling.merge(part.scaling)
    for scaling in groups["samples"]:
        learner.scaling.merge(scaling)
    for table in groups["ids"]:
        if table.height:
            learner.id_counter.add(table["id"], table["count"])
    field, vocabulary = learner.finish()
    if vocabulary is not None and declared.shares is None:
        with replaced(vocabulary_file(folder, name)) as partial:
            ages = vocabulary.unseen if extended else None
            write_vocabulary(partial, vocabulary.ids, vocabulary.counts, ages)
    growth = None if learner.growth is None else learner.growth.counts
    return LearnedField(field, learner.counts, growth)


def vocabulary_file(folder: pathlib.Path, field: str) -> pathlib.Path:
    """Returns the intermediate file of a field's vocabulary."""
    _, unique = file_names(field)
    return folder / f"{unique}.parquet"


class EncodeLog:
    """Builds the stage that encodes the chunks and writes the shards.

    Args:
      chunks: Chunks of the log.
      vocabularies: the file of the vocabulary of each field of ids.
      schema: Schema of the dataset, without its shards.
      shards: Number of shards of each split.
      draw: Draws the split.
      folder: Folder of the dataset while it is written.
      tables: Files of the joined tables.
    """

    def __init__(
        self,
        chunks: Sequence[Chunk],
        vocabularies: Mapping[str, pathlib.Path],
        schema: Schema,
        shards: Mapping[str, int],
        draw: SplitDraw,
        folder: pathlib.Path,
        tables: TableFiles,
    ):
        self._chunks = chunks
        self._encode = (_Encoders(vocabularies, schema, tables), shards, draw)
        self._schema = schema
        self._folder = folder

    def build(self, pipeline: beam.Pipeline) -> Results:
        """Adds the steps; for `run_stage`."""
        encoded = (
            pipeline
            | "Chunks" >> beam.Create(self._chunks)
            | "Spread chunks" >> beam.Reshuffle()
            | "Encode" >> beam.ParDo(_Encode(*self._encode)).with_outputs("counted", main="rows")
        )
        entities = (
            pipeline
            | "Entity tables" >> beam.Create(list(self._schema.entities))
            | "Encode entity tables" >> beam.FlatMap(_entity_rows, self._encode[0])
        )
        rows = (encoded.rows, entities) | beam.Flatten()
        written = rows | WriteShards(self._folder, self._schema)
        return {"written": written, "counted": encoded.counted}


class _Encoders:
    """Makes the encoder of rows, once in each process of a worker.

    Args:
      vocabularies: the file of the vocabulary of each field of ids.
      schema: Schema of the dataset, without its shards.
      tables: Files of the joined tables.
    """

    def __init__(
        self, vocabularies: Mapping[str, pathlib.Path], schema: Schema, tables: TableFiles
    ):
        self.schema = schema
        self._vocabularies = vocabularies
        self._tables = tables
        self._shared = Shared()

    def encoder(self) -> EncodeRows:
        """Returns the encoder."""
        return self._shared.acquire(self._load)

    def _load(self) -> EncodeRows:
        read = {path: read_vocabulary(path) for path in {*self._vocabularies.values()}}
        paths = self._vocabularies
        encoders = [
            FieldEncoder(field, read[paths[field.name]] if field.has_vocabulary else None)
            for field in self.schema.fields
        ]
        return EncodeRows(encoders, self._tables.tables())


class _Encode(beam.DoFn):
    def __init__(self, encoders: _Encoders, shards: Mapping[str, int], draw: SplitDraw):
        self._encoders = encoders
        self._shards = shards
        self._draw = draw

    def process(self, chunk: Chunk) -> Iterator:
        encode, schema = self._encoders.encoder(), self._encoders.schema
        frame, splits, labels = chunk.load(self._draw)
        counts, missing = EncodedCounts(), encode.missing_numbers(frame)
        encoded = encode(frame) | coded(labels, schema.tasks)
        for split in np.unique(splits):
            chosen = np.flatnonzero(splits == split)
            columns = {name: take_rows(column, chosen) for name, column in encoded.items()}
            name = SPLIT_NAMES[split]
            absent = {field: lacks[chosen] for field, lacks in missing.items()}
            encode.count(counts, name, columns, absent)
            yield from scatter(schema, name, chunk.number, columns, self._shards[name])
        yield beam.pvalue.TaggedOutput("counted", counts)


def _entity_rows(entity: str, encoders: _Encoders) -> Iterator:
    """Yields the rows of an entity table, as `line_up` sends them to shards."""
    encode = encoders.encoder()
    for name, first in encode.chunks():
        if name == entity:
            yield from line_up(encoders.schema, name, first, encode.entity_rows(name, first))
