"""Reads `user_action.csv` once, keeps it in a file of numbers, and assigns its rows to splits."""

import collections
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from data_prep.own_log.declaration import SPLIT_NAMES
from data_prep.own_log.parsing.files import open_csv
from data_prep.storage.bad_rows import BadRows, Progress
from data_prep.wechat.feeds import Faults, selection_of, whole_numbers
from data_prep.wechat.fields import EXPOSURE_IDS, FEED_ID, PUBLISHED_DAYS
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.system.whole_file import naming_file

DAY = "date_"
TRAIN, VALIDATION, TEST = range(3)  # positions in SPLIT_NAMES
LEFT_OUT = -1


class ActionLog:
    """The rows of `user_action.csv`.

    Args:
      path: Path of the file.
      tasks: the label columns to read.
      feeds: the ids of the feeds that are known.
      copy: file to make of what is read.
      bad_rows: Counter of bad rows.
      progress: called with the number of bytes read since the last call.

    Attributes:
      rows: Number of rows.
      days: Number of rows of each day, in ascending order.
      unknown_feeds: ids of feeds that are not among `feeds`, ascending.
      unknown_feed_rows: Number of rows that have such a feed.

    Raises:
      DatasetError: the file is damaged, lacks a column or has more bad rows than tolerated.
    """

    def __init__(
        self,
        path: pathlib.Path,
        tasks: Sequence[str],
        feeds: pd.Index,
        copy: pathlib.Path,
        bad_rows: BadRows,
        progress: Progress,
    ):
        self._copy = copy
        ids = (*EXPOSURE_IDS, FEED_ID)
        file = open_csv(path, selection_of((*ids, *tasks, DAY)))
        dtypes = dict.fromkeys((*ids, DAY), pa.int64()) | dict.fromkeys(tasks, pa.uint8())
        days: collections.Counter[int] = collections.Counter()
        unknown = np.empty(0, np.int64)
        self.rows = self.unknown_feed_rows = 0
        with naming_file(copy), pa.ipc.new_file(copy, pa.schema(dtypes)) as writer:
            for chunk in file.chunks(bad_rows, progress):
                faults = Faults(chunk, bad_rows)
                row = np.arange(chunk.frame.height)
                columns = {}
                for name in dtypes:
                    text = chunk.frame[name]
                    numbers = columns[name] = whole_numbers(text)
                    if name in tasks:
                        wrong = ~numbers.is_in([0, 1]).fill_null(False)
                        faults.add(name, row, wrong, text, "0 or 1")
                    elif name == DAY:
                        # One row of a day far off would be the whole test split.
                        wrong = ~numbers.is_between(1, PUBLISHED_DAYS).fill_null(False)
                        faults.add(name, row, wrong, text, f"a day from 1 to {PUBLISHED_DAYS}")
                    else:
                        faults.add(name, row, numbers.is_null(), text, "an integer")
                frame = pl.DataFrame(columns).filter(pl.Series(~faults.bad))
                writer.write(frame.to_arrow().cast(pa.schema(dtypes)))
                self.rows += frame.height
                days.update(dict(frame[DAY].value_counts().iter_rows()))
                feed_ids = frame[FEED_ID].to_numpy()
                missing = feeds.get_indexer(feed_ids) < 0
                self.unknown_feed_rows += int(missing.sum())
                unknown = np.union1d(unknown, feed_ids[missing])
        self.days = dict(sorted(days.items()))
        self.unknown_feeds = unknown

    def chunks(self) -> Iterator[dict[str, np.ndarray]]:
        """Yields the columns, chunk by chunk, always the same."""
        with pa.memory_map(str(self._copy)) as source, pa.ipc.open_file(source) as file:
            for number in range(file.num_record_batches):
                batch = file.get_batch(number)
                yield {
                    name: column.to_numpy()
                    for name, column in zip(batch.schema.names, batch.columns, strict=True)
                }


