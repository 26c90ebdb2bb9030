"""Finds with many workers what each row sees of its user's earlier rows."""

import dataclasses
import pathlib
import zlib
from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
import numpy as np
import polars as pl
import pyarrow as pa

from data_prep.beam.own_log.chunks import Chunk
from data_prep.beam.stage import Results, replaced
from data_prep.own_log.cells import spelled, text_of
from data_prep.own_log.declaration import Declaration
from data_prep.own_log.declared.times import TIME
from data_prep.own_log.history.histories import counts
from data_prep.own_log.history.timeline import Timeline, gathered

ROWS_PER_BUCKET = 1 << 20

_USER, _ROW, _CHUNK = "\nuser", "\nrow", "\nchunk"  # beside columns that have the fields' names


class FindHistories:
    """Builds the stage that finds the histories of all rows.

    Args:
      chunks: Chunks of the log.
      declaration: Declaration of what they hold, histories among its fields.
    """

    def __init__(self, chunks: Sequence[Chunk], declaration: Declaration):
        self._chunks = chunks
        self._declaration = declaration

    def build(self, pipeline: beam.Pipeline) -> Results:
        """Adds the steps; for `run_stage`."""
        buckets = 1 + max((chunk.drawn for chunk in self._chunks), default=0) // ROWS_PER_BUCKET
        written = (
            pipeline
            | "Chunks" >> beam.Create(self._chunks)
            | "Spread chunks" >> beam.Reshuffle()
            | "Rows of users" >> beam.FlatMap(_rows_of_users, self._declaration, buckets)
            | "By user" >> beam.GroupByKey()
            | "Find lists" >> beam.FlatMap(_lists, self._declaration)
            | "By chunk" >> beam.GroupByKey()
            | "Write lists" >> beam.Map(_write)
        )
        return {"written": written}


def with_histories(chunks: Sequence[Chunk], declaration: Declaration) -> list[Chunk]:
    """Returns chunks that load the histories which the stage has written."""
    names = tuple(field.name for field in declaration.fields if field.history is not None)
    return [dataclasses.replace(chunk, histories=names) for chunk in chunks]


def _rows_of_users(
    chunk: Chunk, declaration: Declaration, buckets: int
) -> Iterator[tuple[tuple[str, int], tuple[int, str, pl.DataFrame]]]:
    """Yields the rows that have a user by column of users and bucket, with the events' values."""
    frame, _, labels = chunk.rows()
    histories = [field for field in declaration.fields if field.history is not None]
    for by in dict.fromkeys(field.made_of.by for field in histories):
        columns = [frame[TIME], pl.Series(_ROW, np.arange(frame.height))]
        columns.append(spelled(text_of(frame[by])).alias(_USER))
        columns.append(pl.Series(_CHUNK, np.full(frame.height, chunk.number)))
        for field in histories:
            if field.made_of.by == by:
                values = spelled(text_of(frame[field.made_of.of]))
                ignored = pl.Series(~counts(field, frame, labels))
                columns.append(values.set(ignored, None).alias(field.name))
        rows = pl.DataFrame(columns).filter(pl.col(_USER).is_not_null())
        users = rows[_USER].unique()
        bucket = [zlib.crc32(user.encode()) % buckets for user in users]
        numbers = rows[_USER].replace_strict(users, bucket, return_dtype=pl.Int64)
        for (number,), part in rows.group_by(numbers.alias("bucket"), maintain_order=True):
            yield (by, int(number)), (chunk.number, str(chunk.path), part)


def _lists(
    element: tuple[tuple[str, int], Iterable[tuple[int, str, pl.DataFrame]]],
    declaration: Declaration,
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yields the lists of the rows of some users, by the chunks of the rows."""
    parts = sorted(element[1], key=lambda part: part[0])
    paths = {number: path for number, path, _ in parts}
    rows = pl.concat([part for *_, part in parts])
    users = (rows[_USER].rank("dense") - 1).to_numpy()
    timeline = Timeline(users, rows[TIME].to_numpy())
    rows = rows[timeline.order]
    lists = [rows[_ROW], rows[_CHUNK]]
    for field in declaration.fields:
        if field.name not in rows.columns or field.history is None:
            continue
        events = rows[field.name].is_not_null()
        begins, ends = timeline.slices(events.to_numpy(), field.max_values, field.history.delay)
        positions = np.flatnonzero(events.to_numpy())
        values = rows[field.name].gather(gathered(positions, ends, ends - begins))
        bounds = np.append(0, np.cumsum(ends - begins))
        column = pa.LargeListArray.from_arrays(bounds, values.to_arrow())
        lists.append(pl.Series(field.name, column, dtype=pl.List(pl.String)))
    for (number,), part in pl.DataFrame(lists).group_by(_CHUNK):
        yield paths[number], part.drop(_CHUNK)


def _write(element: tuple[str, Iterable[pl.DataFrame]]) -> None:
    """Writes the lists of a chunk's rows, by column of users in the order of the rows."""
    path, parts = pathlib.Path(element[0]), element[1]
    tables: dict[tuple[str, ...], list[pl.DataFrame]] = {}
    for part in parts:
        tables.setdefault(tuple(part.columns), []).append(part)
    height = pl.scan_parquet(path).select(pl.len()).collect().item()
    lists = pl.DataFrame({_ROW: np.arange(height)})
    for table in tables.values():
        lists = lists.join(pl.concat(table), on=_ROW, how="left", maintain_order="left")
    with replaced(Chunk.histories_path(path)) as partial:
        lists.drop(_ROW).write_parquet(partial, compression="lz4")
