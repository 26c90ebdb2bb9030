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

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.field_encoder import FieldEncoder
from data_prep.own_log.files import as_text, cleaned
from data_prep.own_log.rows import numbers_of
from data_prep.storage.vocabulary import load_vocabulary
from data_prep.storage.writer import Ragged
from dcrnn_tf.dataset.schema import NUMERIC, PADDING_ROW, SCHEMA_FILE, DatasetError, load_schema


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
        if fields is not None:
            schema = schema.select_fields(list(fields))
        path = pathlib.Path(folder, SCHEMA_FILE)
        if not schema.filters.get("declaration"):
            raise DatasetError(
                f"{path} keeps no declaration of its raw columns, so raw rows cannot be encoded "
                "as it was; that takes a dataset made by data_prep.own_log"
            )
        declaration = parse_declaration(schema.filters["declaration"], path)
        declared = {field.name: field for field in declaration.fields}
        self._missing_values = declaration.missing_values
        # One field that reads a column's numbers makes them numbers for every field.
        self._numbers = {f.column: f.name for f in declaration.fields if f.reads_numbers}
        self._encoders: list[FieldEncoder] = []
        self._spelled: dict[str, str | None] = {}  # an id that no number is written as, by field
        for field in schema.fields:
            vocabulary = None if field.kind == NUMERIC else load_vocabulary(folder, field)
            try:
                encoder = FieldEncoder.restore(
                    declared[field.name], self._missing_values, vocabulary, schema.filters
                )
            except KeyError:
                raise DatasetError(
                    f"{path} does not say how field {field.name} was encoded; prepare the dataset "
                    "again"
                ) from None
            self._encoders.append(encoder)

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that a frame must have."""
        return tuple(dict.fromkeys(encoder.declared.column for encoder in self._encoders))

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
            if encoder.declared.column not in frame.columns:
                raise DatasetError(
                    f"the rows have no column {encoder.declared.column!r}, which field "
                    f"{encoder.declared.name} is made of; they have {', '.join(frame.columns)}"
                )
        self._check_types(frame)
        frame = cleaned(frame.select(self.columns), self._missing_values)
        frame = frame.with_columns(
            self._parsed(frame[column], field)
            for column, field in self._numbers.items()
            if column in frame.columns
        )
        features = {}
        for encoder in self._encoders:
            column = encoder.encode(frame)
            if isinstance(column, Ragged):
                column = _padded(column, encoder.declared.max_values)
            features[encoder.declared.name] = column
        return features

    def _check_types(self, frame: pl.DataFrame) -> None:
        """Refuses numbers where the vocabulary holds ids that no number is written as: `02139`."""
        for encoder in self._encoders:
            dtype = frame.schema[encoder.declared.column]
            dtype = dtype.inner if isinstance(dtype, pl.List) else dtype
            ids = encoder.vocabulary is not None and encoder.binning is None and dtype.is_numeric()
            if ids and (spelled := self._spelled_otherwise(encoder)):
                raise DatasetError(
                    f"field {encoder.declared.name}: column {encoder.declared.column!r} holds "
                    f"numbers, and the dataset has ids such as {spelled!r}, which no number is "
                    "written as; give that column as text"
                )

    def _spelled_otherwise(self, encoder: FieldEncoder) -> str | None:
        name = encoder.declared.name
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


def _padded(lists: Ragged, width: int) -> np.ndarray:
    """The lists as rows of one width."""
    rows = np.full((len(lists.row_lengths), width), PADDING_ROW, np.int32)
    rows[np.arange(width) < lists.row_lengths[:, None]] = lists.values
    return rows
