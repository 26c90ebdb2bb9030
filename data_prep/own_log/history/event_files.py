"""The rows of users and their events on disk: written as they come, sorted, and found by row."""

import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from data_prep.own_log.declared.fields import DeclaredField
from data_prep.own_log.history.timeline import Timeline, gathered, stable_order, uses
from data_prep.storage.ahead import ahead
from data_prep.storage.columns import Ragged

SLICE_ROWS = 1 << 20  # rows of the log whose slices lie in one file

_NO_EVENT = -1


class EventFiles:
    """The events of the histories by one column of users.

    Rows are scattered over bucket files by their users. `sort` brings the rows of one bucket after
    the other into the order of users and times, writes the values of the events end to end, and for
    each row of the log the slice of them that it sees.

    Args:
      folder: Folder of the files; must not exist.
      fields: The histories.
      buckets: Number of the buckets, one of which is in memory at a time.
    """

    def __init__(self, folder: pathlib.Path, fields: Sequence[DeclaredField], buckets: int):
        self._folder = folder
        self._fields = fields
        self._buckets = buckets
        row = [("row", np.int64), ("time", np.int64), ("user", np.int32), ("train", bool)]
        self._event_type = np.dtype(row + [(name, np.int32) for name in self._names])
        slices = [(name, [("end", np.int64), ("length", np.uint16)]) for name in self._names]
        self._slice_type = np.dtype([("row", np.int64), *slices])
        self._loaded = (-1, np.empty(0, self._slice_type))
        folder.mkdir()

    @property
    def _names(self) -> list[str]:
        return [f"{number}" for number in range(len(self._fields))]

    def add(
        self,
        rows: np.ndarray,
        times: np.ndarray,
        users: np.ndarray,
        train: np.ndarray,
        values: Sequence[np.ndarray],
    ) -> None:
        """Adds rows.

        Args:
          rows: Ascending numbers of rows.
          times: Their moments.
          users: Numbers of their users; -1 of none.
          train: Whether they are training rows.
          values: For each history the numbers of the values of events; -1 where there is none.
        """
        records = np.empty(len(rows), self._event_type)
        for name, column in zip(
            self._event_type.names or (), (rows, times, users, train, *values), strict=True
        ):
            records[name] = column
        records = records.compress(users >= 0)
        _scatter(records, records["user"] % self._buckets, self._bucket)

    def sort(self, values: Sequence[int]) -> list[np.ndarray]:
        """Sorts the events, after the last `add`.

        Args:
          values: For each history the number of distinct values.

        Returns:
          For each history how often training rows see each value.
        """
        counts = [np.zeros(number, np.int64) for number in values]
        written = [0] * len(self._fields)
        for records, timeline in ahead(self._sorted()):
            slices = np.zeros(len(records), self._slice_type)
            slices["row"] = records["row"]
            for number, (name, field) in enumerate(zip(self._names, self._fields, strict=True)):
                events = records[name] != _NO_EVENT
                begins, ends = timeline.slices(events, field.max_values, field.made_of.delay)
                slices[name]["end"] = written[number] + ends
                slices[name]["length"] = ends - begins
                seen = records[name][events]
                train = records["train"]
                times_seen = uses(begins[train], ends[train], len(seen))
                counts[number] += np.bincount(seen, times_seen, len(counts[number])).astype(int)
                written[number] += len(seen)
                with open(self._events(name), "ab") as file:
                    file.write(seen.data)
            places = np.empty_like(timeline.order)
            places[timeline.order] = np.arange(len(places))
            slices = slices.take(places)  # as the rows came
            _scatter(slices, slices["row"] // SLICE_ROWS, self._slices)
        return counts

    def _sorted(self) -> Iterator[tuple[np.ndarray, Timeline]]:
        """Yields the records of each bucket in the order of users and times."""
        for bucket in range(self._buckets):
            if not self._bucket(bucket).exists():
                continue
            records = np.fromfile(self._bucket(bucket), self._event_type)
            self._bucket(bucket).unlink()
            timeline = Timeline(records["user"] // self._buckets, records["time"])
            yield records.take(timeline.order), timeline  # faster than an index for records

    def lists(self, history: int, rows: np.ndarray) -> Ragged:
        """Returns the values that rows see, as their numbers.

        Args:
          history: Number of the history.
          rows: Ascending numbers of rows.
        """
        name = self._names[history]
        if not self._events(name).exists() or not self._events(name).stat().st_size:
            return Ragged(np.empty(0, np.int32), np.zeros(len(rows), np.int64))
        values = np.memmap(self._events(name), np.int32, "r")
        lists: list[np.ndarray] = [np.empty(0, np.int32)]
        all_lengths: list[np.ndarray] = [np.empty(0, np.int32)]
        for part in self._parts(rows):
            slices = self._slices_of(int(part[0] // SLICE_ROWS)).take(part % SLICE_ROWS)[name]
            lengths = slices["length"].astype(np.int64)
            lists.append(gathered(values, slices["end"], lengths))
            all_lengths.append(lengths)
        return Ragged(np.concatenate(lists), np.concatenate(all_lengths))

    def _parts(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yields the rows by the files of their slices."""
        files = rows // SLICE_ROWS
        yield from (p for p in np.split(rows, np.flatnonzero(np.diff(files)) + 1) if len(p))

    def _slices_of(self, number: int) -> np.ndarray:
        """The slices of the rows of one file, by their position; empty ones of rows without."""
        if self._loaded[0] != number:
            slices = np.zeros(SLICE_ROWS, self._slice_type)
            if self._slices(number).exists():
                written = np.fromfile(self._slices(number), self._slice_type)
                slices[written["row"] % SLICE_ROWS] = written
            self._loaded = (number, slices)
        return self._loaded[1]

    def _bucket(self, number: int) -> pathlib.Path:
        return self._folder / f"bucket{number}"

    def _events(self, name: str) -> pathlib.Path:
        return self._folder / f"events{name}"

    def _slices(self, number: int) -> pathlib.Path:
        return self._folder / f"slices{number}"


def _scatter(records: np.ndarray, numbers: np.ndarray, path) -> None:
    """Appends records to files by their numbers, in the order in which they are."""
    order = stable_order(numbers)
    records, numbers = records.take(order), numbers[order]
    for part in np.split(np.arange(len(numbers)), np.flatnonzero(np.diff(numbers)) + 1):
        if len(part):
            with open(path(int(numbers[part[0]])), "ab") as file:
                file.write(records[part[0] : part[-1] + 1].data)
