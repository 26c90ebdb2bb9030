"""Numbers for the distinct ids of a column, given as they come."""

import itertools

import numpy as np
import pandas as pd
import polars as pl

from data_prep.own_log.cells import spelled, text_of


class Dictionary:
    """Numbers the distinct ids of a column from 0 on, in memory of these ids.

    Ids are found by 64-bit hashes and then compared; where two have one hash, another is taken.

    Attributes:
      ids: The ids in the order of their numbers.
    """

    def __init__(self) -> None:
        self.ids = pl.Series([], dtype=pl.String)
        self._seed = 0
        self._hashes = np.empty(0, np.uint64)  # ascending
        self._order = np.empty(0, np.int64)  # numbers of the ids that have them

    def numbers(self, column: pl.Series) -> np.ndarray:
        """Returns the numbers of the ids of cells, int32 `(rows,)`; -1 of missing ones."""
        numbers = np.full(len(column), -1, np.int32)
        cells = column.drop_nulls()
        if len(cells):
            for seed in itertools.count():
                hashes = cells.hash(seed).to_numpy()
                places, distinct_hashes = pd.factorize(hashes)  # faster than `np.unique`
                first = np.empty(len(distinct_hashes), np.int64)
                first[places] = np.arange(len(places))  # one row of each
                distinct = cells.gather(first)
                if (distinct.gather(places) == cells).all():
                    break
            of_ids = self._numbers(spelled(text_of(distinct)))
            numbers[column.is_not_null().to_numpy()] = of_ids[places]
        return numbers

    def _numbers(self, ids: pl.Series) -> np.ndarray:
        """Returns the numbers of ids, after those that are new have got one."""
        while True:
            hashes = ids.hash(self._seed).to_numpy()
            places = np.searchsorted(self._hashes, hashes)
            known = np.append(self._hashes, 0)[places] == hashes
            known &= places < len(self._hashes)
            if known.all():
                numbers = self._order[places]
                if (self.ids.gather(numbers) == ids).all():
                    return numbers
                self._seed += 1
            else:
                self.ids = pl.concat([self.ids, ids.filter(pl.Series(~known)).unique()])
            hashes = self.ids.hash(self._seed).to_numpy()
            self._order = np.argsort(hashes, kind="stable")
            self._hashes = hashes[self._order]
