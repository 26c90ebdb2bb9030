"""Counts of raw ids in the training split, from which vocabularies are made."""

from collections.abc import Callable

import numpy as np
import polars as pl

from dcrnn_tf.dataset.vocabulary import Vocabulary

_MERGE_AT = 1_000_000  # counted rows held aside before they are merged, at least


class IdCounter:
    """Counts raw ids (integers or strings) chunk by chunk, in memory of the distinct ids.

    Args:
      spelling: What makes ids that are spelled otherwise the same ones; None changes none.
    """

    def __init__(self, spelling: Callable[[pl.Series], pl.Series] | None = None):
        self._spelling = spelling
        self._merged: pl.DataFrame | None = None
        self._waiting: list[pl.DataFrame] = []
        self._waiting_rows = 0

    def add(self, ids: pl.Series, weights: pl.Series | None = None) -> None:
        """Counts a chunk.

        Args:
          ids: raw ids; nulls are not counted.
          weights: Number of occurrences that each of `ids` stands for, integers; 1 by default.
        """
        if weights is None and ids.dtype.is_integer():
            distinct, counts = np.unique(ids.drop_nulls().to_numpy(), return_counts=True)
            table = pl.DataFrame({"id": distinct, "count": counts})  # five times faster
        else:
            table = pl.DataFrame({"id": ids})
            count = pl.lit(1) if weights is None else weights
            table = _summed(table.with_columns(count=count).drop_nulls("id"))
        self._waiting.append(table)
        self._waiting_rows += self._waiting[-1].height
        merged_rows = 0 if self._merged is None else self._merged.height
        if self._waiting_rows > max(_MERGE_AT, merged_rows):
            self._merge()

    def table(self) -> pl.DataFrame:
        """Each distinct id and its `count`, in no order."""
        self._merge()
        if self._merged is None:
            return pl.DataFrame(schema={"id": pl.Int64, "count": pl.Int64})
        if self._spelling is not None:
            ids = self._spelling(self._merged["id"])
            if not ids.equals(self._merged["id"]):
                self._merged = _summed(self._merged.with_columns(ids))
        return self._merged

    def vocabulary(self, min_count: int = 1) -> Vocabulary:
        """Returns the ids that occurred at least `min_count` (1 or more) times.

        They are ordered by count, descending, and ids of equal count by id, ascending (strings by
        code point), so that the same rows give the same vocabulary whatever their order.
        """
        if min_count < 1:
            raise ValueError(f"min_count is {min_count}, must be at least 1")
        return Vocabulary(*frequent_ids(self.table(), min_count))

    def _merge(self) -> None:
        tables = ([] if self._merged is None else [self._merged]) + self._waiting
        self._merged = _summed(pl.concat(tables)) if tables else None
        self._waiting, self._waiting_rows = [], 0


def frequent_ids(table: pl.DataFrame, min_count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ids of a table that occur often enough, the most frequent first, and counts.

    Args:
      table: Distinct ids with their `count`.
      min_count: Least count.
    """
    kept = table.filter(pl.col("count") >= min_count)
    kept = kept.sort("id").sort("count", descending=True, maintain_order=True)
    return kept["id"].to_numpy(), kept["count"].to_numpy()


def _summed(table: pl.DataFrame) -> pl.DataFrame:
    return table.group_by("id").agg(pl.col("count").cast(pl.Int64).sum())
