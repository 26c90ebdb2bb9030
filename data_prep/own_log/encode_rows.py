"""Encodes rows of an own log: exposures, and the rows of the entity tables that they refer to."""

from collections.abc import Iterator, Sequence

import numpy as np

from data_prep.own_log.field_encoder import FieldEncoder
from data_prep.own_log.joined.tables import JoinedTable
from data_prep.own_log.statistics import UnknownIds
from data_prep.storage.columns import Columns, Ragged
from dcrnn_tf.dataset.encodings import PADDING_ROW, UNKNOWN_ROW

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

    def __call__(self, frame) -> dict[str, np.ndarray | Ragged]:
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
        table, encoders = self._entities[name]
        numbers = np.arange(first, min(first + ENTITY_ROWS, table.frame.height + 1))
        rows = table.rows_of(np.where(numbers < table.frame.height, numbers, -1))
        return {encoder.field.name: encoder(rows) for encoder in encoders}

    def chunks(self) -> Iterator[tuple[str, int]]:
        """Yields the name and the first number of each part of the entity tables."""
        for name, rows in self.entities.items():
            for first in range(0, rows, ENTITY_ROWS):
                yield name, first

    def count_unknown(self, unknown: UnknownIds, split: str, columns: Columns) -> None:
        """Counts the ids of exposures of one split, and of the entities that they refer to."""
        fields = [e.field.name for e in self._exposure if e.vocabulary]
        unknown.add(split, columns, fields)
        for name, (table, _) in self._entities.items():
            rows = columns[table.join.entity_row]
            for field, (strange, ids) in self._ids[name].items():
                unknown.add_counts(split, field, int(strange[rows].sum()), int(ids[rows].sum()))

    def _count(self, name: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        _, encoders = self._entities[name]
        fields = [encoder.field.name for encoder in encoders if encoder.vocabulary]
        for first in range(0, self.entities[name], ENTITY_ROWS) if fields else ():
            columns = self.entity_rows(name, first)
            for field in fields:
                parts.setdefault(field, []).append(_ids_of_rows(columns[field]))
        return {
            field: tuple(np.concatenate(side) for side in zip(*counts, strict=True))
            for field, counts in parts.items()
        }


def _ids_of_rows(column: np.ndarray | Ragged) -> tuple[np.ndarray, np.ndarray]:
    """Returns the numbers of unknown ids and of all ids of each row."""
    if not isinstance(column, Ragged):
        return (column == UNKNOWN_ROW).astype(np.int64), (column != PADDING_ROW).astype(np.int64)
    row = np.repeat(np.arange(len(column.row_lengths)), column.row_lengths)
    strange = np.bincount(row[column.values == UNKNOWN_ROW], minlength=len(column.row_lengths))
    return strange, np.asarray(column.row_lengths, np.int64)
