"""Lists of ids that carry weights, such as `a:0.5;b:0.2`."""

import re

import numpy as np
import polars as pl

from data_prep.own_log.cells import as_values, lists_of
from dcrnn_tf.dataset.encodings import Ids

_LARGEST = float(np.finfo(np.float32).max)
_PAIRS = pl.List(pl.Struct({"id": pl.String, "weight": pl.Float64}))


def weighted_lists(column: pl.Series, encoding: Ids) -> pl.Series:
    """Returns lists of ids with their weights, not cut: lists of the pairs `id` and `weight`.

    What follows the last mark of an item is its weight, null if it is no number from 0 that float32
    holds. An item without a mark has the weight 1, one without an id is left out.
    """
    mark, item = encoding.weight_mark or "", pl.element()
    pattern = f"(?s)^(.*){re.escape(mark)}(.*?)$"
    marked = item.str.contains(mark, literal=True)
    ids = pl.when(marked).then(item.str.extract(pattern, 1)).otherwise(item).str.strip_chars()
    weight = item.str.extract(pattern, 2).str.strip_chars().cast(pl.Float64, strict=False)
    weight = pl.when(weight.is_between(0, _LARGEST)).then(weight)
    weight = pl.when(marked).then(weight).otherwise(1.0)
    lists = lists_of(column, encoding)
    pairs = lists.list.eval(pl.struct(ids.alias("id"), weight.alias("weight"))).cast(_PAIRS)
    texts = flat_pairs(pairs)["id"]
    missing = texts.filter(as_values(encoding.missing).hold(texts)).unique()
    present = item.filter(~item.struct.field("id").is_in(missing.implode()))
    return pairs.list.eval(present).cast(_PAIRS)


def flat_pairs(pairs: pl.Series) -> pl.DataFrame:
    """Returns the pairs of all lists end to end."""
    return pairs.filter(pairs.list.len() > 0).explode().struct.unnest()


def id_lists(column: pl.Series, encoding: Ids) -> pl.Series:
    """Returns lists of ids without their weights, if they have some, and not cut."""
    if encoding.weight_mark is None:
        return lists_of(column, encoding)
    ids = weighted_lists(column, encoding).list.eval(pl.element().struct.field("id"))
    return ids.cast(pl.List(pl.String))


def unusable_weights(column: pl.Series, encoding: Ids) -> np.ndarray:
    """Returns which cells hold a weight that is no number from 0."""
    weights = weighted_lists(column, encoding).list.eval(pl.element().struct.field("weight"))
    return weights.list.eval(pl.element().is_null()).list.any().fill_null(False).to_numpy()
