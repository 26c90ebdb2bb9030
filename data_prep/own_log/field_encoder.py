"""One field of a declared table: learned from training rows, then encoded."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from data_prep.own_log.binning import Binning
from data_prep.own_log.declaration import DeclaredField
from data_prep.own_log.files import as_text
from data_prep.own_log.rows import text_of
from data_prep.own_log.scaling import Scaling
from data_prep.storage.vocabulary import IdCounter, Vocabulary
from data_prep.storage.writer import Ragged
from dcrnn_tf.dataset.schema import CATEGORICAL, MULTI_CATEGORICAL, NUMERIC, Field


@dataclasses.dataclass(frozen=True)
class Learned:
    """What was found out about a field; None where its kind knows no such thing.

    Attributes:
      missing: rows without it.
      truncated: lists that were cut.
      scaling: parameters of the `Scaling`.
      binning: parameters of the `Binning`.
    """

    missing: int
    truncated: int | None
    scaling: Mapping[str, object] | None
    binning: Mapping[str, object] | None


class FieldEncoder:
    """Learns one field from training rows, then encodes it."""

    def __init__(self, declared: DeclaredField, missing_values: Sequence[str], seed: int):
        self.declared = declared
        self._missing_values = missing_values
        self.missing = 0
        self.truncated = 0
        self.scaling = Scaling(declared.scaling, seed)
        self.binning = Binning(declared.bins) if declared.bins else None
        self.vocabulary: Vocabulary | None = None
        self._counter = IdCounter()

    @classmethod
    def restore(
        cls,
        declared: DeclaredField,
        missing_values: Sequence[str],
        vocabulary: Vocabulary | None,
        filters: Mapping[str, Mapping],
    ) -> "FieldEncoder":
        """An encoder that has learned what a prepared dataset keeps of another one.

        Args:
          declared: the field.
          missing_values: of the declaration.
          vocabulary: of the field; None for a numeric one.
          filters: of the dataset's schema; `scaling` and `binning` are read.

        Raises:
          KeyError: the filters lack the field's scaling or its bins.
        """
        encoder = cls(declared, missing_values, seed=0)
        encoder.vocabulary = vocabulary
        if declared.kind == NUMERIC:
            encoder.scaling = Scaling.restore(filters["scaling"][declared.name])
        elif declared.bins:
            encoder.binning = Binning.restore(filters["binning"][declared.name])
        return encoder

    @property
    def counter(self) -> IdCounter:
        """What counts the field's ids until `finish`."""
        return self._counter if self.binning is None else self.binning.counter

    @property
    def learned(self) -> Learned:
        """What the dataset's schema says of the field beside its vocabulary."""
        numeric = self.declared.kind == NUMERIC
        return Learned(
            self.missing,
            self.truncated if self.declared.kind == MULTI_CATEGORICAL else None,
            self.scaling.parameters if numeric else None,
            None if self.binning is None else self.binning.parameters,
        )

    def add(self, frame: pl.DataFrame, train: np.ndarray) -> None:
        """Learns from the rows where `train` is true; counts missing and truncated over all."""
        column = frame[self.declared.column]
        self.missing += column.null_count()
        if self.declared.kind == NUMERIC:
            self.scaling.add(column.to_numpy()[train])
        elif self.binning is not None:
            self.binning.add(column.to_numpy()[train])
        elif self.declared.kind == CATEGORICAL:
            self._counter.add(text_of(frame, self.declared.column).filter(pl.Series(train)))
        else:
            lists = self._lists(frame)
            self.truncated += int((lists.list.len() > self.declared.max_values).sum())
            kept = lists.list.head(self.declared.max_values).filter(pl.Series(train))
            self._counter.add(kept.explode().drop_nulls())

    def finish(self) -> Field:
        """Fixes the vocabulary and returns the field's schema."""
        name, kind, source = self.declared.name, self.declared.kind, self.declared.column
        if kind == NUMERIC:
            return Field(name, kind, source=source)
        learned = self._counter if self.binning is None else self.binning
        self.vocabulary = learned.vocabulary(self.declared.min_count)
        self._counter = IdCounter()
        longest = self.declared.max_values if kind == MULTI_CATEGORICAL else 1
        return Field(name, kind, self.vocabulary.size, longest, source=source)

    def encode(self, frame: pl.DataFrame) -> np.ndarray | Ragged:
        """Returns the field's column of the dataset."""
        if self.declared.kind == NUMERIC:
            return self.scaling(frame[self.declared.column].to_numpy())
        if self.binning is not None:
            return self.vocabulary.encode(self.binning(frame[self.declared.column].to_numpy()))
        if self.declared.kind == CATEGORICAL:
            return self.vocabulary.encode(text_of(frame, self.declared.column))
        lists = self._lists(frame).list.head(self.declared.max_values)
        values = self.vocabulary.encode(lists.explode().drop_nulls())
        return Ragged(values, lists.list.len().to_numpy())

    def _lists(self, frame: pl.DataFrame) -> pl.Series:
        """The field's values as lists of text, without missing ones."""
        column = frame[self.declared.column]
        if not isinstance(column.dtype, pl.List):
            column = text_of(frame, self.declared.column).str.split(self.declared.separator)
        text = as_text(pl.element(), column.dtype.inner).str.strip_chars()
        lists = column.list.eval(text.filter(~text.is_in(self._missing_values)))
        return lists.fill_null([])
