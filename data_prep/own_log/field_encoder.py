"""Raw columns of an own log, encoded as the schema says."""

import numpy as np
import polars as pl

from data_prep.own_log.cells import lists_of, text_of
from data_prep.storage.writer import Ragged
from dcrnn_tf.dataset.encodings import NumberRows
from dcrnn_tf.dataset.schema import CATEGORICAL, Field
from dcrnn_tf.dataset.vocabulary import Vocabulary


class FieldEncoder:
    """Encodes one field.

    Args:
      field: The field.
      vocabulary: Its vocabulary; None for a numeric field.
    """

    def __init__(self, field: Field, vocabulary: Vocabulary | None):
        self.field = field
        self.vocabulary = vocabulary
        if field.encoding.reads_numbers and vocabulary is not None:
            self._number_rows = NumberRows(vocabulary.ids)

    def __call__(self, frame: pl.DataFrame) -> np.ndarray | Ragged:
        """Returns the field's column of the dataset.

        Args:
          frame: Raw columns as `cells.cleaned` gives them, numbers as Float64.
        """
        column, encoding = frame[self.field.raw_name], self.field.encoding
        if encoding.gives_numbers:
            return encoding.numbers(column.to_numpy(), np)
        if encoding.reads_numbers:
            return encoding.rows(column.to_numpy(), self._number_rows, np)
        if self.field.kind == CATEGORICAL:
            return self.vocabulary.encode(text_of(column))
        lists = lists_of(column, encoding).list.head(encoding.max_values)
        values = self.vocabulary.encode(lists.explode().drop_nulls())
        return Ragged(values, lists.list.len().to_numpy())
