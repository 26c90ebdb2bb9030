"""TFRecord shards of blocks, and the metadata by which TFDS reads them.

One TFRecord record is a `tf.train.Example` of a block of 1,024 rows, a column a feature, its raw
little-endian bytes the value: blocks are read several times faster than one Example a row, and
TFDS understands them (`Tensor(shape=(None,), encoding="bytes")`).
"""

import concurrent.futures
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from data_prep.storage.columns import DiskColumns, cut, row_count
from dcrnn_tf.dataset.names import ascii_names
from dcrnn_tf.dataset.schema import Schema, Shard, sha256_of_file
from dcrnn_tf.system.whole_file import naming_file

if TYPE_CHECKING:
    import tensorflow as tf

BLOCK_ROWS = 1024
SHARD_BLOCKS = 256


class ShardWriter:
    """Cuts rows into blocks and blocks into TFRecord shards with TFDS's file names."""

    def __init__(self, folder: pathlib.Path, name: str, split: str):
        self._folder = folder
        self._name, self._split = name, split
        self._shards: list[list[int]] = []  # rows and records of each
        self._file: tf.io.TFRecordWriter | None = None
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
            self._file = _record_writer(self._path(len(self._shards)))
            self._shards.append([0, 0])
        self._file.write(_record(block))
        self._shards[-1][0] += row_count(block)
        self._shards[-1][1] += 1


def write_shard(path: pathlib.Path, columns: DiskColumns) -> Shard:
    """Writes rows as one shard, whatever their number."""
    rows = row_count(columns)
    ends = [*range(BLOCK_ROWS, rows, BLOCK_ROWS), rows]
    with naming_file(path), _record_writer(path) as file:
        for block in cut(columns, np.array(ends)):
            file.write(_record(block))
    return Shard(path.name, rows, len(ends), path.stat().st_size, sha256_of_file(path))


def shard_name(name: str, split: str, number: int, count: int) -> str:
    """The file's name that TFDS expects."""
    return f"{prefix(name)}-{split}.tfrecord-{number:05d}-of-{count:05d}"


def prefix(name: str) -> str:
    """Returns what the names of the files of a dataset or an entity table begin with."""
    return ascii_names([name])[name]


def _record_writer(path: pathlib.Path) -> "tf.io.TFRecordWriter":
    import tensorflow as tf  # late, so that programs answer --help and bad flags at once

    return tf.io.TFRecordWriter(str(path))


def _record(block: DiskColumns) -> bytes:
    import tensorflow as tf

    feature = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[values.tobytes()]))
        for name, values in block.items()
    }
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    return example.SerializeToString(deterministic=True)


def write_tfds_metadata(folder: pathlib.Path, schema: Schema) -> None:
    """Writes what `tfds.builder_from_directory` reads, for the dataset and its entity tables."""
    import tensorflow_datasets as tfds

    def write(folder: pathlib.Path, name: str, columns: Mapping[str, str], shards) -> None:
        tfds.folder_dataset.write_metadata(
            data_dir=folder,
            features=tfds_features(columns),
            split_infos=tfds_splits(folder, name, shards),
            description=f"{name}: each record is a block of up to {BLOCK_ROWS} rows.",
        )

    shards = {name: split.shards for name, split in schema.splits.items()}
    write(folder, schema.name, schema.exposure_columns(), shards)
    for name, entity in schema.entities.items():
        write(folder / name, name, schema.entity_columns(name), {"train": entity.shards})


def tfds_features(columns: Mapping[str, str]):
    """The `FeaturesDict` of blocks of columns on disk, given with their types."""
    import tensorflow_datasets as tfds

    features: dict = {}
    for column, dtype in columns.items():
        base, _, part = column.rpartition("/")
        kind = np.dtype(dtype)
        shape = (None, *kind.shape)
        tensor = tfds.features.Tensor(shape=shape, dtype=kind.base, encoding="bytes")
        if base:
            features.setdefault(base, {})[part] = tensor
        else:
            features[column] = tensor
    return tfds.features.FeaturesDict(features)


def tfds_splits(folder: pathlib.Path, name: str, shards: Mapping[str, Sequence[Shard]]) -> list:
    """The `SplitInfo` of each split whose shards lie in a folder."""
    import tensorflow_datasets as tfds

    return [
        tfds.core.SplitInfo(
            name=split,
            shard_lengths=[shard.records for shard in files],
            num_bytes=sum(shard.bytes for shard in files),
            filename_template=tfds.core.ShardedFileTemplate(
                data_dir=folder,
                dataset_name=prefix(name),
                split=split,
                filetype_suffix="tfrecord",
            ),
        )
        for split, files in shards.items()
    ]
