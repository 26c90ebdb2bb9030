"""Vocabularies: which embedding row a raw id gets, from the counts of the training split alone."""

import pathlib

import numpy as np
import pandas as pd
import polars as pl

from dcrnn_tf.dataset.schema import (
    FIRST_ID_ROW,
    PADDING_ROW,
    UNKNOWN_ROW,
    VOCABULARY_FOLDER,
    DatasetError,
    Field,
)
from dcrnn_tf.system.whole_file import naming_file

_MERGE_AT = 1_000_000  # counted rows held aside before they are merged, at least


class IdCounter:
    """Counts raw ids (integers or strings) chunk by chunk, in memory of the distinct ids."""

    def __init__(self):
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
            table = pl.DataFrame({"id": ids, "count": 1 if weights is None else weights})
            table = _summed(table.drop_nulls("id"))
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
        return self._merged

    def vocabulary(self, min_count: int = 1) -> "Vocabulary":
        """Returns the ids that occurred at least `min_count` (1 or more) times.

        They are ordered by count, descending, and ids of equal count by id, ascending (strings by
        code point), so that the same rows give the same vocabulary whatever their order.
        """
        if min_count < 1:
            raise ValueError(f"min_count is {min_count}, must be at least 1")
        kept = self.table().filter(pl.col("count") >= min_count)
        kept = kept.sort("id").sort("count", descending=True, maintain_order=True)
        return Vocabulary(kept["id"].to_numpy(), kept["count"].to_numpy())

    def _merge(self) -> None:
        tables = ([] if self._merged is None else [self._merged]) + self._waiting
        self._merged = _summed(pl.concat(tables)) if tables else None
        self._waiting, self._waiting_rows = [], 0


class Vocabulary:
    """The raw ids of one field in the order of their embedding rows.

    Attributes:
      ids: distinct raw ids, integers or strings; `ids[0]` has row `FIRST_ID_ROW`.
      counts: occurrences of each in the training split.
    """

    def __init__(self, ids: np.ndarray, counts: np.ndarray):
        self.ids = ids
        self.counts = counts
        self._index = pd.Index(ids)
        # Builds the index's hash table; threads that did so at once would spoil it.
        assert self._index.is_unique, "an id stands in a vocabulary twice"

    @property
    def size(self) -> int:
        """Embedding rows, those for padding and unknown ids included."""
        return FIRST_ID_ROW + len(self.ids)

    def encode(self, ids: pl.Series) -> np.ndarray:
        """Returns the embedding row of each raw id.

        Args:
          ids: raw ids, `(rows,)`; null means that the field is missing.

        Returns:
          `(rows,)` int32: `PADDING_ROW` for null, `UNKNOWN_ROW` for an id not in the vocabulary.
        """
        rows = np.full(len(ids), PADDING_ROW, np.int32)
        known = ids.is_not_null().to_numpy()
        positions = self._index.get_indexer(ids.drop_nulls().to_numpy())
        rows[known] = np.where(positions < 0, UNKNOWN_ROW, positions + FIRST_ID_ROW)
        return rows


def write_vocabulary(path: pathlib.Path, ids: np.ndarray, counts: np.ndarray) -> None:
    """Writes raw ids (integers or strings) as Parquet, the first of them being row 2."""
    # Of no strings at all Polars would not know that they are strings.
    raw = pl.Series(ids, dtype=pl.String if ids.dtype == object else None)
    table = pl.DataFrame({"id": raw, "count": np.asarray(counts, np.int64)})
    with naming_file(path):
        table.write_parquet(path)


def read_vocabulary(path: pathlib.Path) -> Vocabulary:
    """Reads what `write_vocabulary` has written."""
    table = pl.read_parquet(path)
    return Vocabulary(table["id"].to_numpy(), table["count"].to_numpy())


def load_vocabulary(folder: str | pathlib.Path, field: Field) -> Vocabulary:
    """Reads a field's vocabulary from a prepared dataset's folder.

    Raises:
      DatasetError: its file is missing or damaged, or does not fit the field.
    """
    path = pathlib.Path(folder, VOCABULARY_FOLDER, f"{field.name}.parquet")
    again = "copy or prepare the dataset again"
    try:
        vocabulary = read_vocabulary(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise DatasetError(f"{path} cannot be read ({reason}); {again}") from None
    except AssertionError as error:
        raise DatasetError(f"{path} is damaged ({error}); {again}") from None
    if vocabulary.size != field.vocabulary_size:
        raise DatasetError(
            f"{path} has {len(vocabulary.ids):,} ids, the schema says "
            f"{field.vocabulary_size - FIRST_ID_ROW:,}; {again}"
        )
    return vocabulary


def _summed(table: pl.DataFrame) -> pl.DataFrame:
    return table.group_by("id").agg(pl.col("count").cast(pl.Int64).sum())
