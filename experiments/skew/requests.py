"""Rows of logged requests, encoded as the model's graph encodes them, and their comparison."""

import pathlib
from collections.abc import Collection, Sequence

import numpy as np
import polars as pl

from data_prep.own_log.row_encoder import RowEncoder
from dcrnn_tf.dataset.schema import NUMERIC, DatasetError, load_schema
from dcrnn_tf.serving.field_statistics import Difference
from experiments.reports.grid import Grid, Number, Text


def encoded(
    extra: pathlib.Path, paths: Sequence[pathlib.Path]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], int]:
    """Returns the features of rows, which rows lack a number by field, and the number of rows.

    Args:
      extra: The folder `assets.extra` of the version.
      paths: Files of the rows.

    Raises:
      DatasetError: A file cannot be read, or rows lack a column.
    """
    frame = pl.concat([_read(path) for path in paths], how="diagonal_relaxed")
    fields = load_schema(extra).fields
    for field in fields:  # requests name the fields, logs the columns
        if field.raw_name not in frame.columns and field.name in frame.columns:
            frame = frame.with_columns(frame[field.name].alias(field.raw_name))
    features = RowEncoder(extra)(frame)
    missing = {}
    for field in fields:
        if field.kind == NUMERIC and field.encoding is not None:
            numbers = frame[field.raw_name].cast(pl.Float64, strict=False).fill_null(np.nan)
            missing[field.name] = ~field.encoding.cleaned(numbers.to_numpy(), np)[1]
    return features, missing, frame.height


def grid(found: Sequence[Difference], skewed: Collection[str]) -> Grid:
    """Returns the comparison field by field.

    Args:
      found: The differences.
      skewed: Names of the fields that differ.
    """
    columns = (
        Text("field", lambda one: one.field),
        Text("differs", lambda one: "yes" if one.field in skewed else ""),
        Number("missing in training", lambda one: one.training.missing, form=".2%"),
        Number("in requests", lambda one: one.requests.missing, form=".2%"),
        Number("unknown in training", lambda one: one.training.unknown, form=".2%"),
        Number("in requests", lambda one: one.requests.unknown, form=".2%"),
        Number("shift", lambda one: one.shift, form=".3f"),
    )
    return Grid.of("Requests and training", columns, found)


def _read(path: pathlib.Path) -> pl.DataFrame:
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        return pl.read_ndjson(path, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DatasetError(
            f"{path} cannot be read as Parquet or JSON lines ({reason}); write rows in one of these"
        ) from None
