"""A prepared dataset with fewer training rows, all else being the same."""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import struct

import numpy as np

from dcrnn_tf.dataset.schema import Schema, Shard, load_schema, sha256_of_file
from dcrnn_tf.system.errors import UserError
from dcrnn_tf.system.whole_folder import whole_folder

_TRAIN = "train"


def make(source: pathlib.Path, target: pathlib.Path, rows: int) -> pathlib.Path:
    """Makes a dataset whose training rows are the first of another one's; returns its folder.

    The rows of a split lie in random order, so that its first blocks are a random sample. It has
    the fewest whole blocks that hold the wanted rows. Validation and test rows, vocabularies and
    scalings stay, though they may come from rows that are left out. A folder that exists stays.

    Args:
      source: Folder of the dataset.
      target: Folder to make.
      rows: Number of training rows that are wanted.

    Raises:
      UserError: The dataset has fewer.
    """
    if target.exists():
        return target
    schema = load_schema(source)
    there = schema.split(_TRAIN).rows
    if there < rows:
        raise UserError(f"{source} has {there:,} training rows, {rows:,} were asked for")
    with whole_folder(target, target.with_name(f"{target.name}.partial")) as partial:
        left_out = shutil.ignore_patterns(*(s.file for s in schema.split(_TRAIN).shards))
        shutil.copytree(source, partial, copy_function=_copy, dirs_exist_ok=True, ignore=left_out)
        shards, left = [], rows
        for shard in schema.split(_TRAIN).shards:
            if left > 0:
                shards.append(_first_blocks(schema, source, partial, shard, left))
                left -= shards[-1].rows
        _save(schema, partial, shards)
    return target


def _copy(source: str, target: str) -> None:
    """Gives a shard a second name, which takes no room; copies it where disks differ."""
    if ".tfrecord-" in pathlib.Path(source).name:
        with contextlib.suppress(OSError):
            os.link(source, target)
            return
    shutil.copy2(source, target)


def _first_blocks(
    schema: Schema, source: pathlib.Path, target: pathlib.Path, shard: Shard, rows: int
) -> Shard:
    """Copies the first blocks of a shard until they hold the wanted rows, or all of them."""
    import tensorflow as tf

    column = schema.tasks[0].column
    size = np.dtype(schema.tasks[0].column_type).itemsize
    path = target / shard.file
    kept, records = 0, 0
    with open(source / shard.file, "rb") as file, open(path, "wb") as copy:
        while kept < rows and records < shard.records:
            head = file.read(12)  # length and its checksum, then content and its checksum
            content = file.read(struct.unpack("<Q", head[:8])[0])
            copy.write(head + content + file.read(4))
            block = tf.train.Example.FromString(content).features.feature[column]
            kept += len(block.bytes_list.value[0]) // size
            records += 1
    return Shard(shard.file, kept, records, path.stat().st_size, sha256_of_file(path))


def _save(schema: Schema, folder: pathlib.Path, shards: list[Shard]) -> None:
    """Writes the schema, whose counts of positives are those of the rows that are there."""
    from dcrnn_tf.dataset.reader import PreparedDataset

    rows = sum(shard.rows for shard in shards)
    split = dataclasses.replace(
        schema.split(_TRAIN),
        rows=rows,
        shards=tuple(shards),
        positives=dict.fromkeys(schema.task_names, 0),  # until the rows can be read
        defined=dict.fromkeys(schema.task_names, rows),
        out_of_sequence=None,
    )
    fewer = dataclasses.replace(schema, splits={**schema.splits, _TRAIN: split}, former=None)
    fewer.save(folder)
    dataset = PreparedDataset(folder, fields=(), splits=(_TRAIN,))
    parts = [labels for _, labels in dataset.batches(_TRAIN, 8192, weighted=False)]
    columns = {t.name: np.concatenate([p[t.name].numpy() for p in parts]) for t in schema.tasks}
    split = dataclasses.replace(
        split,
        positives={name: int((values > 0).sum()) for name, values in columns.items()},
        defined={name: int((values >= 0).sum()) for name, values in columns.items()},
    )
    dataclasses.replace(fewer, splits={**schema.splits, _TRAIN: split}).save(folder)
