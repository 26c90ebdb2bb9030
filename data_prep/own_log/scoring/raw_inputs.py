"""Raw rows as the inputs of an exported model, which has the vocabularies inside."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from data_prep.own_log.cells import cut_lists, ids_of, lists_of, numbers_of
from data_prep.own_log.lists.vectors import vectors_of
from data_prep.own_log.lists.weighted import flat_pairs, weighted_lists
from dcrnn_tf.dataset.encodings import Encoding, Ids, Vector
from dcrnn_tf.dataset.schema import CATEGORICAL, Field


def raw_inputs(fields: Sequence[Field], frame: pl.DataFrame) -> dict[str, np.ndarray]:
    """Returns the inputs that `RawFeatures` takes, `{input: (rows, ...)}`.

    Args:
      fields: The fields of the model.
      frame: Raw columns as `cells.cleaned` gives them, those of numbers without other cells.
    """
    inputs = {}
    for field in fields:
        column, read = frame[field.raw_name], field.encoded_as(Encoding)
        if isinstance(read, Vector):
            inputs[field.name] = vectors_of(column, read)[0].astype(np.float32)
            continue
        if read.reads_numbers:
            inputs[field.name] = numbers_of(column).fill_null(np.nan).to_numpy()
            continue
        encoding = field.encoded_as(Ids)
        if field.kind == CATEGORICAL:
            ids = ids_of(column, encoding).fill_null(_missing(encoding))
            inputs[field.name] = ids.to_numpy().astype(object)
        elif encoding.weight_mark is None:
            lists = cut_lists(lists_of(column, encoding), encoding)
            inputs[field.name] = _padded(lists, lists.explode().drop_nulls(), _missing(encoding))
        else:
            lists = cut_lists(weighted_lists(column, encoding), encoding)
            ids, weights = flat_pairs(lists)
            inputs[field.name] = _padded(lists, ids, _missing(encoding))
            inputs[field.weight_name] = _padded(lists, weights, 1.0).astype(np.float32)
    return inputs


def _missing(encoding: Ids) -> str | int:
    """An id that stands for a missing one."""
    return encoding.missing_ids[0]


def _padded(lists: pl.Series, values: pl.Series, padding: object) -> np.ndarray:
    """The values of lists, end to end, as rows of the width of the longest list."""
    lengths = lists.list.len().to_numpy()
    width = max(1, int(lengths.max(initial=0)))
    rows = np.full((len(lists), width), padding, object)
    rows[np.arange(width) < lengths[:, None]] = values.to_numpy()
    return rows
