"""Turns raw features into a model's features within a graph, by TensorFlow operations alone.

The encodings of the schema's fields and the vocabularies become part of a graph, so that a saved
model takes raw values.
"""

import typing
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl
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
from dcrnn_tf.dataset.schema import MULTI_CATEGORICAL, DatasetError, Field, Schema
from dcrnn_tf.serving.raw_ids import IdRows

Shared = dict[tuple, IdRows]  # tables of ids that fields have in common
GRAPH_BYTES = 2**31 - 2**26  # protocol buffers end at 2 GiB; the operations take a few MiB


class _TensorFlow:
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


class RawFeatures(tf.Module):
    """Encodes raw features as the preparation of a dataset did.

    A raw value is an id (int64 or text, as in the raw files), or a number (float64). An id that the
    vocabulary does not know has row 1. A value may be missing: one that the field's encoding names
    so, and any number that is not finite. In a list missing ids are passed over, and it is cut to
    the length to which preparation cut it.

    Args:
      schema: of the dataset.
      vocabularies: `{field: raw ids}` of all fields that have one, in the order of their rows.

    Raises:
      DatasetError: the schema does not say how a field was encoded, or a vocabulary holds an id
        that stands for a missing one, or they are too large for a graph.
    """

    def __init__(self, schema: Schema, vocabularies: Mapping[str, np.ndarray]):
        super().__init__(name="raw_features")
        for field in schema.fields:
            if field.encoding is None:
                raise DatasetError(
                    f"the schema of dataset {schema.name} does not say how field {field.name} was "
                    "encoded; prepare the dataset again"
                )
        _check_size(schema, vocabularies)
        shared: Shared = {}
        self._encoders = tuple(
            _ENCODERS[type(field.encoding)](
                field, field.encoding, vocabularies.get(field.name), shared
            )
            for field in schema.fields
            if field.encoding
        )

    def specs(self, fields: Sequence[str] | None = None) -> dict[str, tf.TensorSpec]:
        """Shapes and types of raw inputs, `{input: tf.TensorSpec}`.

        A field is an input `(rows,)`, a list `(rows, width)` padded with missing ids; a weighted
        list has its weights beside, float32 `(rows, width)`.

        Args:
          fields: names of the fields; None is all.
        """
        specs = {}
        for name, value in self.defaults(fields).items():
            specs[name] = tf.TensorSpec([None] * len(value.shape), value.dtype)
        return specs

    def defaults(self, fields: Sequence[str] | None = None) -> dict[str, tf.Tensor]:
        """What stands for an input that a client leaves out: one row of a missing value."""
        chosen = self._chosen(fields)
        return {name: value for encoder in chosen for name, value in encoder.defaults.items()}

    def samples(self, fields: Sequence[str] | None = None, rows: int = 1) -> dict[str, np.ndarray]:
        """Inputs to try a model with: in each row the first known ids, and zeros for numbers."""
        chosen = self._chosen(fields)
        return {
            name: np.repeat(value, rows, axis=0)
            for encoder in chosen
            for name, value in encoder.samples.items()
        }

    def encode(self, raw: Mapping[str, tf.Tensor], fields: Sequence[str] | None = None) -> dict:
        """Features of a batch, as `PreparedDataset` gives them without entity tables.

        Args:
          raw: the inputs of `specs`. One with a single row counts for all rows of the others.
          fields: names of the fields; None is all.

        Returns:
          `{field: int32 (rows,)}`, int32 `(rows, width)` of a list, float32 `(rows,)` of a number.
        """
        features: dict[str, tf.Tensor] = {}
        for encoder in self._chosen(fields):
            features |= encoder.encode(raw)
        counts = tf.stack([tf.shape(column)[0] for column in features.values()])
        # An empty batch stays empty though inputs that are left out have one row.
        rows = tf.where(tf.reduce_min(counts) == 0, 0, tf.reduce_max(counts))
        fits = tf.debugging.Assert(
            tf.reduce_all((counts == 1) | (counts == rows)),
            ["inputs differ in their numbers of rows:", [*features], counts],
            summarize=len(features),
        )
        with tf.control_dependencies([fits]):
            return {
                name: tf.broadcast_to(column, tf.concat([[rows], tf.shape(column)[1:]], axis=0))
                for name, column in features.items()
            }

    def parse(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Raw inputs of serialized `tf.Example`s, `(batch,)` of strings.

        Ids are int64 or bytes features, numbers float features, all under the inputs' names; what
        an Example lacks is missing, and what is not asked for is passed over.
        """
        described: dict[str, object] = {}
        for encoder in self._encoders:
            described |= encoder.example_features()
        parsed = tf.io.parse_example(examples, described)
        raw: dict[str, tf.Tensor] = {}
        for encoder in self._encoders:
            raw |= encoder.from_example(parsed)
        return raw

    def _chosen(self, fields: Sequence[str] | None) -> list["_Encoder"]:
        return [e for e in self._encoders if fields is None or e.field.name in fields]


class _Encoder(tf.Module):
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


class _Number(_Encoder):
    """A field whose raw values are numbers that are scaled."""

    def __init__(self, field: Field, encoding: Scaling, ids: None, shared: Shared):
        super().__init__(field, {field.name: np.zeros(1)}, {field.name: np.array([np.nan])})
        self._encoding = encoding

    def encode(self, raw):
        return {self.field.name: self._encoding.numbers(raw[self.field.name], _TensorFlow)}


class _Vector(_Encoder):
    """A field whose raw values are vectors."""

    def __init__(self, field: Field, encoding: Vector, ids: None, shared: Shared):
        zeros = np.zeros((1, field.length), np.float32)
        super().__init__(field, {field.name: zeros}, {field.name: zeros + np.float32(np.nan)})
        self._encoding = encoding

    def encode(self, raw):
        vectors = tf.ensure_shape(raw[self.field.name], (None, self.field.length))
        return {self.field.name: self._encoding.numbers(vectors, _TensorFlow)}


class _NumberedRow(_Encoder):
    """A field whose raw values are numbers that have a row each, or one for a bin."""

    def __init__(self, field: Field, encoding: Bins | Ids, ids: np.ndarray, shared: Shared):
        super().__init__(field, {field.name: np.zeros(1)}, {field.name: np.array([np.nan])})
        self._encoding = encoding
        self._rows = NumberRows(ids)

    def encode(self, raw):
        number = raw[self.field.name]
        return {self.field.name: self._encoding.rows(number, self._rows, _TensorFlow)}


class _Id(_Encoder):
    """A categorical field."""

    def __init__(self, field: Field, encoding: Ids, ids: np.ndarray | None, shared: Shared):
        rows = _id_rows(field, encoding, ids, shared)
        known = np.concatenate([rows.known, rows.missing])[:1]
        super().__init__(field, {field.name: known}, {field.name: rows.missing[:1]})
        self._rows = rows

    def encode(self, raw):
        return {self.field.name: self._rows(raw[self.field.name])}


class _IdList(_Encoder):
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


def _ids(field: Field, encoding: Ids, ids: np.ndarray | None, shared: Shared) -> _Encoder:
    if field.kind == MULTI_CATEGORICAL:
        return _IdList(field, encoding, ids, shared)
    if ids is not None and encoding.reads_numbers:
        return _NumberedRow(field, encoding, ids, shared)
    return _Id(field, encoding, ids, shared)


_ENCODERS: Mapping[type[Encoding], Callable[[Field, typing.Any, typing.Any, Shared], _Encoder]] = {
    Ids: _ids,
    Bins: _NumberedRow,
    Scaling: _Number,
    Vector: _Vector,
}


def graph_bytes(encoding: Encoding, ids: np.ndarray) -> int:
    """Returns how much of a graph's file a field's raw ids and their rows take.

    Args:
      encoding: Encoding of the field.
      ids: Raw ids, integers or texts.
    """
    if encoding.reads_numbers:
        return 3 * 12 * len(ids)  # each of three signatures has them, float64 with int32
    if ids.dtype != object:
        return 16 * len(ids)
    texts = pl.Series(ids, dtype=pl.String).str.len_bytes().sum()  # with two more bytes each
    return int(texts) + 10 * len(ids)


def _check_size(schema: Schema, vocabularies: Mapping[str, np.ndarray]) -> None:
    sizes = {
        field.name: graph_bytes(field.encoding, vocabularies[field.name])
        for field in {field.owner: field for field in reversed(schema.fields)}.values()
        if field.encoding is not None and field.name in vocabularies
    }
    if (size := sum(sizes.values())) > GRAPH_BYTES:
        largest = max(sizes, key=sizes.__getitem__)
        raise DatasetError(
            f"the vocabularies take {size / 2**30:.1f} GiB of a served model's graph, which holds "
            f"{GRAPH_BYTES / 2**30:.1f} GiB at most; prepare the dataset with a larger min_count, "
            f"above all of field {largest} with {len(vocabularies[largest]):,} ids"
        )


def _as_long(weights: tf.RaggedTensor, lists: tf.RaggedTensor) -> tf.RaggedTensor:
    """The weights as one for each value of the lists: 1 where there are too few."""
    row = lists.value_rowids()
    place = tf.range(tf.size(row, tf.int64)) - tf.gather(lists.row_starts(), row)
    found = place < tf.gather(weights.row_lengths(), row)
    place = tf.where(found, tf.gather(weights.row_starts(), row) + place, 0)
    flat = tf.concat([weights.values, [1.0]], axis=0)  # never empty
    return lists.with_values(tf.where(found, tf.gather(flat, place), 1.0))
