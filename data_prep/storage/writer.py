"""Writes a prepared dataset: shuffled on disk, in bounded memory, complete or absent.

Rows of a split are scattered over bucket files as they come, each to a random bucket; at the end
every bucket is read, permuted and cut into blocks. That is a uniform global shuffle whose memory
is at most three buckets: one is written while the next is read and permuted.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from data_prep.storage.columns import (
    Columns,
    DiskColumns,
    Ragged,
    count_labels,
    cut,
    disk_columns,
    disk_labels,
    row_count,
    take,
)
from data_prep.storage.dataset_folder import DatasetFolder, in_order
from data_prep.storage.shards import BLOCK_ROWS, ShardWriter
from dcrnn_tf.dataset.schema import (
    FILES_BESIDE,
    Entity,
    Field,
    Schema,
    Split,
    Task,
    sha256_of_file,
)
from dcrnn_tf.dataset.vocabulary import write_vocabulary

__all__ = ["BLOCK_ROWS", "Columns", "DatasetWriter", "Ragged"]  # all that its users need

BUCKET_ROWS = 1024 * BLOCK_ROWS


class DatasetWriter:
    """Collects rows, entity tables and vocabularies; `finish` makes the folder appear.

    Use it as a context: leaving it by an error removes what was written so far.

    Args:
      folder: Folder of the dataset; must not exist.
      name: short name, the shard files begin with it.
      fields: the schema's fields, vocabulary sizes included.
      tasks: the schema's tasks.
      seed: Seed of the shuffle.
      expected_rows: rows of the largest split, as far as known. It decides over how many bucket
        files a split is scattered, hence the memory of the shuffle.
      beside: names of columns of numbers that are no part of the dataset, but follow its order of
        rows: each becomes the files `NAME_SPLIT.npy`, float32 `(rows,)`, in its folder.

    Raises:
      DatasetError: the folder exists.
      FolderInUseError: another process writes it.
    """

    def __init__(
        self,
        folder: str | pathlib.Path,
        name: str,
        fields: Sequence[Field],
        tasks: Sequence[Task],
        seed: int,
        expected_rows: int = 0,
        beside: Sequence[str] = (),
    ):
        entities = dict.fromkeys(field.entity for field in fields if field.entity)
        self._schema = Schema(
            name=name,
            fields=tuple(fields),
            tasks=tuple(tasks),
            splits={},
            entities={entity: Entity(entity, 0, ()) for entity in entities},
            seed=seed,
        )
        self._folder = DatasetFolder(folder)
        self._bucket_count = max(1, -(-expected_rows // BUCKET_ROWS))
        self._beside = dict.fromkeys(beside, "float32")
        self._splits: dict[str, _SplitBuckets] = {}
        self._entities: dict[str, ShardWriter] = {}

    def __enter__(self) -> "DatasetWriter":
        return self

    def __exit__(self, error_type, error, traceback) -> None:
        self._folder.__exit__(error_type, error, traceback)

    def add_vocabulary(
        self, field: str, ids: np.ndarray, counts: np.ndarray, unseen: np.ndarray | None = None
    ) -> None:
        """Stores a field's raw ids (integers or strings), the first of them being row 2.

        The arguments are those of `write_vocabulary`.
        """
        write_vocabulary(self._folder.vocabulary_path(field), ids, counts, unseen)

    def add_entity_rows(self, entity: str, columns: Columns) -> None:
        """Appends rows to an entity table; the first row ever added is number 0.

        Args:
          entity: name of the table.
          columns: one array or `Ragged` per field of the table.
        """
        if entity not in self._entities:
            folder = self._folder.partial / entity
            folder.mkdir()
            self._entities[entity] = ShardWriter(folder, entity, "train")
        fields = self._schema.entity_fields(entity)
        self._entities[entity].add(
            disk_columns(columns, fields, self._schema.entity_columns(entity))
        )

    def add_rows(self, split: str, columns: Columns) -> None:
        """Adds exposures to a split; `finish` shuffles them.

        Args:
          split: `train`, `validation` or `test`.
          columns: one array or `Ragged` per field that no entity table holds, one array of zeros
            and ones per task (-1 where a label is missing), for each entity table its row numbers
            as `ENTITY_row`, and the columns `beside`.
        """
        if split not in self._splits:
            folder = self._folder.partial / f"buckets_{split}"
            seed = [self._schema.seed, *split.encode()]
            self._splits[split] = _SplitBuckets(folder, self._bucket_count, seed)
        fields = self._schema.exposure_fields()
        dtypes = self._schema.exposure_columns() | self._beside
        self._splits[split].add(disk_columns(columns, fields, dtypes))

    def finish(
        self,
        source: Mapping[str, object],
        settings: Mapping[str, object],
        filters: Mapping[str, object],
        progress: Callable[[int], object] = lambda rows: None,
        clean_up: Callable[[], object] = lambda: None,
    ) -> Schema:
        """Shuffles, writes shards, metadata and schema, and gives the folder its name.

        Args:
          source: the schema's `source`.
          settings: the schema's `settings`.
          filters: the schema's `filters`.
          progress: called with the number of rows each time some have been written.
          clean_up: removes intermediate files, called before the dataset appears: nobody would do
            so after a kill in between, since what is there is not prepared again.

        Returns:
          The schema of the finished dataset.
        """
        entities = {}
        for name, writer in self._entities.items():
            shards = writer.close()
            shards = tuple(dataclasses.replace(s, file=f"{name}/{s.file}") for s in shards)
            entities[name] = Entity(name, sum(shard.rows for shard in shards), shards)
        splits = {name: self._write_split(name, progress) for name in in_order(self._splits)}
        if self._beside:
            names = [f"{column}_{split}.npy" for split in splits for column in self._beside]
            digests = {name: sha256_of_file(self._folder.partial / name) for name in names}
            source = {**source, FILES_BESIDE: digests}
        schema = dataclasses.replace(
            self._schema,
            splits=splits,
            entities=entities,
            source=source,
            settings=settings,
            filters=filters,
        )
        self._folder.finish(schema, clean_up)
        return schema

    def _write_split(self, name: str, progress: Callable[[int], object]) -> Split:
        buckets = self._splits[name]
        counts: list[collections.Counter[str]] = [collections.Counter() for _ in range(3)]
        folder = self._folder.partial
        writer = ShardWriter(folder, self._schema.name, name)
        with contextlib.ExitStack() as stack:
            files = {}
            for column, dtype in self._beside.items():
                # Not a memory map, which ends the process where the disk is full.
                file = stack.enter_context(open(folder / f"{column}_{name}.npy", "wb"))
                header = np.lib.format.header_data_from_array_1_0(np.empty(0, dtype))
                np.lib.format.write_array_header_1_0(file, header | {"shape": (buckets.rows,)})
                files[column] = file
            for columns in buckets.shuffled():
                rows = row_count(columns)
                for column, file in files.items():
                    file.write(columns.pop(column).data)
                labels = disk_labels(columns, self._schema.tasks)
                of_bucket = count_labels(labels, self._schema.tasks)
                for count, found in zip(counts, of_bucket, strict=True):
                    count.update(found)
                writer.add(columns)
                progress(rows)
        positives, defined, out_of_sequence = map(dict, counts)
        return Split(name, buckets.rows, positives, defined, writer.close(), out_of_sequence)


class _SplitBuckets:
    """The rows of one split, scattered over bucket files: one per bucket and column."""

    def __init__(self, folder: pathlib.Path, buckets: int, seed: Sequence[int]):
        self.rows = 0
        self._folder = folder
        self._buckets = buckets
        self._random = np.random.default_rng(seed)
        self._dtypes: dict[str, np.dtype] = {}
        folder.mkdir()

    def add(self, columns: DiskColumns) -> None:
        rows = row_count(columns)
        self.rows += rows
        # One double a row, whatever the chunk: the shuffle does not depend on how rows arrive.
        bucket = (self._random.random(rows) * self._buckets).astype(np.int64)
        columns = take(columns, np.argsort(bucket, kind="stable"))
        ends = np.cumsum(np.bincount(bucket, minlength=self._buckets))
        self._dtypes = {n: np.dtype((v.dtype, v.shape[1:])) for n, v in columns.items()}
        for number, part in enumerate(cut(columns, ends)):
            for column, values in enumerate(part.values()):
                with open(self._path(number, column), "ab") as file:
                    file.write(values.data)

    def shuffled(self) -> Iterator[DiskColumns]:
        """Yields one bucket after the other, each in random order, and removes it."""
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(self._read, 0)
            for following in range(1, self._buckets + 1):
                columns = waiting.result()
                if following < self._buckets:
                    waiting = pool.submit(self._read, following)
                yield columns
        self._folder.rmdir()

    def _read(self, number: int) -> DiskColumns:
        columns = {
            name: np.fromfile(self._path(number, column), dtype)
            for column, (name, dtype) in enumerate(self._dtypes.items())
        }
        for column in range(len(self._dtypes)):
            self._path(number, column).unlink()
        return take(columns, self._random.permutation(row_count(columns)))

    def _path(self, number: int, column: int) -> pathlib.Path:
        return self._folder / f"{number:05d}.{column}"
