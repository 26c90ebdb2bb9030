"""Bins of numbers, learned from training rows chunk by chunk."""

import numpy as np
import polars as pl

from data_prep.storage.vocabulary import IdCounter
from dcrnn_tf.dataset.encodings import LOG, Bins
from dcrnn_tf.dataset.vocabulary import Vocabulary

QUANTILE_BINS = 64


class BinsLearner:
    """Learns the bins of one column of numbers from its training values.

    Quantile bins are `floor(64 F(x))` with `F` the training values' distribution function, ties at
    the middle of their step: at most 64 bins of about equal shares. A number that at least 2/64 of
    the training rows have is sure to be a bin of its own, a rarer one may share it with neighbours.

    Memory is that of the distinct bins, for `quantile` of the distinct numbers.

    Args:
      method: Method of the bins, as `Bins` has it.

    Attributes:
      counter: Counts the training rows of each bin, for `quantile` of each number.
    """

    def __init__(self, method: str):
        self.method = method
        self.counter = IdCounter()

    def add(self, values: np.ndarray) -> None:
        """Learns from training values, `(rows,)` float; NaN stands for missing."""
        values = values[~np.isnan(values)]
        if self.method == LOG:
            values = Bins(method=LOG).ids(values, np).astype(np.int64)
        distinct, counts = np.unique(values, return_counts=True)
        self.counter.add(pl.Series(distinct), pl.Series(counts))

    def counted(self, bins: Bins) -> pl.DataFrame:
        """Returns the bins of an extended dataset, with the `count` of training rows of each."""
        table = self.counter.table()
        if self.method == LOG or not table.height:
            return table
        counter = IdCounter()
        ids = bins.ids(table["id"].to_numpy().astype(np.float64), np)
        counter.add(pl.Series(ids), table["count"])
        return counter.table()

    def finish(self, min_count: int, missing: tuple[str, ...] = ()) -> tuple[Bins, Vocabulary]:
        """Returns the bins that were learned, and the vocabulary of the frequent ones.

        Args:
          min_count: Least number of training rows of a bin with a row of its own.
          missing: Texts that stand for a missing value.
        """
        if self.method == LOG:
            return Bins(missing, LOG, (), min_count), self.counter.vocabulary(min_count)
        numbers = self.counter.vocabulary()
        order = np.argsort(numbers.ids)
        values, counts = numbers.ids[order].astype(np.float64), numbers.counts[order]
        middle = (np.cumsum(counts) - counts / 2) / max(counts.sum(), 1)
        firsts = np.unique(np.floor(middle * QUANTILE_BINS), return_index=True)[1]
        edges, bins = values[firsts], IdCounter()
        if len(firsts):
            bins.add(pl.Series(edges), pl.Series(np.add.reduceat(counts, firsts)))
        # The vocabulary lacks the edges of bins that are rarer than its min_count.
        encoding = Bins(missing, self.method, tuple(edges.tolist()), min_count)
        return encoding, bins.vocabulary(min_count)
