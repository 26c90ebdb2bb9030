"""TFRecord shards of blocks of rows, under the names that TFDS expects."""

import concurrent.futures
import pathlib

import numpy as np

from data_prep.storage.columns import DiskColumns, cut, row_count
from data_prep.storage.records import RecordFile
from dcrnn_tf.dataset.names import ascii_names
from dcrnn_tf.dataset.schema import Shard, sha256_of_file
from dcrnn_tf.system.whole_file import naming_file

BLOCK_ROWS = 1024
SHARD_BLOCKS = 256


class ShardWriter:
    """Cuts rows into blocks and blocks into TFRecord shards with TFDS's file names."""

    def __init__(self, folder: pathlib.Path, name: str, split: str):
        self._folder = folder
        self._name, self._split = name, split
        self._shards: list[list[int]] = []  # rows and records of each
        self._file: RecordFile | None = None
        self._carry: DiskColumns | None = None

    def add(self, columns: DiskColumns) -> None:
        """Appends rows."""
        carry = self._carry
        carried = 0 if carry is None else row_count(carry)
        rows = row_count(columns)
        ends = [*range(BLOCK_ROWS - carried, rows + 1, BLOCK_ROWS), rows]
        first, *more = cut(columns, np.array(ends))
        if carry is not None and carried:
            first = {name: np.concatenate([carry[name], first[name]]) for name in first}
        *blocks, rest = first, *more
        for block in blocks:
            self._write_block(block)
        self._carry = {name: values.copy() for name, values in rest.items()}

    def close(self) -> tuple[Shard, ...]:
        """Writes the last, shorter block, and returns the shards under their final names."""
        if self._carry is not None and row_count(self._carry):
            self._write_block(self._carry)
        if self._file is not None:
            self._file.close()
        paths = []
        for number in range(len(self._shards)):
            name = shard_name(self._name, self._split, number, len(self._shards))
            paths.append(self._path(number).rename(self._folder / name))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            digests = pool.map(sha256_of_file, paths)
        return tuple(
            Shard(path.name, rows, records, path.stat().st_size, digest)
            for path, (rows, records), digest in zip(paths, self._shards, digests, strict=True)
        )

    def _path(self, number: int) -> pathlib.Path:
        return self._folder / f"{prefix(self._name)}-{self._split}.tfrecord.shard{number}"

    def _write_block(self, block: DiskColumns) -> None:
        if self._file is None or self._shards[-1][1] == SHARD_BLOCKS:
            if self._file is not None:
                self._file.close()
            self._file = RecordFile(self._path(len(self._shards)))
            self._shards.append([0, 0])
        self._file.write(block)
        self._shards[-1][0] += row_count(block)
        self._shards[-1][1] += 1


def write_shard(path: pathlib.Path, columns: DiskColumns) -> Shard:
    """Writes rows as one shard, whatever their number."""
    rows = row_count(columns)
    ends = [*range(BLOCK_ROWS, rows, BLOCK_ROWS), rows]
    with naming_file(path), RecordFile(path) as file:
        for block in cut(columns, np.array(ends)):
            file.write(block)
    return Shard(path.name, rows, len(ends), path.stat().st_size, sha256_of_file(path))


def shard_name(name: str, split: str, number: int, count: int) -> str:
    """The file's name that TFDS expects."""
    return f"{prefix(name)}-{split}.tfrecord-{number:05d}-of-{count:05d}"


def prefix(name: str) -> str:
    """Returns what the names of the files of a dataset or an entity table begin with."""
    return ascii_names([name])[name]
