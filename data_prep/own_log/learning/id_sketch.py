"""An estimate of the number of distinct ids, in memory that does not depend on it."""

import math

import numpy as np
import polars as pl

from data_prep.own_log.cells import spelled
from dcrnn_tf.dataset.ids.hashing import hashes

_BITS = 14  # of a hash, that choose a register: an error of about 1.04 / sqrt(2^14), 0.8 %
_REGISTERS = 1 << _BITS
_REST = 64 - _BITS


class IdSketch:
    """Estimates how many distinct ids there are (HyperLogLog: Flajolet et al., AofA 2007).

    A register keeps the longest run of zeros at the beginning of the hashes that choose it, so that
    it makes no difference how often an id is met, and sketches of parts make that of the whole.
    """

    def __init__(self) -> None:
        self._longest = np.zeros(_REGISTERS, np.uint8)

    def add(self, ids: pl.Series) -> None:
        """Takes ids in, as texts of any spelling; nulls are passed over."""
        found = hashes(spelled(ids.drop_nulls().unique()))
        register = (found >> np.uint64(_REST)).astype(np.int64)
        rest = (found & np.uint64((1 << _REST) - 1)).astype(np.float64)  # exact below 2^53
        runs = (_REST + 1 - np.frexp(rest)[1]).astype(np.uint8)
        np.maximum.at(self._longest, register, runs)

    def merge(self, other: "IdSketch") -> None:
        """Takes in what another sketch has seen."""
        np.maximum(self._longest, other._longest, out=self._longest)

    def distinct(self) -> int:
        """Returns the estimate of the number of distinct ids."""
        empty = int(np.count_nonzero(self._longest == 0))
        weight = 0.7213 / (1 + 1.079 / _REGISTERS)
        estimate = weight * _REGISTERS**2 / np.exp2(-self._longest.astype(np.float64)).sum()
        if empty and estimate <= 2.5 * _REGISTERS:  # few ids: their empty registers say how many
            estimate = _REGISTERS * math.log(_REGISTERS / empty)
        return round(estimate)


def colliding_share(ids: int, rows: int) -> float:
    """Returns the share of ids that are expected to have a row in common with another id.

    Args:
      ids: Number of distinct ids.
      rows: Number of rows over which they are hashed.
    """
    return -math.expm1(max(ids - 1, 0) * math.log1p(-1 / rows)) if rows > 1 else float(ids > 1)
