"""Columns of vectors: lists of a fixed number of numbers, or such lists as text."""

import reprlib

import numpy as np
import polars as pl

from data_prep.own_log.cells import text_of
from data_prep.own_log.written_lists import split_lists
from dcrnn_tf.dataset.encodings import Vector


def shown(cell: object) -> str:
    """Returns a cell as a message shows it, not at full length."""
    return reprlib.repr(cell.to_list() if isinstance(cell, pl.Series) else cell)


def vectors_of(column: pl.Series, encoding: Vector) -> tuple[np.ndarray, np.ndarray]:
    """Returns vectors, float64 `(rows, length)`, and which cells are neither vectors nor missing.

    The numbers of a missing vector, and of a cell that is none, are NaN.
    """
    if not isinstance(column.dtype, pl.List | pl.Array):
        texts = text_of(column).rename(column.name)
        if encoding.separator.isspace():
            texts = texts.str.strip_chars().str.replace_all(r"\s+", encoding.separator)
        texts = texts.str.replace(r"(?s)^[({](.*)[)}]$", "[${1}]")
        lists = split_lists(texts, encoding.separator)
        column = lists.list.eval(pl.element().str.strip_chars())
    lists = column.cast(pl.List(pl.Float64), strict=False)
    lengths = lists.list.len().fill_null(0).to_numpy()
    finite = lists.list.eval(pl.element().cast(pl.Float32).is_finite().fill_null(False))
    usable = (lengths == encoding.length) & finite.list.all().fill_null(False).to_numpy()
    vectors = np.full((len(column), encoding.length), np.nan)
    numbers = lists.filter(pl.Series(usable)).explode().to_numpy()
    vectors[usable] = numbers.reshape(-1, encoding.length)
    return vectors, ~usable & (lengths > 0)
