"""Numbers for the distinct ids of a column, given as they come."""

import numpy as np
import polars as pl

from data_prep.own_log.cells import spelled, text_of


class Dictionary:
    """Numbers the distinct ids of a column from 0 on, in memory of these ids."""

    def __init__(self) -> None:
        self._table = pl.DataFrame(schema={"id": pl.String, "number": pl.Int32})

    @property
    def ids(self) -> pl.Series:
        """The ids in the order of their numbers."""
        return self._table["id"]

    def numbers(self, column: pl.Series) -> np.ndarray:
        """Returns the numbers of the ids of cells, int32 `(rows,)`; -1 of missing ones."""
        cells = pl.DataFrame({"cell": column})
        distinct = cells.unique().drop_nulls()
        distinct = distinct.with_columns(id=spelled(text_of(distinct["cell"])))
        known = self._known(distinct)
        new = distinct.select("id").unique().join(known, on="id", how="anti")
        if new.height:
            first = self._table.height
            new = new.with_columns(pl.Series("number", first + np.arange(new.height), pl.Int32))
            self._table = pl.concat([self._table, new])
            known = pl.concat([known, new])
        distinct = distinct.join(known, on="id")
        numbered = cells.join(distinct, on="cell", how="left", maintain_order="left")
        return numbered["number"].fill_null(-1).to_numpy()

    def _known(self, distinct: pl.DataFrame) -> pl.DataFrame:
        return self._table.join(distinct.select("id").unique(), on="id", how="semi")
