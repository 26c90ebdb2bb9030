"""The groups that the rows of a split fall into, such as those of a user, for metrics by group."""

import dataclasses

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.encodings import FIRST_ID_ROW
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import CATEGORICAL, DatasetError, Field, Schema, load_schema
from dcrnn_tf.metrics.by_group.ranking import NO_GROUP
from dcrnn_tf.system.nearest import did_you_mean

DEFAULT = "user"
"""The entity table whose rows are the groups, where a dataset has it and nothing else is said."""

_BLOCKS = 64  # blocks of rows that are read at a time


@dataclasses.dataclass(frozen=True)
class RowGroups:
    """Groups of a split's rows.

    Attributes:
      name: Entity table or field that tells the groups apart.
      numbers: Number of each row's group, int32 `(rows,)`; `NO_GROUP` of a row without one.
    """

    name: str
    numbers: np.ndarray


def available(dataset: PreparedDataset, name: str | None) -> bool:
    """Whether rows have groups, by this name or by default."""
    return name is not None or DEFAULT in dataset.schema.entities


def check(dataset: PreparedDataset, name: str | None) -> None:
    """Refuses a name that no groups can be told apart by.

    Args:
      dataset: The dataset; any of its fields is taken, whether the model uses it or not.
      name: An entity table, a field with one id a row, or None.

    Raises:
      DatasetError: It is neither.
    """
    if name is not None:
        _entity_or_field(load_schema(dataset.folder), name)


def read(dataset: PreparedDataset, split: str, name: str | None = None) -> RowGroups | None:
    """Returns the groups of a split's rows, in the order on disk.

    The rows of an entity table are a group each. So are the ids of a field, but not its unknown and
    missing values: rows that have these belong to no group.

    Args:
      dataset: The dataset; any of its fields is taken, whether the model uses it or not.
      split: Name of the split.
      name: An entity table or a field with one id a row; the entity table `user` if not given.

    Returns:
      The groups; None where no name is given and there is no such table.

    Raises:
      DatasetError: There is no such entity table or field, or a file is damaged.
    """
    schema = load_schema(dataset.folder)
    if not available(dataset, name):
        return None
    name = name or DEFAULT
    found = _entity_or_field(schema, name)
    if not isinstance(found, Field):
        return RowGroups(name, _entity_rows(dataset, split, schema, name))
    ids = values_of_field(dataset, split, schema, found)
    return RowGroups(name, np.where(ids < FIRST_ID_ROW, np.int32(NO_GROUP), ids))


def values_of_field(
    dataset: PreparedDataset, split: str, schema: Schema, field: Field
) -> np.ndarray:
    """Returns a field's ids (int32) or numbers (float32) of a split's rows, `(rows,)`.

    Args:
      dataset: The dataset.
      split: Name of the split.
      schema: Schema of the whole dataset.
      field: The field, categorical or numeric, of exposures or of an entity table.
    """
    ((column, dtype),) = field.columns.items()
    if field.entity is None:
        limit = field.vocabulary_size if field.has_ids else None
        return _exposure_column(dataset, split, schema, column, dtype, limit)
    rows = _entity_rows(dataset, split, schema, field.entity)
    table = PreparedDataset(dataset.folder, [field.name]).entity_table(field.entity)
    values: np.ndarray = table.lookup(tf.constant(rows))[field.name].numpy()
    return values


def _entity_or_field(schema: Schema, name: str) -> object:
    if name in schema.entities:
        return schema.entities[name]
    fields = {field.name: field for field in schema.fields}
    usable = [*schema.entities, *(f.name for f in fields.values() if f.kind == CATEGORICAL)]
    if name not in usable:
        what = f"a {fields[name].kind} field" if name in fields else "no entity table or field"
        raise DatasetError(
            f"rows cannot be grouped by {name}, {what} of dataset {schema.name}; expected an "
            f"entity table or a field with one id a row{did_you_mean(name, usable)}"
        )
    return fields[name]


def _entity_rows(dataset: PreparedDataset, split: str, schema: Schema, entity: str) -> np.ndarray:
    table = schema.entities[entity]
    return _exposure_column(dataset, split, schema, table.row_name, "int32", table.rows)


def _exposure_column(
    dataset: PreparedDataset,
    split: str,
    schema: Schema,
    column: str,
    dtype: str,
    limit: int | None,
) -> np.ndarray:
    """Returns a column of a split's rows, `(rows,)`, in the order on disk.

    Whole numbers are checked to be from 0 to below the limit.
    """
    files = [str(dataset.folder / shard.file) for shard in schema.split(split).shards]
    described = {column: tf.io.FixedLenFeature((), tf.string)}
    parts = [np.empty(0, dtype)]
    with dataset.naming_damage():
        for records in tf.data.TFRecordDataset(files).batch(_BLOCKS):
            blocks = tf.io.parse_example(records, described)[column].numpy()
            parts += [np.frombuffer(block, np.dtype(dtype).newbyteorder("<")) for block in blocks]
        values = np.concatenate(parts)
        if limit is not None and len(values) and not 0 <= values.min() <= values.max() < limit:
            raise tf.errors.InvalidArgumentError(None, None, f"{column} has numbers out of range")
    return values
