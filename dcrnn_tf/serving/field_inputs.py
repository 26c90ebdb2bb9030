"""The raw inputs of one field, and its features from them by TensorFlow operations."""

import typing
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.encodings import (
    FIRST,
    PADDING_ROW,
    Bins,
    Encoding,
    Ids,
    NumberRows,
    Scaling,
    Vector,
)
from dcrnn_tf.dataset.schema import MULTI_CATEGORICAL, Field
from dcrnn_tf.serving.raw_ids import IdRows

Shared = dict[tuple, IdRows]  # tables of ids that fields have in common


class TensorFlowNames:
    """TensorFlow's operations under the names that NumPy has for them, for encodings."""

    abs = tf.abs
    all = tf.reduce_all
    asarray = tf.cast
    clip = tf.clip_by_value
    floor = tf.floor
    isfinite = tf.math.is_finite
    log1p = tf.math.log1p
    searchsorted = tf.searchsorted
    sign = tf.sign
    take = tf.gather
    where = tf.where
    zeros_like = tf.zeros_like


class FieldInputs(tf.Module):
    """One field: its inputs, a row that stands for missing ones, and what becomes of them.

    Args:
      field: the field.
      samples: `{input: one row}`, something that the vocabulary knows.
      missing: `{input: one row}`.
    """

    def __init__(
        self, field: Field, samples: Mapping[str, np.ndarray], missing: Mapping[str, np.ndarray]
    ):
        super().__init__()
        self.field = field
        self.samples = samples
        self.defaults = {
            name: tf.constant(row, tf.string if row.dtype == object else row.dtype)
            for name, row in missing.items()
        }

    def encode(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The field's features."""
        raise NotImplementedError

    def example_features(self) -> dict:
        """How `tf.io.parse_example` finds the inputs, here single values."""
        features = {}
        for name, value in self.defaults.items():
            dtype = tf.float32 if value.dtype.is_floating else value.dtype
            features[name] = tf.io.FixedLenFeature(value.shape[1:], dtype, value.numpy()[0])
        return features

    def from_example(self, parsed: Mapping) -> dict[str, tf.Tensor]:
        """The inputs, from what was parsed."""
        return {name: parsed[name] for name in self.defaults}


class _Number(FieldInputs):
    """A field whose raw values are numbers that are scaled."""

    def __init__(self, field: Field, encoding: Scaling, ids: None, shared: Shared):
        super().__init__(field, {field.name: np.zeros(1)}, {field.name: np.array([np.nan])})
        self._encoding = encoding

    def encode(self, raw):
        return {self.field.name: self._encoding.numbers(raw[self.field.name], TensorFlowNames)}


class _Vector(FieldInputs):
    """A field whose raw values are vectors."""

    def __init__(self, field: Field, encoding: Vector, ids: None, shared: Shared):
        zeros = np.zeros((1, field.length), np.float32)
        super().__init__(field, {field.name: zeros}, {field.name: zeros + np.float32(np.nan)})
        self._encoding = encoding

    def encode(self, raw):
        vectors = tf.ensure_shape(raw[self.field.name], (None, self.field.length))
        return {self.field.name: self._encoding.numbers(vectors, TensorFlowNames)}


class _NumberedRow(FieldInputs):
    """A field whose raw values are numbers that have a row each, or one for a bin."""

    def __init__(self, field: Field, encoding: Bins | Ids, ids: np.ndarray, shared: Shared):
        super().__init__(field, {field.name: np.zeros(1)}, {field.name: np.array([np.nan])})
        self._encoding = encoding
        self._rows = NumberRows(ids)

    def encode(self, raw):
        number = raw[self.field.name]
        return {self.field.name: self._encoding.rows(number, self._rows, TensorFlowNames)}


class _Id(FieldInputs):
    """A categorical field."""

    def __init__(self, field: Field, encoding: Ids, ids: np.ndarray | None, shared: Shared):
        rows = _id_rows(field, encoding, ids, shared)
        known = np.concatenate([rows.known, rows.missing])[:1]
        super().__init__(field, {field.name: known}, {field.name: rows.missing[:1]})
        self._rows = rows

    def encode(self, raw):
        return {self.field.name: self._rows(raw[self.field.name])}


class _IdList(FieldInputs):
    """A multi-categorical field."""

    def __init__(self, field: Field, encoding: Ids, ids: np.ndarray | None, shared: Shared):
        rows = _id_rows(field, encoding, ids, shared)
        missing = rows.missing
        known = np.concatenate([rows.known, missing])[None, :2]
        weights = {}
        if field.weighted:
            weights = {field.weight_name: np.ones((1, 1), np.float32)}
        super().__init__(
            field, {field.name: known} | weights, {field.name: missing[None, :0]} | weights
        )
        self._rows = rows
        # The schema's max_values may be that of the longest list found, which was no limit.
        self._max_values = encoding.max_values
        self._keeps_first = encoding.keep == FIRST

    def encode(self, raw):
        name = self.field.name
        rows = self._rows(raw[name])
        present = tf.cast(rows != PADDING_ROW, tf.int32)
        place = tf.cumsum(present, axis=1, reverse=not self._keeps_first)
        features = {name: tf.where(place > self._max_values, PADDING_ROW, rows)}
        if self.field.weighted:
            weights = raw[self.field.weight_name]
            features[self.field.weight_name] = tf.broadcast_to(weights, tf.shape(rows))
        return features

    def example_features(self):
        return {
            name: tf.io.RaggedFeature(value.dtype, row_splits_dtype=tf.int64)
            for name, value in self.defaults.items()
        }

    def from_example(self, parsed):
        # Cut before they are padded: one endless list must not make all the others as long.
        name = self.field.name
        ids = parsed[name]
        given = ids.with_values(self._rows(ids.values) != PADDING_ROW)

        def padded(lists: tf.RaggedTensor, padding: tf.Tensor) -> tf.Tensor:
            present, most = tf.ragged.boolean_mask(lists, given), self._max_values
            kept = present[:, :most] if self._keeps_first else present[:, -most:]
            return kept.to_tensor(padding)

        raw = {name: padded(ids, self._rows.missing[0])}
        if self.field.weighted:
            weights = _as_long(parsed[self.field.weight_name], ids)
            raw[self.field.weight_name] = padded(weights, tf.ones((), tf.float32))
        return raw


def _id_rows(field: Field, encoding: Ids, ids: np.ndarray | None, shared: Shared) -> IdRows:
    """Returns the table of a field's ids, one for all fields that share them."""
    key = field.owner, encoding.values, encoding.missing
    if key not in shared:
        shared[key] = IdRows(field, encoding, ids)
    return shared[key]


def _ids(field: Field, encoding: Ids, ids: np.ndarray | None, shared: Shared) -> FieldInputs:
    if field.kind == MULTI_CATEGORICAL:
        return _IdList(field, encoding, ids, shared)
    if ids is not None and encoding.reads_numbers:
        return _NumberedRow(field, encoding, ids, shared)
    return _Id(field, encoding, ids, shared)


ENCODERS: Mapping[
    type[Encoding], Callable[[Field, typing.Any, typing.Any, Shared], FieldInputs]
] = {
    Ids: _ids,
    Bins: _NumberedRow,
    Scaling: _Number,
    Vector: _Vector,
}


def _as_long(weights: tf.RaggedTensor, lists: tf.RaggedTensor) -> tf.RaggedTensor:
    """The weights as one for each value of the lists: 1 where there are too few."""
    row = lists.value_rowids()
    place = tf.range(tf.size(row, tf.int64)) - tf.gather(lists.row_starts(), row)
    found = place < tf.gather(weights.row_lengths(), row)
    place = tf.where(found, tf.gather(weights.row_starts(), row) + place, 0)
    flat = tf.concat([weights.values, [1.0]], axis=0)  # never empty
    return lists.with_values(tf.where(found, tf.gather(flat, place), 1.0))
