"""Encodes rows of an own log: exposures, and the rows of the entity tables that they refer to."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from data_prep.own_log.field_encoder import FieldEncoder, missing_numbers
from data_prep.own_log.joined.tables import JoinedTable
from data_prep.own_log.statistics import EncodedCounts
from data_prep.storage.columns import Columns, Ragged, single_values
from dcrnn_tf.dataset.encodings import PADDING_ROW, UNKNOWN_ROW
from dcrnn_tf.dataset.schema import CATEGORICAL, MULTI_CATEGORICAL

_IDS = (CATEGORICAL, MULTI_CATEGORICAL)
ENTITY_ROWS = 1 << 16  # that are encoded at a time


class EncodeRows:
    """Encodes the fields of a log.

    Args:
      encoders: Encoders of all fields.
      tables: The joined tables; the fields of some are entity tables.
    """

    def __init__(self, encoders: Sequence[FieldEncoder], tables: Sequence[JoinedTable]):
        self._exposure = [encoder for encoder in encoders if encoder.field.entity is None]
        self._entities = {
            table.join.name: (table, own)
            for table in tables
            if (own := [e for e in encoders if e.field.entity == table.join.name])
        }
        # Of each row of an entity table, the numbers of unknown ids and of all ids, by field.
        self._ids = {name: self._count(name) for name in self._entities}

    def __call__(self, frame: pl.DataFrame) -> dict[str, np.ndarray | Ragged]:
        """Returns the columns that exposures store, of rows as `LogRows.read` yields them."""
        columns = {encoder.field.name: encoder(frame) for encoder in self._exposure}
        for table, _ in self._entities.values():
            columns[table.join.entity_row] = frame[table.join.row_column].to_numpy()
        return columns

    @property
    def entities(self) -> dict[str, int]:
        """The numbers of rows of the entity tables, by name."""
        return {name: table.frame.height + 1 for name, (table, _) in self._entities.items()}

    def entity_rows(self, name: str, first: int) -> Columns:
        """Returns up to `ENTITY_ROWS` rows of an entity table, of which the last lacks all values.

        Args:
          name: Name of the table.
          first: Number of the first of the rows.
        """
        rows = self._raw_rows(name, first)
        return {encoder.field.name: encoder(rows) for encoder in self._entities[name][1]}

    def _raw_rows(self, name: str, first: int) -> pl.DataFrame:
        table, _ = self._entities[name]
        numbers = np.arange(first, min(first + ENTITY_ROWS, table.frame.height + 1))
        return table.rows_of(np.where(numbers < table.frame.height, numbers, -1))

    def chunks(self) -> Iterator[tuple[str, int]]:
        """Yields the name and the first number of each part of the entity tables."""
        for name, rows in self.entities.items():
            for first in range(0, rows, ENTITY_ROWS):
                yield name, first

    def missing_numbers(self, frame: pl.DataFrame) -> dict[str, np.ndarray]:
        """Returns which exposures lack a number, by field."""
        return missing_numbers(self._exposure, frame)

    def count(
        self,
        counts: EncodedCounts,
        split: str,
        columns: Columns,
        missing: Mapping[str, np.ndarray],
    ) -> None:
        """Counts the ids of exposures of one split, and of the entities that they refer to.

        Args:
          counts: Takes the counts.
          split: Name of the split.
          columns: Encoded columns of its exposures.
          missing: What `missing_numbers` says of them.
        """
        fields = [e.field.name for e in self._exposure if e.field.kind in _IDS]
        counts.add(split, columns, fields, missing)
        for name, (table, encoders) in self._entities.items():
            rows = single_values(columns, table.join.entity_row)
            for encoder in encoders:
                field = encoder.field
                if field.name not in self._ids[name]:
                    continue
                strange, ids = (side[rows] for side in self._ids[name][field.name])
                absent = ids == 0
                if field.kind in _IDS:
                    some = int(np.count_nonzero(absent))
                    counts.add_counts(split, field.name, some, int(strange.sum()), int(ids.sum()))
                else:
                    counts.add(split, {}, (), {field.name: absent})

    def _count(self, name: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        _, encoders = self._entities[name]
        for first in range(0, self.entities[name], ENTITY_ROWS):
            rows = self._raw_rows(name, first)
            for field, lacks in missing_numbers(encoders, rows).items():
                parts.setdefault(field, []).append((np.zeros(len(lacks), np.int64), 1 - lacks))
            for encoder in encoders:
                if encoder.field.kind in _IDS:
                    counts = _ids_of_rows(encoder(rows))
                    parts.setdefault(encoder.field.name, []).append(counts)
        return {
            field: (
                np.concatenate([strange for strange, _ in counts]),
                np.concatenate([ids for _, ids in counts]),
            )
            for field, counts in parts.items()
        }


def _ids_of_rows(column: np.ndarray | Ragged) -> tuple[np.ndarray, np.ndarray]:
    """Returns the numbers of unknown ids and of all ids of each row."""
    if not isinstance(column, Ragged):
        return (column == UNKNOWN_ROW).astype(np.int64), (column != PADDING_ROW).astype(np.int64)
    row = np.repeat(np.arange(len(column.row_lengths)), column.row_lengths)
    strange = np.bincount(row[column.values == UNKNOWN_ROW], minlength=len(column.row_lengths))
    return strange, np.asarray(column.row_lengths, np.int64)
