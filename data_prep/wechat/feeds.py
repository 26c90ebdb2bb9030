"""Reads `feed_info.csv`: what the WeChat Big Data Challenge 2021 says of each feed."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
import polars as pl

from data_prep.own_log.declared.options import FileOptions, Selection
from data_prep.own_log.parsing.chunks import Chunk
from data_prep.own_log.parsing.files import open_csv
from data_prep.storage.bad_rows import BadRows, Progress
from data_prep.storage.columns import select
from data_prep.storage.writer import Ragged
from data_prep.wechat.fields import FEED_ID, FEED_IDS, LISTS, SCORED_LIST, SECONDS
from dcrnn_tf.dataset.schema import DatasetError

LIST_SEPARATOR = ";"
# Far beyond what a score or a length can be; a huge one would be infinite as a float32.
LARGEST_NUMBER = 1e6


def selection_of(columns: Iterable[str]) -> Selection:
    """Selects columns of a file of the challenge, in which only the empty cell is missing."""
    parts = {column: f"field {column}" for column in columns}
    return Selection(parts, options=FileOptions(missing_values=("",)))


class Faults:
    """What is wrong with the rows of a chunk; a row counts once, under the first reason.

    Attributes:
      bad: Whether each row is bad, `(rows,)` bool.
    """

    def __init__(self, chunk: Chunk, bad_rows: BadRows):
        self.bad = np.zeros(chunk.frame.height, bool)
        self._chunk = chunk
        self._bad_rows = bad_rows

    def add(
        self, column: str, row: np.ndarray, wrong: pl.Series, text: pl.Series, expected: str
    ) -> None:
        """Counts rows.

        Args:
          column: Column of the fault.
          row: Row of each cell, or of each part of a cell, `(cells,)`.
          wrong: Whether each cell is wrong, `(cells,)`.
          text: Text of each cell, `(cells,)`.
          expected: Description of what the cells should hold.

        Raises:
          DatasetError: there are more bad rows than tolerated.
        """
        for cell in np.flatnonzero(wrong.to_numpy()).tolist():
            if not self.bad[row[cell]]:
                self.bad[row[cell]] = True
                held = "is empty" if text[cell] is None else f"holds {text[cell]!r}"
                self._bad_rows.add(
                    f"{column} is not {expected}",
                    functools.partial(self._chunk.place, int(row[cell])),
                    f"column {column!r} {held}, expected {expected}",
                )


def whole_numbers(text: pl.Series) -> pl.Series:
    """Returns Int64, null where the text is null or no whole number."""
    numbers = text.cast(pl.Int64, strict=False)
    if numbers.null_count() > text.null_count():
        # pandas writes the whole numbers of a column with gaps as 5.0.
        numbers = text.str.replace(r"^([+-]?\d+)\.0+$", "${1}").cast(pl.Int64, strict=False)
    return numbers


@dataclasses.dataclass(frozen=True)
class Feeds:
    """The feeds in the order of the file.

    Attributes:
      single: `FEED_IDS` as Int64 and `SECONDS` as Float64, null where the feed lacks it.
      lists: the raw ids of `LISTS` as int64, with weights for `SCORED_LIST`.
      truncated: Number of lists of each column that were cut.
    """

    single: pl.DataFrame
    lists: dict[str, Ragged]
    truncated: dict[str, int]

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.single.height

    def index(self) -> pd.Index:
        """The feeds' ids, for finding the row of a feed."""
        return pd.Index(self.single[FEED_ID].to_numpy())

    def with_unknown(self, ids: np.ndarray) -> "Feeds":
        """The same and, at the end, feeds of which nothing but the id is known."""
        unknown = pl.DataFrame({FEED_ID: pl.Series(ids, dtype=pl.Int64)})
        none = np.zeros(len(ids), np.int64)
        lists = {
            name: dataclasses.replace(column, row_lengths=np.append(column.row_lengths, none))
            for name, column in self.lists.items()
        }
        single = pl.concat([self.single, unknown], how="diagonal")
        return dataclasses.replace(self, single=single, lists=lists)


def read_feeds(path: pathlib.Path, max_values: int, bad_rows: BadRows, progress: Progress) -> Feeds:
    """Reads the feeds.

    Args:
      path: Path of the file.
      max_values: Number of values that a longer list is cut to, its first ones.
      bad_rows: Counter of bad rows.
      progress: called with the number of bytes read since the last call.

    Raises:
      DatasetError: the file is damaged, a column is missing, there are more bad rows than tolerated
        or two rows of one feed.
    """
    selection = selection_of((*FEED_IDS, SECONDS, *LISTS))
    singles = [pl.DataFrame(schema=dict.fromkeys(FEED_IDS, pl.Int64) | {SECONDS: pl.Float64})]
    lists: list[dict[str, Ragged]] = [_no_lists()]
    rows_of_chunks: list[tuple[Callable[[int], str], np.ndarray]] = []
    for chunk in open_csv(path, selection).chunks(bad_rows, progress):
        faults = Faults(chunk, bad_rows)
        single = _single(chunk.frame, faults)
        columns = {name: _list(chunk.frame, name, faults) for name in LISTS}
        good = ~faults.bad
        singles.append(single.filter(pl.Series(good)))
        lists.append(select(columns, good))
        rows_of_chunks.append((chunk.place, np.flatnonzero(good)))
    single = pl.concat(singles)
    _check_distinct(single[FEED_ID], rows_of_chunks)
    cut, truncated = {}, {}
    for name in LISTS:
        column = _joined([part[name] for part in lists])
        truncated[name] = int((column.row_lengths > max_values).sum())
        cut[name] = _cut(column, max_values)
    return Feeds(single, cut, truncated)


