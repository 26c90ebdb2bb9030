"""Adds the columns of joined files to the rows of a log."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from data_prep.own_log.joined.tables import JoinedTable


class JoinColumns:
    """Adds the columns of joined files, and the numbers of joined rows.

    Args:
      tables: The joined tables; the key of one may be a column of those before it.
    """

    def __init__(self, tables: Sequence[JoinedTable]):
        self._tables = tables

    def __call__(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, np.ndarray]]:
        """Returns rows with the joined columns, and which rows have no partner, by join.

        A row without partner has null in the columns, and the number after the last row's.

        Args:
          frame: Rows as `cells.cleaned` gives them, with the key columns.
        """
        alone = {}
        for table in self._tables:
            rows = table.rows([frame[name] for name in table.join.log_key])
            alone[table.join.name] = rows < 0
            numbers = np.where(rows < 0, table.frame.height, rows).astype(np.int32)
            numbered = pl.Series(table.join.row_column, numbers)
            frame = frame.with_columns(*table.rows_of(rows).get_columns(), numbered)
        return frame, alone
