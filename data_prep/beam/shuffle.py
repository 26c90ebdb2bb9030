"""Writes the rows of all workers into shards: exposures in random order, entity tables in theirs.

Each row of a chunk draws a number from a generator seeded by the dataset's seed and the chunk's
number, which decides the row's shard and its position there. So the order is a uniform shuffle of
all rows, whatever the number of workers and the order in which they finish.
"""

import collections
import dataclasses
import pathlib
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence

import apache_beam as beam
import numpy as np

from data_prep.beam.stage import replaced
from data_prep.storage.columns import (
    Columns,
    DiskColumns,
    count_labels,
    cut,
    disk_columns,
    disk_labels,
    row_count,
    take,
)
from data_prep.storage.dataset_folder import in_order
from data_prep.storage.shards import BLOCK_ROWS, SHARD_BLOCKS, shard_name, write_shard
from dcrnn_tf.dataset.schema import Entity, Schema, Shard, Split, Task
from dcrnn_tf.system import process_start

SHARD_ROWS = SHARD_BLOCKS * BLOCK_ROWS

_UNNAMED = "unnamed"  # folder of the shards until it is known how many there are


@dataclasses.dataclass(frozen=True)
class Part:
    """Rows of one chunk that go to one shard.

    Attributes:
      order: Number by which the parts of a shard are ordered: the chunk's among all chunks, or
        that of the part's first row in an entity table.
      drawn: a number from 0 to 1 for each row that is to be shuffled, None where rows keep their
        order.
      columns: the rows.
    """

    order: int
    drawn: np.ndarray | None
    columns: DiskColumns


@dataclasses.dataclass(frozen=True)
class Written:
    """A shard, written as `path`.

    Attributes:
      table: the split's name, or the entity table's.
      number: Number of the shard, from 0.
      path: Path of its file, under a temporary name.
      shard: Entry of the shard in the schema.
      positives: rows of a split on which each task is positive.
      defined: rows of a split on which each task is defined.
      out_of_sequence: rows on which each task is positive and the one before it is not.
    """

    table: str
    number: int
    path: pathlib.Path
    shard: Shard
    positives: Mapping[str, int]
    defined: Mapping[str, int]
    out_of_sequence: Mapping[str, int]


def shard_count(rows: int) -> int:
    """Returns the number of shards of a split."""
    return max(1, -(-rows // SHARD_ROWS))


def scatter(
    schema: Schema, split: str, chunk: int, columns: Columns, shards: int
) -> Iterator[tuple[tuple[str, int], Part]]:
    """Spreads the rows of a chunk over the shards of a split.

    Args:
      schema: Schema of the dataset; its seed is the shuffle's.
      split: the rows' split.
      chunk: number of the chunk among all that are of the split.
      columns: the rows, as `DatasetWriter.add_rows` takes them.
      shards: Number of shards.

    Yields:
      The key of a shard, and the rows that go there.
    """
    flat = disk_columns(columns, schema.exposure_fields(), schema.exposure_columns())
    random = np.random.default_rng([schema.seed, *split.encode(), chunk])
    drawn = random.random(row_count(flat))
    shard = (drawn * shards).astype(np.int64)
    order = np.argsort(shard, kind="stable")
    ends = np.cumsum(np.bincount(shard, minlength=shards))
    parts = zip(np.split(drawn[order], ends[:-1]), cut(take(flat, order), ends), strict=True)
    for number, (draws, part) in enumerate(parts):
        if len(draws):
            yield (split, number), Part(chunk, draws, part)


def line_up(
    schema: Schema, entity: str, first: int, columns: Columns
) -> Iterator[tuple[tuple[str, int], Part]]:
    """Sends rows of an entity table, the first of which has number `first`, to its shards."""
    flat = disk_columns(columns, schema.entity_fields(entity), schema.entity_columns(entity))
    last = first + row_count(flat)
    bounds = [*range((first // SHARD_ROWS + 1) * SHARD_ROWS, last, SHARD_ROWS), last]
    begin = first
    for end, part in zip(bounds, cut(flat, np.array(bounds) - first), strict=True):
        if end > begin:
            yield (entity, begin // SHARD_ROWS), Part(begin, None, part)
        begin = end


class WriteShards(beam.PTransform):
    """Writes shards: what `scatter` and `line_up` yield in, a `Written` for each shard out.

    Args:
      folder: Folder of the dataset while it is written.
      schema: Schema of the dataset.
    """

    def __init__(self, folder: pathlib.Path, schema: Schema):
        super().__init__()
        self._folder = folder
        self._schema = schema

    def expand(self, parts: beam.PCollection) -> beam.PCollection:
        """Adds the steps."""
        return (
            parts
            | "Group rows by shard" >> beam.GroupByKey()
            | "Write shards" >> beam.Map(_write, self._folder, self._schema)
        )


def _write(
    element: tuple[tuple[str, int], Iterable[Part]], folder: pathlib.Path, schema: Schema
) -> Written:
    (table, number), parts = element
    parts = sorted(parts, key=lambda part: part.order)
    columns = {
        name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns
    }
    tasks: Sequence[Task] = ()
    if parts[0].drawn is not None:
        tasks = schema.tasks
        drawn = np.concatenate([part.drawn for part in parts])
        columns = take(columns, np.argsort(drawn, kind="stable"))
    path = folder / _UNNAMED / f"{table}.shard{number}"
    path.parent.mkdir(exist_ok=True)
    process_start.import_tensorflow_quietly()  # this process may be a worker of Beam's
    with replaced(path) as partial:
        shard = write_shard(partial, columns)
    return Written(table, number, path, shard, *count_labels(disk_labels(columns, tasks), tasks))


def name_shards(folder: pathlib.Path, schema: Schema, written: Sequence[Written]) -> Schema:
    """Gives shards their names, and returns the schema with them."""
    by_table: dict[str, list[Written]] = collections.defaultdict(list)
    for one in sorted(written, key=lambda one: one.number):
        by_table[one.table].append(one)
    entities, splits = {}, {}
    for name in schema.entities:
        (folder / name).mkdir()
        shards = [
            _named(folder, f"{name}/{shard_name(name, 'train', number, len(by_table[name]))}", one)
            for number, one in enumerate(by_table[name])
        ]
        entities[name] = Entity(name, sum(shard.rows for shard in shards), tuple(shards))
    for name in in_order(by_table.keys() - schema.entities.keys()):
        shards = [
            _named(folder, shard_name(schema.name, name, number, len(by_table[name])), one)
            for number, one in enumerate(by_table[name])
        ]
        counts = {
            what: {
                task: sum(getattr(w, what)[task] for w in by_table[name])
                for task in schema.task_names
            }
            for what in ("positives", "defined", "out_of_sequence")
        }
        splits[name] = Split(name, sum(s.rows for s in shards), shards=tuple(shards), **counts)
    shutil.rmtree(folder / _UNNAMED)  # what workers that were lost have left is there too
    return dataclasses.replace(schema, splits=splits, entities=entities)


def _named(folder: pathlib.Path, file: str, written: Written) -> Shard:
    written.path.rename(folder / file)
    return dataclasses.replace(written.shard, file=file)
