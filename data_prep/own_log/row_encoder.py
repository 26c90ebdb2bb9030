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

from data_prep.own_log.cells import (
    clean,
    clean_text,
    expected_number,
    numbers_of,
    unusable_numbers,
)
from data_prep.own_log.field_encoder import FieldEncoder, features_of
from data_prep.own_log.id_types import IdTypes
from data_prep.own_log.lists.vectors import shown, vectors_of
from data_prep.own_log.lists.weighted import unusable_weights
from data_prep.own_log.raw_columns import RawColumns
from dcrnn_tf.dataset.encodings import INTEGER, TEXT, VALUE, Encoding, Ids, Vector
from dcrnn_tf.dataset.schema import SCHEMA_FILE, VECTOR, DatasetError, Field, load_schema
from dcrnn_tf.dataset.vocabulary import load_vocabularies


class RowEncoder:
    """Turns raw rows into the features of a batch, as `PreparedDataset.batches` gives them.

    Args:
      folder: of a dataset prepared by `data_prep.own_log`.
      fields: names of the fields to encode; None encodes all.
      raw_dir: folder of the files that the declaration joins, in which the columns of rows that
        lack them are looked up; None if rows have the joined columns.

    Raises:
      DatasetError: the folder is no such dataset, lacks a field, or a file of it is damaged.
    """

    def __init__(
        self,
        folder: str | pathlib.Path,
        fields: Sequence[str] | None = None,
        raw_dir: str | pathlib.Path | None = None,
    ):
        schema = load_schema(folder)
        if fields is not None:
            schema = schema.select_fields(list(fields))
        encodings = {
            field.name: _encoding_of(field, pathlib.Path(folder, SCHEMA_FILE))
            for field in schema.fields
        }
        vocabularies = load_vocabularies(folder, schema.fields)
        self._encoders = [
            FieldEncoder(field, vocabularies.get(field.name)) for field in schema.fields
        ]
        self._missing = {f.raw_name: encodings[f.name].missing for f in schema.fields}
        self._raw_columns = RawColumns(schema, pathlib.Path(folder, SCHEMA_FILE), raw_dir)
        self._numbers = {
            f.raw_name: f.name for f in schema.fields if encodings[f.name].reads_numbers
        }
        self._texts = {f.raw_name for f in schema.fields if _values(f) == TEXT}
        self._types = {
            encoder.field.name: IdTypes(encoder.field, encoder.ids)
            for encoder in self._encoders
            if _values(encoder.field) in (VALUE, TEXT)
        }

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that a frame must have."""
        return tuple(self._raw_columns.given)

    def __call__(self, frame: pl.DataFrame) -> dict[str, np.ndarray]:
        """Encodes rows.

        Args:
          frame: raw rows, as text or as the types that Parquet has; further columns are passed
            over.

        Returns:
          `{field: array}`: int32 `(rows,)` of a categorical field, int32 `(rows, max_values)` of
          a multi-categorical one, padded with 0, float32 `(rows,)` of a numeric one and
          `(rows, length)` of a vector; with
          `FIELD_weight`, float32 `(rows, max_values)`, of a weighted list.

        Raises:
          DatasetError: the rows are no frame of Polars, a column is missing, a cell that must be a
            number is none, or a column has a type that gives no number, or whose values are never
            spelled like the ids of the dataset.
        """
        if not isinstance(frame, pl.DataFrame):
            raise DatasetError(
                f"the rows are of type {type(frame).__name__}, expected a frame of Polars; make "
                "one with pl.from_pandas(rows), pl.from_dicts(rows) or rows.collect()"
            )
        frame = self._raw_columns(frame)
        for encoder in self._encoders:
            if encoder.field.name in self._types:
                self._types[encoder.field.name].check(frame[encoder.field.raw_name])
        for column, field in self._numbers.items():
            _check_number_type(frame[column], field)
        frame = pl.DataFrame(
            [
                (clean_text if name in self._texts else clean)(frame[name], missing)
                for name, missing in self._missing.items()
            ]
        )
        for column, field in self._numbers.items():
            _check_numbers(frame[column], field)
        for encoder in self._encoders:
            if encoder.field.kind == VECTOR:
                _check_vectors(frame[encoder.field.raw_name], encoder.field)
            if encoder.field.weighted:
                _check_weights(frame[encoder.field.raw_name], encoder.field)
        return features_of(self._encoders, frame)


def _values(field: Field) -> str | None:
    """The type of the ids of a field; None of a field without."""
    return getattr(field.encoding, "values", None)


def _check_number_type(column: pl.Series, field: str) -> None:
    """Refuses a column of a type that is no number, such as moments, which have many units."""
    dtype = column.dtype
    texts_and_others = (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Null)
    if not dtype.is_numeric() and dtype not in texts_and_others:
        raise DatasetError(
            f"field {field}: column {column.name!r} holds values of type {dtype}, expected "
            "numbers; give that column as the numbers that the dataset was made of"
        )


def _check_numbers(column: pl.Series, field: str) -> None:
    """Refuses a column in which a cell is no number."""
    unusable = unusable_numbers(column, numbers_of(column))
    if unusable.any():
        row = int(np.flatnonzero(unusable)[0])
        raise DatasetError(
            f"field {field}: column {column.name!r} holds {column[row]!r} in row {row} "
            f"(counted from 0), {expected_number(column[row])}"
        )


def _check_weights(column: pl.Series, field: Field) -> None:
    """Refuses a column in which a weight is no number from 0."""
    encoding = field.encoded_as(Ids)
    unusable = unusable_weights(column, encoding)
    if unusable.any():
        row = int(np.flatnonzero(unusable)[0])
        raise DatasetError(
            f"field {field.name}: column {column.name!r} holds {column[row]!r} in row {row} "
            "(counted from 0), expected a number from 0 after each "
            f"{encoding.weight_mark!r}"
        )


def _check_vectors(column: pl.Series, field: Field) -> None:
    """Refuses a column in which a cell is no vector of the field's length."""
    _, unusable = vectors_of(column, field.encoded_as(Vector))
    if unusable.any():
        row = int(np.flatnonzero(unusable)[0])
        raise DatasetError(
            f"field {field.name}: column {column.name!r} holds {shown(column[row])} in row {row} "
            f"(counted from 0), expected {field.length} numbers"
        )


def _encoding_of(field: Field, path: pathlib.Path) -> Encoding:
    """Returns the encoding of a field; refuses one whose raw values are no cells of an own log."""
    if field.encoding is None:
        raise DatasetError(
            f"{path} does not say how field {field.name} was encoded; prepare the dataset again"
        )
    if _values(field) == INTEGER:
        raise DatasetError(
            f"{path} has integers as ids of field {field.name}, which are no cells of an own log, "
            "so raw rows cannot be encoded; that takes a dataset made by data_prep.own_log"
        )
    return field.encoding
