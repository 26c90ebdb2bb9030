"""Encodes raw columns of an own log as the schema says."""

from collections.abc import Iterable

import numpy as np
import polars as pl

from data_prep.own_log.cells import cut_lists, ids_of, lists_of, numbers_of, spelled
from data_prep.own_log.lists.vectors import vectors_of
from data_prep.own_log.lists.weighted import flat_pairs, weighted_lists
from data_prep.storage.writer import Ragged
from dcrnn_tf.dataset.encodings import (
    PADDING_ROW,
    UNKNOWN_ROW,
    VALUE,
    Bins,
    Encoding,
    Ids,
    NumberRows,
    Scaling,
    Vector,
)
from dcrnn_tf.dataset.ids.hashing import hashed_rows
from dcrnn_tf.dataset.schema import CATEGORICAL, NUMERIC, DatasetError, Field
from dcrnn_tf.dataset.vocabulary import Vocabulary


class FieldEncoder:
    """Encodes one field.

    Args:
      field: The field.
      vocabulary: Its vocabulary; None for numbers and hashed ids.
    """

    def __init__(self, field: Field, vocabulary: Vocabulary | None):
        self.field = field
        self.vocabulary = vocabulary
        if field.encoded_as(Encoding).reads_numbers and vocabulary is not None:
            self._number_rows = NumberRows(vocabulary.ids)

    @property
    def _ids(self) -> Ids:
        return self.field.encoded_as(Ids)

    @property
    def ids(self) -> np.ndarray:
        """The ids of the vocabulary; none where ids are hashed."""
        return np.array([], object) if self.vocabulary is None else self.vocabulary.ids

    def __call__(self, frame: pl.DataFrame) -> np.ndarray | Ragged:
        """Returns the field's column of the dataset.

        Args:
          frame: Raw columns as `cells.cleaned` gives them, those of numbers without other cells.
        """
        column, encoding = frame[self.field.raw_name], self.field.encoded_as(Encoding)
        if isinstance(encoding, Vector):
            return encoding.numbers(vectors_of(column, encoding)[0], np)
        if isinstance(encoding, Scaling):
            return encoding.numbers(numbers_of(column).to_numpy(), np)
        if isinstance(encoding, Bins) or encoding.reads_numbers:
            rows_of = encoding.rows if isinstance(encoding, Bins) else self._ids.rows
            return rows_of(numbers_of(column).to_numpy(), self._number_rows, np)
        if self.field.kind == CATEGORICAL:
            return self._rows(ids_of(column, self._ids))
        if self._ids.weight_mark is not None:
            lists = cut_lists(weighted_lists(column, self._ids), self._ids)
            ids, weights = flat_pairs(lists)
            numbers = weights.to_numpy().astype(np.float32)
            return Ragged(self._rows(ids), lists.list.len().to_numpy(), numbers)
        lists = cut_lists(lists_of(column, self._ids), self._ids)
        return Ragged(self._rows(lists.explode().drop_nulls()), lists.list.len().to_numpy())

    def _rows(self, ids: pl.Series) -> np.ndarray:
        if self._ids.hashed is not None:
            return hashed_rows(spelled(ids), self._ids.hashed)
        if self.vocabulary is None:
            raise DatasetError(f"field {self.field.name} has no vocabulary")
        rows = self.vocabulary.encode(ids)
        if self._ids.values == VALUE:
            # The vocabulary's ids are spelled as ids are, so that few are to be spelled anew.
            unknown = np.flatnonzero(rows == UNKNOWN_ROW)
            rows[unknown] = self.vocabulary.encode(spelled(ids.gather(unknown)))
        return rows


def missing_numbers(encoders: Iterable[FieldEncoder], frame: pl.DataFrame) -> dict[str, np.ndarray]:
    """Returns which rows lack a number, by each field whose encoded column does not show it."""
    missing = {}
    for encoder in encoders:
        field = encoder.field
        if field.kind == NUMERIC:
            numbers = numbers_of(frame[field.raw_name]).to_numpy()
            missing[field.name] = ~field.encoded_as(Scaling).cleaned(numbers, np)[1]
    return missing


def features_of(
    encoders: Iterable[FieldEncoder], frame: pl.DataFrame, as_long_as_possible: bool = True
) -> dict[str, np.ndarray]:
    """Returns rows as the features of a batch, lists padded to one width.

    Args:
      encoders: Encoders of the fields.
      frame: Rows, as `FieldEncoder` takes them.
      as_long_as_possible: Whether lists are as wide as the longest of the whole dataset, or as the
        longest of these rows.
    """
    features = {}
    for encoder in encoders:
        column, field = encoder(frame), encoder.field
        if isinstance(column, Ragged):
            longest = max(1, int(np.max(column.row_lengths, initial=0)))
            width = field.max_values if as_long_as_possible else longest
            if column.weights is not None:
                weights = Ragged(column.weights, column.row_lengths)
                features[field.weight_name] = _padded(weights, width)
            column = _padded(column, width)
        features[field.name] = column
    return features


def _padded(lists: Ragged, width: int) -> np.ndarray:
    """The lists as rows of one width."""
    rows = np.full((len(lists.row_lengths), width), PADDING_ROW, lists.values.dtype)
    rows[np.arange(width) < lists.row_lengths[:, None]] = lists.values
    return rows
