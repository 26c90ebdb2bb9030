"""Encodes Ali-CCP's parsed chunks: draws validation users, counts and encodes ids."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from data_prep.ali_ccp.chunks import ChunkedLog, load_chunk
from data_prep.ali_ccp.fields import USER
from data_prep.ali_ccp.settings import Settings
from data_prep.storage.columns import select, single_values
from data_prep.storage.group_draw import draw_groups
from data_prep.storage.writer import Columns, Ragged
from dcrnn_tf.dataset.encodings import INTEGER, MISSING_ID, Ids
from dcrnn_tf.dataset.schema import CATEGORICAL, MULTI_CATEGORICAL, Field
from dcrnn_tf.dataset.vocabulary import Vocabulary


def draw_validation(exposures: np.ndarray, settings: Settings) -> np.ndarray:
    """Draws users for validation who together have the wanted share of the training rows.

    Args:
      exposures: each user's training rows, `(users,)`.
      settings: `validation_fraction` and the seed are read.

    Returns:
      Who is in validation, `(users,)` bool.
    """
    wanted = round(settings.validation_fraction * int(exposures.sum()))
    return draw_groups(exposures, wanted, np.random.default_rng([settings.seed, 1]))


def training_rows(path: pathlib.Path, kept: np.ndarray, validation: np.ndarray) -> Columns:
    """The rows of a chunk file that are sampled and not in validation, without `user_row`."""
    columns = load_chunk(path)
    users = single_values(columns, "user_row")
    del columns["user_row"]
    return select(columns, kept & ~validation[users])


def counted(
    column: "np.ndarray | Ragged", weight: np.ndarray | None = None
) -> tuple[pl.Series, pl.Series | None]:
    """Returns the ids for an `IdCounter` to count, and the number of occurrences of each.

    Args:
      column: raw ids of a field.
      weight: Number of exposures that each row stands for, `(rows,)`; 1 by default.
    """
    values = column.values if isinstance(column, Ragged) else column
    taken = values != MISSING_ID
    if weight is None:
        return pl.Series(values[taken]), None
    if isinstance(column, Ragged):
        weight = np.repeat(weight, column.row_lengths)
    taken &= weight > 0
    return pl.Series(values[taken]), pl.Series(weight[taken])


def encode(
    columns: Columns, fields: Sequence[Field], vocabularies: Mapping[str, Vocabulary]
) -> dict:
    """Replaces raw ids by embedding rows; columns that are no fields stay as they are."""
    encoded = dict(columns)
    for field in fields:
        if (column := columns.get(field.name)) is None:
            continue
        values = column.values if isinstance(column, Ragged) else column
        rows = vocabularies[field.name].encode(pl.Series(values), field.encoded_as(Ids))
        if isinstance(column, Ragged):
            encoded[field.name] = dataclasses.replace(column, values=rows)
        else:
            encoded[field.name] = rows
    return encoded


def divide(
    split: str, columns: Columns, validation: np.ndarray, has_users: bool
) -> dict[str, Columns]:
    """Exposures of a raw split, `train` or `test`, by split of the dataset.

    Args:
      split: the raw split.
      columns: encoded.
      validation: who is in validation, `(users,)` bool.
      has_users: Whether the dataset has the entity table that `user_row` points into.
    """
    columns = dict(columns)
    held_out = validation[single_values(columns, "user_row")]
    if not has_users:
        del columns["user_row"]
    if split == "test":
        return {"test": columns}
    return {"train": select(columns, ~held_out), "validation": select(columns, held_out)}


def schema_fields(settings: Settings, sizes: Mapping[str, int], log: ChunkedLog) -> list[Field]:
    """The schema's fields.

    Args:
      settings: Settings of what to keep.
      sizes: embedding rows of each field, by name.
      log: Log whose longest lists are read.
    """
    by_raw_name = {field.raw_name: field.name for field in settings.fields}
    return [
        Field(
            field.name,
            MULTI_CATEGORICAL if field.multiple else CATEGORICAL,
            sizes[field.name],
            max_values=max(1, log.longest[field.name]) if field.multiple else 1,
            entity=USER if field.side == USER else None,
            weighted=field.multiple and settings.keep_feature_value,
            raw_name=field.raw_name,
            encoding=Ids(
                (str(MISSING_ID),),
                INTEGER,
                settings.min_count,
                max_values=settings.max_values if field.multiple else 1,
            ),
            attended_by=by_raw_name.get(field.attended_by or ""),
        )
        for field in settings.fields
    ]


def row_count(columns: Columns) -> int:
    """Rows of columns."""
    column = next(iter(columns.values()))
    return len(column.row_lengths if isinstance(column, Ragged) else column)
