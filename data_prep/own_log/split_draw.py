"""Splits rows by time, or draws test and validation rows: single rows, or whole groups."""

import dataclasses
import hashlib

import numpy as np
import polars as pl

from data_prep.own_log.cells import spelled, text_of
from data_prep.own_log.declaration import SPLIT_NAMES, Declaration, DeclaredSplit
from data_prep.own_log.declared.times import TIME
from data_prep.own_log.moments import midnight
from data_prep.own_log.weighting.negatives import LEFT_OUT, NegativeDraw
from data_prep.storage.group_draw import draw_groups

BUCKETS = 1 << 16  # of groups; the groups of one bucket are drawn together
TRAIN, VALIDATION, TEST = range(len(SPLIT_NAMES))  # positions in SPLIT_NAMES


def bucket_rows(frame: pl.DataFrame, declared: DeclaredSplit, seed: int) -> np.ndarray:
    """Returns the number of rows in each bucket of groups, `(BUCKETS,)`."""
    return np.bincount(_buckets(frame, declared, seed), minlength=BUCKETS)


@dataclasses.dataclass(frozen=True)
class SplitDraw:
    """Makes test and validation rows of training rows.

    Attributes:
      declared: How rows are split.
      seed: Seed of the draw.
      bucket_splits: Split of each bucket of groups, `(BUCKETS,)`, as a position in `SPLIT_NAMES`;
        None where no groups are drawn.
      negatives: Draw of the negatives that stay among the training rows; None keeps all.
      begins: Moments at which validation and test begin; None where rows are not split by time.
    """

    declared: DeclaredSplit
    seed: int
    bucket_splits: np.ndarray | None = None
    begins: tuple[int, int] | None = None
    negatives: NegativeDraw | None = None

    @classmethod
    def of_groups(cls, declared: DeclaredSplit, seed: int, rows: np.ndarray) -> "SplitDraw":
        """Draws whole buckets of groups that together have the declared shares of the rows.

        Args:
          declared: How rows are split.
          seed: Seed of the draw.
          rows: Number of rows of each bucket, the sum of `bucket_rows` over all rows.
        """
        splits = np.full(BUCKETS, TRAIN, np.int8)
        for split, share in (
            (TEST, declared.test_fraction),
            (VALIDATION, declared.validation_fraction),
        ):
            left = np.where(splits == TRAIN, rows, 0)
            random = np.random.default_rng([seed, split])
            splits[draw_groups(left, round(share * int(left.sum())), random)] = split
        return cls(declared, seed, splits)

    def __call__(self, frame: pl.DataFrame, splits: np.ndarray, before: int) -> None:
        """Makes test and validation rows of training rows of a chunk, in place.

        Rows that are in no split become `LEFT_OUT`.

        Args:
          frame: The rows.
          splits: Their splits, `(rows,)`.
          before: Number of rows of the chunks before.
        """
        if self.begins is not None:
            times = frame[TIME].to_numpy()
            splits[:] = np.searchsorted(self.begins, times, side="right")
            if self.declared.train_from is not None:
                splits[times < self.declared.train_from] = LEFT_OUT
            if self.declared.test_until is not None:
                splits[times >= self.declared.test_until] = LEFT_OUT
            return
        train = splits == TRAIN
        if self.bucket_splits is not None:
            splits[train] = self.bucket_splits[_buckets(frame, self.declared, self.seed)[train]]
            return
        bits = np.random.PCG64([self.seed, 0])
        bits.advance(2 * before)  # each number is one step of the generator
        numbers = np.random.Generator(bits).random((frame.height, 2))
        splits[train & (numbers[:, 1] < self.declared.validation_fraction)] = VALIDATION
        splits[train & (numbers[:, 0] < self.declared.test_fraction)] = TEST


def _buckets(frame: pl.DataFrame, declared: DeclaredSplit, seed: int) -> np.ndarray:
    """Returns the bucket of each row's group, by a digest of the group's id."""
    if declared.column is None:
        raise ValueError(f"a split by {declared.by} has no groups")
    ids: np.ndarray = text_of(frame[declared.column]).to_numpy().astype(object)
    groups, of_row = np.unique(ids, return_inverse=True)
    key = seed.to_bytes(8, "little")
    digests = [
        hashlib.blake2b(group.encode(), digest_size=2, key=key).digest()
        for group in spelled(pl.Series(groups, dtype=pl.String))
    ]
    return np.frombuffer(b"".join(digests), "<u2")[of_row]


class SplitCounts:
    """What is to be known of all rows before they are split.

    Args:
      declaration: Declaration of the log.
      seed: Seed of the draw.

    Attributes:
      rows: Number of rows of each bucket of groups, `(BUCKETS,)`, where groups are drawn.
      latest: The last moment of all rows, where they are split by time; None before there is one.
    """

    def __init__(self, declaration: Declaration, seed: int):
        self.rows = np.zeros(BUCKETS, np.int64)
        self.latest: int | None = None
        self._declaration = declaration
        self._seed = seed

    def add(self, frame: pl.DataFrame) -> None:
        """Counts rows."""
        declared = self._declaration.split
        if declared.by == "group":
            self.rows += bucket_rows(frame, declared, self._seed)
        elif declared.by == "time":
            times = frame[TIME].drop_nulls().to_numpy()
            self._add_moment(int(times.max()) if len(times) else None)

    def merge(self, other: "SplitCounts") -> None:
        """Adds the counts of other rows."""
        self.rows += other.rows
        self._add_moment(other.latest)

    def draw(self) -> SplitDraw:
        """Returns what splits the rows that were counted."""
        declared = self._declaration.split
        draw = SplitDraw(declared, self._seed)
        if declared.by == "group":
            draw = SplitDraw.of_groups(declared, self._seed, self.rows)
        if declared.by == "time":
            draw = dataclasses.replace(draw, begins=_begins(self._declaration, self.latest))
        return dataclasses.replace(draw, negatives=NegativeDraw.of(self._declaration, self._seed))

    def _add_moment(self, latest: int | None) -> None:
        if latest is not None:
            self.latest = latest if self.latest is None else max(latest, self.latest)


def _begins(declaration: Declaration, latest: int | None) -> tuple[int, int]:
    """Returns the moments at which validation and test begin."""
    declared, time = declaration.split, declaration.time
    if declared.train_until is not None:
        until = declared.train_until, declared.validation_until
        return until[0], until[0] if until[1] is None else until[1]
    if latest is None or time is None:
        return 0, 0  # no rows
    days = (declared.last_days or 1) - 1
    return (
        midnight(latest, time.zone, days + declared.validation_days),
        midnight(latest, time.zone, days),
    )
