"""Raw features, as clients have them, to a model's features, by TensorFlow operations alone.

What `data_prep` did to raw values when it prepared a dataset is done here inside a graph, from what
the dataset's schema and vocabularies keep of it, so that a saved model takes raw values.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.schema import (
    CATEGORICAL,
    FIRST_ID_ROW,
    MULTI_CATEGORICAL,
    NUMERIC,
    PADDING_ROW,
    UNKNOWN_ROW,
    DatasetError,
    Field,
    Schema,
)

MISSING_ID = -1  # of a field whose ids are whole numbers; where ids are text it is ""


class RawFeatures(tf.Module):
    """Encodes raw features as the preparation of a dataset did.

    A raw value is an id (int64 or text, as in the raw files), or a number (float64). An id that the
    vocabulary does not know has row 1. A value may be missing: `MISSING_ID`, the empty text and
    what else the dataset's declaration names, and any number that is not finite. In a list missing
    ids are passed over, and it is cut to the length to which preparation cut it.

    Args:
      schema: of the dataset.
      vocabularies: `{field: raw ids}` of all fields but numeric ones, in the order of their rows.

    Raises:
      DatasetError: the schema does not say how a field was encoded, or a field's name cannot be
        that of an input.
    """

    def __init__(self, schema: Schema, vocabularies: Mapping[str, np.ndarray]):
        super().__init__(name="raw_features")
        encoders = []
        for field in schema.fields:
            if not field.name.isascii() or field.name.startswith("_"):
                raise DatasetError(
                    f"field {field.name}: the name of an input of a served model must begin with a "
                    "letter and have ASCII letters, digits and underscores alone; rename the field"
                )
            try:
                encoders.append(_encoder(field, schema.filters, vocabularies.get(field.name)))
            except KeyError as error:
                raise DatasetError(
                    f"the schema of dataset {schema.name} does not say how field {field.name} was "
                    f"encoded (no {error.args[0]!r} in its filters); prepare the dataset again"
                ) from None
        self._encoders = tuple(encoders)

    def specs(self, fields: Sequence[str] | None = None) -> dict[str, tf.TensorSpec]:
        """Shapes and types of raw inputs, `{input: tf.TensorSpec}`.

        A field is an input `(rows,)`, a list `(rows, width)` padded with missing ids; a weighted
        list has its weights beside, float32 `(rows, width)`.

        Args:
          fields: names of the fields; None is all.
        """
        specs = {}
        for name, value in self.defaults(fields).items():
            specs[name] = tf.TensorSpec([None] * len(value.shape), value.dtype, name)
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
            features[name] = tf.io.FixedLenFeature((), dtype, value.numpy()[0])
        return features

    def from_example(self, parsed: Mapping) -> dict[str, tf.Tensor]:
        """The inputs, from what was parsed."""
        return {name: parsed[name] for name in self.defaults}


class _NumberEncoder(_Encoder):
    """A field whose raw values are numbers."""

    def __init__(self, field: Field):
        super().__init__(field, {field.name: np.zeros(1)}, {field.name: np.array([np.nan])})


class _Number(_NumberEncoder):
    """A numeric field, scaled as `data_prep.own_log.scaling.Scaling` does."""

    def __init__(self, field: Field, parameters: Mapping):
        super().__init__(field)
        self._parameters = parameters

    def encode(self, raw):
        number, finite = _finite(raw[self.field.name])
        kind = self._parameters["kind"]
        number = tf.cast(number, tf.float64)
        if kind == "standard":
            number = (number - self._parameters["mean"]) / self._parameters["standard_deviation"]
        elif kind == "log":
            number = tf.sign(number) * tf.math.log1p(tf.abs(number))
        elif kind == "quantile":
            number = _interpolated(number, self._parameters["knots"], self._parameters["scaled"])
        return {self.field.name: tf.cast(tf.where(finite, number, 0.0), tf.float32)}


class _NumberedRows(_NumberEncoder):
    """A categorical field whose raw values are numbers: bins, or ids of a column of numbers.

    A number has the row of the largest of `edges` that is not above it, and with `exact` row 1
    unless it is that one; below all edges it has the row of the first.
    """

    def __init__(self, field: Field, edges: np.ndarray, rows: np.ndarray, exact: bool = False):
        super().__init__(field)
        self._edges = edges if len(edges) else np.zeros(1)
        self._rows = rows if len(edges) else np.array([UNKNOWN_ROW], np.int32)
        self._exact = exact

    def encode(self, raw):
        number, finite = _finite(raw[self.field.name])
        # Compared in the number's own precision: rounded alike, an edge is still in its bin.
        edges = tf.constant(self._edges, number.dtype)
        place = tf.maximum(tf.searchsorted(edges, number, side="right") - 1, 0)
        rows = tf.gather(tf.constant(self._rows, tf.int32), place)
        if self._exact:
            rows = tf.where(tf.gather(edges, place) == number, rows, UNKNOWN_ROW)
        return {self.field.name: tf.where(finite, rows, PADDING_ROW)}


class _LogBins(_NumberEncoder):
    """A number in `log` bins, as `data_prep.own_log.binning.log_bins` numbers them."""

    def __init__(self, field: Field, ids: np.ndarray):
        super().__init__(field)
        self._table = _table(ids, np.arange(len(ids)) + FIRST_ID_ROW)

    def encode(self, raw):
        number, finite = _finite(raw[self.field.name])
        number = tf.cast(number, tf.float64)
        small = tf.floor(tf.clip_by_value(number, -(2.0**53), 2.0))
        large = tf.floor(tf.square(tf.math.log(tf.maximum(number, 2.0)))) + 3.0
        bins = tf.cast(tf.where(number > 2.0, large, small), tf.int64)
        rows = tf.cast(self._table.lookup(bins), tf.int32)
        return {self.field.name: tf.where(finite, rows, PADDING_ROW)}


class _Id(_Encoder):
    """A categorical field."""

    def __init__(self, field: Field, ids: np.ndarray, missing: np.ndarray):
        known = np.concatenate([ids, missing])[:1]
        super().__init__(field, {field.name: known}, {field.name: missing[:1]})
        self._rows = _Rows(ids, missing)

    def encode(self, raw):
        return {self.field.name: self._rows(raw[self.field.name])}


class _IdList(_Encoder):
    """A multi-categorical field."""

    def __init__(self, field: Field, ids: np.ndarray, missing: np.ndarray, max_values: int):
        known = np.concatenate([ids, missing])[None, :2]
        weights = {}
        if field.weighted:
            weights = {field.weight_name: np.ones((1, 1), np.float32)}
        super().__init__(
            field, {field.name: known} | weights, {field.name: missing[None, :0]} | weights
        )
        self._rows = _Rows(ids, missing)
        self._missing = tf.constant(missing, self.defaults[field.name].dtype)
        self._max_values = max_values

    def encode(self, raw):
        name = self.field.name
        rows = self._rows(raw[name])
        place = tf.cumsum(tf.cast(rows != PADDING_ROW, tf.int32), axis=1)
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
        flat = _stripped(ids.values) if ids.dtype == tf.string else ids.values
        given = tf.reduce_all(flat[:, None] != self._missing, axis=1)
        given = ids.with_values(given)

        def padded(lists: tf.RaggedTensor, padding: tf.Tensor) -> tf.Tensor:
            kept = tf.ragged.boolean_mask(lists, given)[:, : self._max_values]
            return kept.to_tensor(padding)

        raw = {name: padded(ids, self._missing[0])}
        if self.field.weighted:
            weights = _as_long(parsed[self.field.weight_name], ids)
            raw[self.field.weight_name] = padded(weights, tf.ones((), tf.float32))
        return raw


def _stripped(text: tf.Tensor) -> tf.Tensor:
    """Texts without white space at their ends, of Unicode too, as preparations strip them."""
    text = tf.strings.strip(text)
    beyond_ascii = tf.strings.length(text) != tf.strings.length(text, unit="UTF8_CHAR")
    space = r"[\s\x0b\x{85}\pZ]+"
    return tf.cond(
        tf.reduce_any(beyond_ascii),  # seldom, and slower
        lambda: tf.strings.regex_replace(text, f"^{space}|{space}$", ""),
        lambda: text,
    )


class _Rows(tf.Module):
    """Rows of raw ids, int32: 0 of a missing one, 1 of an unknown one."""

    def __init__(self, ids: np.ndarray, missing: np.ndarray):
        super().__init__()
        self._text = missing.dtype == object
        keys = np.concatenate([missing, ids])
        rows = np.arange(len(keys)) - len(missing) + FIRST_ID_ROW
        rows[: len(missing)] = PADDING_ROW
        self._table = _table(keys, rows)

    def __call__(self, ids: tf.Tensor) -> tf.Tensor:
        if self._text:
            ids = _stripped(ids)
        return tf.cast(self._table.lookup(ids), tf.int32)


def _encoder(field: Field, filters: Mapping, ids: np.ndarray | None) -> _Encoder:
    """Raises KeyError where the filters lack what the field needs."""
    if field.kind == NUMERIC:
        return _Number(field, filters["scaling"][field.name])
    if ids is None:
        raise KeyError("vocabulary")
    rows = np.arange(len(ids), dtype=np.int32) + FIRST_ID_ROW
    if field.name in filters.get("binning", {}):
        bins = filters["binning"][field.name]
        if bins["kind"] == "log":
            return _LogBins(field, ids)
        edges = np.array(bins["edges"], np.float64)
        row_of = dict(zip(ids.tolist(), rows.tolist(), strict=True))
        rows = np.array([row_of.get(edge, UNKNOWN_ROW) for edge in edges.tolist()], np.int32)
        return _NumberedRows(field, edges, rows)
    missing = np.array([MISSING_ID])
    if "declaration" in filters:  # of data_prep.own_log, where ids are text
        missing = np.array(filters["missing_values"], object)
        if field.kind == CATEGORICAL and field.source in filters["number_columns"]:
            numbers = ids.astype(np.float64)
            order = np.argsort(numbers)
            return _NumberedRows(field, numbers[order], rows[order], exact=True)
    elif MISSING_ID in ids:
        raise DatasetError(
            f"the vocabulary of field {field.name} holds the id {MISSING_ID}, which stands for a "
            "missing one"
        )
    if field.kind == MULTI_CATEGORICAL:
        # The schema's max_values may be that of the longest list found, which was no limit.
        return _IdList(field, ids, missing, filters.get("max_values", field.max_values))
    return _Id(field, ids, missing)


def _table(keys: np.ndarray, rows: np.ndarray) -> tf.lookup.StaticHashTable:
    dtype = tf.string if keys.dtype == object else tf.int64
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(keys, rows, dtype, tf.int64), UNKNOWN_ROW
    )


def _finite(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """A number, 0 in the place of one that is not finite in float32, and which ones are."""
    finite = tf.math.is_finite(tf.cast(number, tf.float32))
    return tf.where(finite, number, tf.zeros_like(number)), finite


def _interpolated(x: tf.Tensor, knots: Sequence[float], values: Sequence[float]) -> tf.Tensor:
    """What `np.interp(x, knots, values)` is."""
    if len(knots) == 1:
        return tf.fill(tf.shape(x), tf.constant(values[0], x.dtype))
    slopes = tf.constant(np.diff(values) / np.diff(knots), x.dtype)
    knots, values = tf.constant(knots, x.dtype), tf.constant(values, x.dtype)
    x = tf.clip_by_value(x, knots[0], knots[-1])
    last = tf.searchsorted(knots, x, side="right") - 1
    place = tf.minimum(last, tf.size(slopes) - 1)
    between = tf.gather(slopes, place) * (x - tf.gather(knots, place)) + tf.gather(values, place)
    return tf.where(last == place, between, values[-1])


def _as_long(weights: tf.RaggedTensor, lists: tf.RaggedTensor) -> tf.RaggedTensor:
    """The weights as one for each value of the lists: 1 where there are too few."""
    row = lists.value_rowids()
    place = tf.range(tf.size(row, tf.int64)) - tf.gather(lists.row_starts(), row)
    found = place < tf.gather(weights.row_lengths(), row)
    place = tf.where(found, tf.gather(weights.row_starts(), row) + place, 0)
    flat = tf.concat([weights.values, [1.0]], axis=0)  # never empty
    return lists.with_values(tf.where(found, tf.gather(flat, place), 1.0))
