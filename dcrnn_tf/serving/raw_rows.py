"""Turns encoded rows back into raw ids and numbers, for requests that samples are made of."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from dcrnn_tf.dataset.encodings import (
    FIRST_ID_ROW,
    LOG,
    PADDING_ROW,
    QUANTILE,
    STANDARD,
    Bins,
    Ids,
    NumberRows,
    Scaling,
    Vector,
)
from dcrnn_tf.dataset.ids.hashing import hashed_rows
from dcrnn_tf.dataset.schema import Schema
from dcrnn_tf.serving.raw_ids import unlike

Columns = dict[str, np.ndarray]


def raw_rows(
    schema: Schema, vocabularies: Mapping[str, np.ndarray], features: Mapping[str, np.ndarray]
) -> tuple[Columns, Columns]:
    """Returns rows as the inputs of an export, and the features that preparation makes of these.

    An id of a vocabulary has one row, so that its features are the given ones. A hashed id is any
    one, and a number one that the encoding brings near the given feature, with no more digits than
    float32 holds; their features are computed afresh, as preparations do it.

    Args:
      schema: Schema of the dataset.
      vocabularies: Raw ids of the fields that have embeddings, `{field: ids}`.
      features: Features of a batch without entity tables.
    """
    raw, known = {}, dict(features)
    for field in schema.fields:
        column, encoding = features[field.name], field.encoding
        if isinstance(encoding, Ids) and encoding.hashed is not None:
            raw[field.name] = texts = _hashed(column, encoding.missing_ids)
            present = pl.Series(texts.ravel(), dtype=pl.String).set(
                pl.Series(column.ravel() == PADDING_ROW), None
            )
            known[field.name] = hashed_rows(present, encoding.hashed).reshape(column.shape)
        elif isinstance(encoding, Ids) and not encoding.reads_numbers:
            raw[field.name] = _ids(column, encoding, vocabularies[field.name])
        elif isinstance(encoding, Vector):
            raw[field.name] = column
            known[field.name] = encoding.numbers(column, np)
        elif isinstance(encoding, Scaling):
            raw[field.name] = number = _short(_unscaled(column.astype(np.float64), encoding))
            known[field.name] = encoding.numbers(number, np)
        elif isinstance(encoding, Bins | Ids):
            ids = vocabularies[field.name].astype(np.float64)
            raw[field.name] = number = _short(_numbers(column, encoding, ids))
            known[field.name] = encoding.rows(number, NumberRows(ids), np)
        if field.weighted:
            raw[field.weight_name] = features[field.weight_name]
    return raw, known


def _short(numbers: np.ndarray) -> np.ndarray:
    """The numbers as a `tf.Example` holds them."""
    return numbers.astype(np.float32).astype(np.float64)


def _ids(rows: np.ndarray, encoding: Ids, ids: np.ndarray) -> np.ndarray:
    missing = encoding.missing_ids
    first = np.array([missing[0], _unknown(ids, missing)], ids.dtype)  # of rows 0 and 1
    known = rows >= FIRST_ID_ROW
    values = first[np.where(known, PADDING_ROW, rows)]
    values[known] = ids[rows[known] - FIRST_ID_ROW]
    return values


def _hashed(rows: np.ndarray, missing: Sequence) -> np.ndarray:
    """Ids that are as many and as often the same, and missing in the same places."""
    distinct, position = np.unique(rows, return_inverse=True)
    ids = np.array(unlike(missing, len(distinct)), dtype="O")
    ids[distinct == PADDING_ROW] = missing[0]
    return ids[position.reshape(rows.shape)]


def _unknown(ids: np.ndarray, missing: Sequence) -> int | str:
    """An id that the vocabulary does not know."""
    numbers = itertools.count(2**62)
    names = numbers if ids.dtype != object else (f"unknown {n}" for n in numbers)
    return next(name for name in names if name not in missing and not (ids == name).any())


def _numbers(rows: np.ndarray, encoding: Bins | Ids, ids: np.ndarray) -> np.ndarray:
    """Numbers that have these rows."""
    ids = np.append(0.0, ids)  # never empty
    numbers = ids[np.clip(rows - FIRST_ID_ROW + 1, 0, len(ids) - 1)]
    if isinstance(encoding, Bins) and encoding.method == LOG:  # the middle of ln(x)^2 in the bin
        numbers = np.where(numbers > 2, np.exp(np.sqrt(np.maximum(numbers, 3) - 2.5)), numbers)
    return np.where(rows == PADDING_ROW, np.nan, numbers)


def _unscaled(x: np.ndarray, encoding: Scaling) -> np.ndarray:
    if encoding.method == STANDARD:
        return x * encoding.standard_deviation + encoding.mean
    if encoding.method == LOG:
        return np.sign(x) * np.expm1(np.abs(x))
    if encoding.method == QUANTILE:
        return np.interp(x, encoding.scaled, encoding.knots)
    return x
