"""Ways to spoil a prepared dataset."""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.schema import load_schema, sha256_of_file


def flip_byte(path: pathlib.Path) -> None:
    """Flips a bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def change_column(folder: pathlib.Path, part: str, record: int, column: str, change) -> None:
    """Changes a column of a record in the first shard of a split or an entity table.

    The schema then tells of the changed file, as if it had been prepared so: what reads it cannot
    know by size or checksum.

    Args:
      folder: of the dataset.
      part: name of the split or the entity table.
      record: its number.
      column: as on disk.
      change: gets the column as an array to change in place, or returns another.
    """
    schema = load_schema(folder)
    whole = {**schema.splits, **schema.entities}[part]
    dtypes = schema.exposure_columns()
    if part in schema.entities:
        dtypes = schema.entity_columns(part)
    path = folder / whole.shards[0].file
    examples = [
        tf.train.Example.FromString(raw)
        for raw in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    ]
    (raw,) = examples[record].features.feature[column].bytes_list.value
    values = np.frombuffer(raw, dtypes[column]).copy()
    changed = change(values)
    values = values if changed is None else changed
    examples[record].features.feature[column].bytes_list.value[:] = [values.tobytes()]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for example in examples:
            writer.write(example.SerializeToString(deterministic=True))
    shard = dataclasses.replace(
        whole.shards[0], bytes=path.stat().st_size, sha256=sha256_of_file(path)
    )
    whole = dataclasses.replace(whole, shards=(shard, *whole.shards[1:]))
    kind = "splits" if part in schema.splits else "entities"
    parts = {**getattr(schema, kind), part: whole}
    dataclasses.replace(schema, **{kind: parts}).save(folder)


def put(position: int, value: float):
    """A change for `change_column`: one value."""

    def change(values: np.ndarray) -> None:
        values[position] = value

    return change


def replace(old: float, new: float):
    """A change for `change_column`: of all values that are equal to one."""

    def change(values: np.ndarray) -> None:
        values[values == old] = new

    return change
