"""The joined tables of an own log, as files that all workers read."""

import pathlib
from collections.abc import Sequence

from apache_beam.utils.shared import Shared

from data_prep.beam.stage import replaced
from data_prep.own_log.declared.joins import DeclaredJoin
from data_prep.own_log.joined.tables import JoinedTable, read_table


class TableFiles:
    """Files of joined tables; each process of a worker reads them once.

    Args:
      joins: The joins.
      folder: Folder of the files.
    """

    def __init__(self, joins: Sequence[DeclaredJoin], folder: pathlib.Path):
        self._joins = joins
        self._folder = folder
        self._shared = Shared()

    def write(self, tables: Sequence[JoinedTable]) -> None:
        """Writes the tables."""
        for number, table in enumerate(tables):
            with replaced(self._path(number)) as partial:
                table.write(partial)

    def tables(self) -> Sequence[JoinedTable]:
        """Reads the tables, or returns what was read before."""
        return self._shared.acquire(self._read)

    def _read(self) -> "_Tables":
        joins = enumerate(self._joins)
        return _Tables(read_table(join, self._path(number)) for number, join in joins)

    def _path(self, number: int) -> pathlib.Path:
        return self._folder / f"join-{number:03d}.parquet"


class _Tables(list):
    """A list that `Shared` can refer to."""