def _single(frame: pl.DataFrame, faults: Faults) -> pl.DataFrame:
    row = np.arange(frame.height)
    columns = {}
    for name in FEED_IDS:
        columns[name] = whole_numbers(frame[name])
        wrong = columns[name].is_null()
        if name != FEED_ID:
            wrong &= frame[name].is_not_null()
        faults.add(name, row, wrong, frame[name], "an integer")
    seconds = frame[SECONDS].cast(pl.Float64, strict=False)
    wrong = ~_sensible(seconds) & frame[SECONDS].is_not_null()
    faults.add(SECONDS, row, wrong, frame[SECONDS], f"a number from 0 to {LARGEST_NUMBER:,.0f}")
    return pl.DataFrame(columns | {SECONDS: seconds})


def _sensible(numbers: pl.Series) -> pl.Series:
    """Which are numbers from 0 to `LARGEST_NUMBER`; NaN and null are none."""
    return numbers.is_between(0, LARGEST_NUMBER).fill_null(False)


def _list(frame: pl.DataFrame, name: str, faults: Faults) -> Ragged:
    """Reads a column of lists of raw ids; ids of bad rows mean nothing."""
    entries = pl.DataFrame(
        {"row": np.arange(frame.height), "text": frame[name].str.split(LIST_SEPARATOR)},
        schema_overrides={"text": pl.List(pl.String)},
    )
    entries = entries.explode("text").with_columns(pl.col("text").str.strip_chars())
    entries = entries.filter(pl.col("text").fill_null("") != "")
    row, text = entries["row"].to_numpy(), entries["text"]
    weights = None
    if name == SCORED_LIST:
        parts = text.str.extract_groups(r"^(\S+)\s+(\S+)$").struct
        numbers = whole_numbers(parts.field("1"))
        scores = parts.field("2").cast(pl.Float64, strict=False)
        # A mean weighted with negative numbers would be none.
        expected = f"an integer and a score from 0 to {LARGEST_NUMBER:,.0f}, such as 5 0.25"
        faults.add(name, row, numbers.is_null() | ~_sensible(scores), text, expected)
        weights = scores.fill_null(0.0).to_numpy()
    else:
        numbers = whole_numbers(text)
        faults.add(name, row, numbers.is_null(), text, "an integer")
    lengths = np.bincount(row, minlength=frame.height)
    return Ragged(numbers.fill_null(0).to_numpy(), lengths, weights)


def _no_lists() -> dict[str, Ragged]:
    none = np.empty(0, np.int64)
    lists = dict.fromkeys(LISTS, Ragged(none, none))
    return lists | {SCORED_LIST: Ragged(none, none, np.empty(0))}


def _joined(parts: list[Ragged]) -> Ragged:
    """Lists of several chunks."""
    weights = None
    if parts[0].weights is not None:
        weights = np.concatenate([part.weights for part in parts])
    return Ragged(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.row_lengths for part in parts]),
        weights,
    )


def _cut(column: Ragged, longest: int) -> Ragged:
    """The first `longest` values of each list."""
    lengths = column.row_lengths
    starts = np.cumsum(lengths) - lengths
    kept = np.arange(len(column.values)) - np.repeat(starts, lengths) < longest
    weights = None if column.weights is None else column.weights[kept]
    return Ragged(column.values[kept], np.minimum(lengths, longest), weights)


def _check_distinct(
    ids: pl.Series, rows_of_chunks: Sequence[tuple[Callable[[int], str], np.ndarray]]
) -> None:
    """Refuses two rows of one feed.

    Args:
      ids: Ids of the feeds, `(feeds,)`.
      rows_of_chunks: Of each chunk a function that says where one of its rows is, and the rows of
        its feeds.
    """
    again = ~ids.is_first_distinct()
    if not again.any():
        return
    second = int(np.flatnonzero(again.to_numpy())[0])
    first = int(np.flatnonzero((ids == ids[second]).to_numpy())[0])

    def where(position: int) -> str:
        for where_in_chunk, rows in rows_of_chunks:
            if position < len(rows):
                return where_in_chunk(int(rows[position]))
            position -= len(rows)
        raise AssertionError("a row of no chunk")

    raise DatasetError(
        f"{where(second)}: feedid {ids[second]} stands in {where(first)} already; a feed has one "
        "row, remove the other"
    )
