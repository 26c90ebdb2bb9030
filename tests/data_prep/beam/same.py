"""Whether two prepared datasets are the same but for their shards and the order of their rows."""

import collections
import dataclasses

import numpy as np
import polars as pl

from data_prep.storage.columns import cut, row_count
from dcrnn_tf.dataset.schema import load_schema
from tests.data_prep.storage.test_writer import read


def assert_same(one, other, entities=True, files=True):
    """Compares two prepared datasets.

    Args:
      one: Folder of one.
      other: Folder of the other.
      entities: Whether the entity tables' shards are to be the same, to the bit.
      files: Whether they are to be made of the same files.
    """
    schemas = [load_schema(folder) for folder in (one, other)]
    first, second = (bare(schema, entities) for schema in schemas)
    if not files:
        first, second = (dataclasses.replace(schema, source={}) for schema in (first, second))
    assert first == second
    for field in schemas[0].fields:
        if field.has_vocabulary and not field.shares:
            tables = [vocabulary(folder, field.name) for folder in (one, other)]
            assert tables[0].equals(tables[1])
            assert tables[0].schema == tables[1].schema
    for split in schemas[0].splits:
        assert rows(one, split) == rows(other, split)
    for entity in schemas[0].entities:
        first, second = (read(folder / entity) for folder in (one, other))
        assert all(np.array_equal(first[name], second[name]) for name in first | second)


def bare(schema, entities):
    splits = {name: dataclasses.replace(s, shards=()) for name, s in schema.splits.items()}
    tables = schema.entities
    if not entities:
        tables = {name: dataclasses.replace(e, shards=()) for name, e in tables.items()}
    return dataclasses.replace(schema, splits=splits, entities=tables)


def vocabulary(folder, field):
    return pl.read_parquet(folder / "vocabularies" / f"{field}.parquet")


def rows(folder, split):
    columns = read(folder, split)
    columns = {name: columns[name] for name in sorted(columns)}
    ends = np.arange(row_count(columns)) + 1
    return collections.Counter(
        tuple(values.tobytes() for values in row.values()) for row in cut(columns, ends)
    )