class DaySplit:
    """Which split a row belongs to.

    Training rows are those of the days before the first test day, without validation rows. With
    `rows`, that number of the rows of all splits is drawn without replacement.

    Args:
      log: the rows.
      test_days: the days of the test split; none means the last day of the log.
      validation_days: days of the validation split; none means a share of the training rows.
      validation_fraction: Share of the training rows that are for validation.
      rows: Number of rows to draw; None keeps all.
      seed: Seed of all draws.

    Attributes:
      test_days: the days of the test split.
      tests_last_day: Whether the test split is the last day of the log alone.
      validation_fraction: the random share of the training rows that is validation.
      rows_after: Number of rows of later days than the first test day that are in no split.

    Raises:
      DatasetError: a day is not in the log, or in two splits, or a split is left empty.
    """

    def __init__(
        self,
        log: ActionLog,
        test_days: Sequence[int],
        validation_days: Sequence[int],
        validation_fraction: float,
        rows: int | None,
        seed: int,
    ):
        if not log.rows:
            raise DatasetError("user_action.csv has no usable row; fetch it again")
        self._log = log
        self.test_days = tuple(sorted(test_days)) or (max(log.days),)
        self.tests_last_day = self.test_days == (max(log.days),)
        self._validation_days = tuple(validation_days)
        self.validation_fraction = 0.0 if validation_days else validation_fraction
        self._seed = seed
        days_of_log = f"the log has the days {', '.join(map(str, log.days))}"
        for flag, days in (("test_days", self.test_days), ("validation_days", validation_days)):
            if absent := [day for day in days if day not in log.days]:
                raise DatasetError(f"--{flag}={absent[0]} is not a day of the log; {days_of_log}")
        first = min(self.test_days)
        if late := [day for day in validation_days if day >= first]:
            raise DatasetError(
                f"--validation_days={late[0]} must be before the first test day, {first}"
            )
        training = [day for day in log.days if day < first and day not in validation_days]
        if not training:
            raise DatasetError(
                f"no training day is left before the first test day, {first}; {days_of_log}"
            )
        used = sum(log.days[day] for day in {*training, *validation_days, *self.test_days})
        self.rows_after = log.rows - used
        self._first = first
        self._drawn = None
        if rows is not None and rows < used:
            random = np.random.default_rng([seed, 1])
            self._drawn = np.zeros(used, bool)
            self._drawn[random.choice(used, rows, replace=False)] = True

    def chunks(self) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        """Yields the log's columns, and each row's position in `SPLIT_NAMES` or `LEFT_OUT`."""
        random = np.random.default_rng([self._seed, 2])
        start = 0
        for columns in self._log.chunks():
            day = columns[DAY]
            splits = np.full(len(day), LEFT_OUT, np.int8)
            splits[day < self._first] = TRAIN
            # A draw for every row: it does not depend on how the rows come in chunks.
            held_out = random.random(len(day)) < self.validation_fraction
            splits[(splits == TRAIN) & held_out] = VALIDATION
            splits[np.isin(day, self._validation_days)] = VALIDATION
            splits[np.isin(day, self.test_days)] = TEST
            if self._drawn is not None:
                used = np.flatnonzero(splits != LEFT_OUT)
                end = start + len(used)
                splits[used[~self._drawn[start:end]]] = LEFT_OUT
                start = end
            yield columns, splits

    def count(self, tasks: Sequence[str]) -> tuple[np.ndarray, dict[str, int]]:
        """Returns the rows of each split, in the order of `SPLIT_NAMES`, and training positives."""
        rows = np.zeros(len(SPLIT_NAMES), np.int64)
        positives = dict.fromkeys(tasks, 0)
        for columns, splits in self.chunks():
            rows += np.bincount(splits[splits != LEFT_OUT], minlength=len(SPLIT_NAMES))
            for task in tasks:
                positives[task] += int(columns[task][splits == TRAIN].sum())
        return rows, positives
