"""Bins of numbers: a numeric column as the ids of a categorical field."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from data_prep.storage.vocabulary import IdCounter, Vocabulary

QUANTILE_BINS = 64
LOG_ABOVE = 2  # up to here a number is a bin of its own


class Binning:
    """Puts the numbers of one column into bins, which are then ids like any other.

      * `log`: whole numbers up to 2, negative ones included, are bins of their own (fractions are
        rounded down); above, a bin for each value of `floor(ln(x)^2)`. As an id, that bin has the
        number `floor(ln(x)^2) + 3`, so that bins are numbered as they lie.
      * `quantile`: `floor(64 F(x))` with `F` the training values' distribution function, ties at
        the middle of their step: at most 64 bins of about equal shares. A number that at least
        2/64 of the training rows have is sure to be a bin of its own, a rarer one may share it with
        neighbours. As an id, a bin is its smallest training value.

    Memory is that of the distinct bins, for `quantile` of the distinct numbers.

    Args:
      kind: one of these two.

    Attributes:
      counter: of the training rows of each bin, for `quantile` of each number, until the
        vocabulary is fixed.
    """

    def __init__(self, kind: str):
        self.kind = kind
        self.counter = IdCounter()
        self._edges = np.empty(0)  # of quantile bins, each one's smallest training value

    @classmethod
    def restore(cls, parameters: Mapping[str, object]) -> "Binning":
        """Bins as `parameters` of others say."""
        binning = cls(parameters["kind"])
        binning._edges = np.array(parameters.get("edges", []), np.float64)
        return binning

    @property
    def parameters(self) -> dict[str, object]:
        """What was learned beside the vocabulary, for the dataset's schema."""
        # The vocabulary lacks the edges of bins that are rarer than its min_count.
        edges = {"edges": self._edges.tolist()} if self.kind == "quantile" else {}
        return {"kind": self.kind, **edges}

    def add(self, values: np.ndarray) -> None:
        """Learns from training values, `(rows,)` float; NaN stands for missing."""
        values = values[~np.isnan(values)]
        values = log_bins(values) if self.kind == "log" else values + 0.0  # -0.0 becomes 0.0
        distinct, counts = np.unique(values, return_counts=True)
        self.counter.add(pl.Series(distinct), pl.Series(counts))

    def vocabulary(self, min_count: int) -> Vocabulary:
        """Fixes the bins; those of at least `min_count` training rows."""
        if self.kind == "quantile":
            numbers = self.counter.vocabulary()
            order = np.argsort(numbers.ids)
            values, counts = numbers.ids[order].astype(np.float64), numbers.counts[order]
            middle = (np.cumsum(counts) - counts / 2) / max(counts.sum(), 1)
            firsts = np.unique(np.floor(middle * QUANTILE_BINS), return_index=True)[1]
            self._edges = values[firsts]
            self.counter = IdCounter()
            if len(firsts):
                counts = np.add.reduceat(counts, firsts)
                self.counter.add(pl.Series(self._edges), pl.Series(counts))
        vocabulary = self.counter.vocabulary(min_count)
        self.counter = IdCounter()
        return vocabulary

    def __call__(self, values: np.ndarray) -> pl.Series:
        """Returns each number's bin, `(rows,)`; null where the number is missing."""
        if self.kind == "log":
            bins = pl.Series(log_bins(np.nan_to_num(values, nan=0.0)))
        else:
            place = np.searchsorted(self._edges, values, side="right") - 1
            edges = self._edges if len(self._edges) else np.zeros(1)
            bins = pl.Series(edges[np.clip(place, 0, len(edges) - 1)])
        return bins.set(pl.Series(np.isnan(values)), None)


def log_bins(values: np.ndarray) -> np.ndarray:
    """The numbers of `log` bins, `(rows,)` int64, of numbers without NaN."""
    # Below -2^53 neighbouring whole numbers are no longer told apart, and int64 ends soon.
    small = np.floor(np.clip(values, -(2.0**53), LOG_ABOVE))
    large = np.floor(np.square(np.log(np.maximum(values, LOG_ABOVE)))) + LOG_ABOVE + 1
    return np.where(values > LOG_ABOVE, large, small).astype(np.int64)
