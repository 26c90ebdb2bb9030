"""Numbers of exposures of the rows of entity tables, from which their ids are counted."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from data_prep.own_log.joined.tables import JoinedTable
from data_prep.own_log.learning.field_learner import FieldLearner

_ROWS = 1 << 16  # of a table that are learned from at a time


class Exposures:
    """Counts the rows of a log that refer to each row of the entity tables.

    Args:
      tables: The joined tables.
      entities: Names of those that are entity tables.
    """

    def __init__(self, tables: Sequence[JoinedTable], entities: Iterable[str]):
        self._tables = [table for table in tables if table.join.name in set(entities)]
        # One row more than the table has, for exposures without partner.
        self._train = [np.zeros(table.frame.height + 1, np.int64) for table in self._tables]
        self._all = [np.zeros(table.frame.height + 1, np.int64) for table in self._tables]

    def add(self, frame: pl.DataFrame, train: np.ndarray) -> None:
        """Counts rows as `LogRows.read` yields them; `train` says which are training rows."""
        for table, in_train, in_all in zip(self._tables, self._train, self._all, strict=True):
            rows = frame[table.join.row_column].to_numpy()
            in_train += np.bincount(rows[train], minlength=len(in_train))
            in_all += np.bincount(rows, minlength=len(in_all))

    def teach(self, learners: Iterable[FieldLearner]) -> None:
        """Has the fields of the entity tables learn their ids, once for each row of a table."""
        learners = [learner for learner in learners if learner.entity_of_ids]
        for table, in_train, in_all in zip(self._tables, self._train, self._all, strict=True):
            own = [one for one in learners if one.entity_of_ids == table.join.name]
            for first in range(0, len(in_all), _ROWS) if own else ():
                part = slice(first, first + _ROWS)
                numbers = np.arange(len(in_all))[part]
                rows = table.rows_of(np.where(numbers < table.frame.height, numbers, -1))
                for learner in own:
                    learner.add_entity_rows(rows, in_train[part], in_all[part])
