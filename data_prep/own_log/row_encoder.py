"""Encodes raw rows as the preparation of a dataset did, from what its folder keeps.

For rows that come after the preparation, such as those to be served:

  >>> encoder = RowEncoder("data/shop")
  >>> features = encoder(pl.DataFrame({"user_id": ["u17"], "price": [3.5]}))
  >>> model(features)
"""

import pathlib
from collections.abc import Sequence

import numpy as np
import polars as pl

from data_prep.own_log.cells import as_text, clean, numbers_of
from data_prep.own_log.field_encoder import FieldEncoder
from data_prep.storage.writer import Ragged
from dcrnn_tf.dataset.encodings import INTEGER, PADDING_ROW, TEXT, Ids
from dcrnn_tf.dataset.schema import NUMERIC, SCHEMA_FILE, DatasetError, Field, load_schema
from dcrnn_tf.dataset.vocabulary import load_vocabulary


class RowEncoder:
    """Turns raw rows into the features of a batch, as `PreparedDataset.batches` gives them.

    Args:
      folder: of a dataset prepared by `data_prep.own_log`.
      fields: names of the fields to encode; None encodes all.

    Raises:
      DatasetError: the folder is no such dataset, lacks a field, or a file of it is damaged.
    """

    def __init__(self, folder: str | pathlib.Path, fields: Sequence[str] | None = None):
        schema = load_schema(folder)
        # One field that reads a column's numbers makes them numbers for every field.
        encoded = [field for field in schema.fields if field.encoding]
        self._numbers = {f.raw_name: f.name for f in encoded if f.encoding.reads_numbers}
        if fields is not None:
            schema = schema.select_fields(list(fields))
        for field in schema.fields:
            _check_encoding(field, pathlib.Path(folder, SCHEMA_FILE))
        self._encoders = [
            FieldEncoder(field, None if field.kind == NUMERIC else load_vocabulary(folder, field))
            for field in schema.fields
        ]
        self._missing = {field.raw_name: field.encoding.missing for field in schema.fields}
        self._spelled: dict[str, str | None] = {}  # an id that no number is written as, by field

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that a frame must have."""
        return tuple(self._missing)

    def __call__(self, frame: pl.DataFrame) -> dict[str, np.ndarray]:
        """Encodes rows.

        Args:
          frame: raw rows, as text or as the types that Parquet has; further columns are passed
            over.

        Returns:
          `{field: array}`: int32 `(rows,)` of a categorical field, int32 `(rows, max_values)` of
          a multi-categorical one, padded with 0, float32 `(rows,)` of a numeric one.

        Raises:
          DatasetError: a column is missing, a cell that must be a number is none, or ids are given
            as numbers that were spelled otherwise in the preparation.
        """
        for encoder in self._encoders:
            if encoder.field.raw_name not in frame.columns:
                raise DatasetError(
                    f"the rows have no column {encoder.field.raw_name!r}, which field "
                    f"{encoder.field.name} is made of; they have {', '.join(frame.columns)}"
                )
        self._check_types(frame)
        frame = pl.DataFrame([clean(frame[name], self._missing[name]) for name in self.columns])
        frame = frame.with_columns(
            self._parsed(frame[column], field)
            for column, field in self._numbers.items()
            if column in frame.columns
        )
        features = {}
        for encoder in self._encoders:
            column = encoder(frame)
            if isinstance(column, Ragged):
                column = _padded(column, encoder.field.max_values)
            features[encoder.field.name] = column
        return features

    def _check_types(self, frame: pl.DataFrame) -> None:
        """Refuses numbers where the vocabulary holds ids that no number is written as: `02139`."""
        for encoder in self._encoders:
            field = encoder.field
            dtype = frame.schema[field.raw_name]
            dtype = dtype.inner if isinstance(dtype, pl.List) else dtype
            ids = isinstance(field.encoding, Ids) and dtype.is_numeric()
            if ids and (spelled := self._spelled_otherwise(encoder)):
                raise DatasetError(
                    f"field {field.name}: column {field.raw_name!r} holds "
                    f"numbers, and the dataset has ids such as {spelled!r}, which no number is "
                    "written as; give that column as text"
                )

    def _spelled_otherwise(self, encoder: FieldEncoder) -> str | None:
        name = encoder.field.name
        if name not in self._spelled:
            ids = pl.DataFrame({"id": pl.Series(encoder.vocabulary.ids, dtype=pl.String)})
            number, id_ = pl.col("id").cast(pl.Float64, strict=False), pl.col("id")
            whole = id_.cast(pl.Int64, strict=False).cast(pl.String)
            same = (whole == id_).fill_null(False) | (as_text(number, pl.Float64()) == id_)
            odd = ids.filter(number.is_finite() & ~same.fill_null(False))
            self._spelled[name] = odd["id"][0] if odd.height else None
        return self._spelled[name]

    def _parsed(self, column: pl.Series, field: str) -> pl.Series:
        """A column of numbers as such."""
        numbers, usable = numbers_of(column)
        if not usable.all():
            row = int(np.flatnonzero(~usable)[0])
            raise DatasetError(
                f"field {field}: column {column.name!r} holds {column[row]!r} in row {row} "
                "(counted from 0), expected a number"
            )
        return numbers


def _check_encoding(field: Field, path: pathlib.Path) -> None:
    """Refuses a field whose raw values are not known to be cells of an own log."""
    if field.encoding is None:
        raise DatasetError(
            f"{path} does not say how field {field.name} was encoded; prepare the dataset again"
        )
    if getattr(field.encoding, "values", TEXT) == INTEGER:
        raise DatasetError(
            f"{path} has integers as ids of field {field.name}, which are no cells of an own log, "
            "so raw rows cannot be encoded; that takes a dataset made by data_prep.own_log"
        )


def _padded(lists: Ragged, width: int) -> np.ndarray:
    """The lists as rows of one width."""
    rows = np.full((len(lists.row_lengths), width), PADDING_ROW, np.int32)
    rows[np.arange(width) < lists.row_lengths[:, None]] = lists.values
    return rows
