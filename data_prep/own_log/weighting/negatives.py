"""Rows that are in no split, and negatives that are left out of the training rows.

Negatives are drawn alike however rows are read.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import polars as pl

from data_prep.own_log.declaration import SPLIT_NAMES, Declaration
from dcrnn_tf.dataset.schema import Task

LEFT_OUT = len(SPLIT_NAMES)  # the split of a row that is in none
_TRAIN = SPLIT_NAMES.index("train")
_STREAM = 3  # of the seed; 0 to 2 draw splits


@dataclasses.dataclass(frozen=True)
class NegativeDraw:
    """Leaves rows out by a number that each row draws by its place among all rows.

    A training row stays unless the task is defined on it and negative, and its number, from 0 to
    below 1, is not below `task.keep_negatives`. What other tasks have on the row decides nothing.

    Attributes:
      task: The task that keeps a share of its negatives.
      seed: Seed of the draw.
    """

    task: Task
    seed: int

    @classmethod
    def of(cls, declaration: Declaration, seed: int) -> "NegativeDraw | None":
        """Returns the draw that a declaration asks for, None if it keeps all rows."""
        for declared in declaration.tasks:
            if declared.keep_negatives < 1:
                return cls(declared.task, seed)
        return None

    def stay(self, splits: np.ndarray, labels: Mapping[str, np.ndarray], before: int) -> np.ndarray:
        """Returns which rows of a chunk stay, `(rows,)`.

        Args:
          splits: Splits of the rows, as positions in `SPLIT_NAMES`.
          labels: Their labels.
          before: Number of rows of the chunks before.
        """
        bits = np.random.PCG64([self.seed, _STREAM])
        bits.advance(before)  # each number is one step of the generator
        drawn = np.random.Generator(bits).random(len(splits))
        negative = labels[self.task.name] == 0
        if self.task.only_where is not None:
            negative &= labels[self.task.only_where] > 0
        return ~((splits == _TRAIN) & negative & (drawn >= self.task.keep_negatives))


class StayingRows:
    """Says chunk after chunk, in the order of the log, which rows stay.

    Args:
      draw: Draw of the negatives; None keeps all.
      before: Number of rows of the chunks before the first.

    Attributes:
      left_out: Number of negatives that were left out so far.
      in_no_split: Number of rows that are in no split so far.
    """

    def __init__(self, draw: NegativeDraw | None, before: int = 0):
        self.left_out = 0
        self.in_no_split = 0
        self._draw = draw
        self._before = before

    def __call__(self, splits: np.ndarray, labels: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns which rows of the next chunk stay, `(rows,)`."""
        in_split = splits != LEFT_OUT
        self.in_no_split += int(np.count_nonzero(~in_split))
        if self._draw is None:
            return in_split
        stay = self._draw.stay(splits, labels, self._before)
        self._before += len(splits)
        self.left_out += int(np.count_nonzero(~stay))
        return stay & in_split


def staying(
    frame: pl.DataFrame, splits: np.ndarray, labels: dict[str, np.ndarray], stay: np.ndarray
) -> tuple[pl.DataFrame, np.ndarray, dict[str, np.ndarray]]:
    """Returns the rows that stay, of a chunk as `LogRows.read` yields it."""
    if stay.all():
        return frame, splits, labels
    kept = {name: column[stay] for name, column in labels.items()}
    return frame.filter(pl.Series(stay)), splits[stay], kept
