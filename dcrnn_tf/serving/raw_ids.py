"""Turns raw ids into embedding rows within a graph, by TensorFlow operations alone."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.encodings import FIRST_ID_ROW, INTEGER, PADDING_ROW, UNKNOWN_ROW, VALUE, Ids
from dcrnn_tf.dataset.ids.hashing import KEY
from dcrnn_tf.dataset.schema import DatasetError, Field
from dcrnn_tf.dataset.values import NUMBER, SPELLINGS, decimal_key, decimal_of


class IdRows(tf.Module):
    """Rows of raw ids, int32: 0 of a missing one, 1 of an unknown one.

    Args:
      field: A field of ids.
      encoding: Its encoding.
      ids: The raw ids of its vocabulary, in the order of their rows; None if they are hashed.

    Attributes:
      missing: Ids that stand for a missing one, at least one of them.
      known: An id that has a row, or two, unless all of them are missing.

    Raises:
      DatasetError: The vocabulary holds an id that stands for a missing one.
    """

    def __init__(self, field: Field, encoding: Ids, ids: np.ndarray | None):
        super().__init__()
        missing = encoding.missing_ids
        self.known = np.array(unlike(missing, 2), "O") if ids is None else ids[:2]
        self._hashed = encoding.hashed
        ids = np.array([], "O") if ids is None else ids
        if both := set(missing) & set(ids.tolist()):
            raise DatasetError(
                f"the vocabulary of field {field.name} holds the id {both.pop()}, which stands for "
                "a missing one; prepare the dataset again"
            )
        self.missing = np.array(missing, np.int64 if encoding.values == INTEGER else object)
        self._text = encoding.values != INTEGER
        self._values = encoding.values == VALUE
        numbers = [decimal_of(text) for text in encoding.missing]
        self._numbers = [decimal_key(number) for number in numbers if number is not None]
        rows = np.arange(len(missing) + len(ids), dtype=np.int32) - len(missing) + FIRST_ID_ROW
        rows[: len(missing)] = PADDING_ROW
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                np.concatenate([self.missing, ids]),
                rows,
                tf.string if self._text else tf.int64,
                tf.int32,
            ),
            UNKNOWN_ROW,
        )

    def __call__(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns the rows of ids of any shape."""
        if self._text:
            ids = _stripped(ids)
        rows = self._table.lookup(ids)
        if self._values:
            unknown = tf.where(rows == UNKNOWN_ROW)
            rows = tf.cond(
                tf.size(unknown) > 0,
                lambda: tf.tensor_scatter_nd_update(
                    rows, unknown, self._rows_of_values(tf.gather_nd(ids, unknown))
                ),
                lambda: rows,
            )
        return rows

    def _rows_of_values(self, ids: tf.Tensor) -> tf.Tensor:
        """Rows of ids that the vocabulary does not hold as they are spelled, `(ids,)`."""
        spelled = ids
        for pattern, replacement in SPELLINGS:
            spelled = tf.strings.regex_replace(spelled, pattern, replacement)
        rows = self._table.lookup(spelled)
        if self._hashed is not None:
            row = tf.strings.to_hash_bucket_strong(spelled, self._hashed, KEY) + FIRST_ID_ROW
            rows = tf.where(rows == PADDING_ROW, rows, tf.cast(row, tf.int32))
        if not self._numbers:
            return rows
        numbers = tf.where(tf.strings.regex_full_match(ids, NUMBER))
        keys = _decimal_keys(tf.gather_nd(ids, numbers))
        missing = tf.reduce_any(keys[:, None] == self._numbers, axis=1)
        return tf.tensor_scatter_nd_update(
            rows, numbers[missing], tf.fill([tf.math.count_nonzero(missing)], PADDING_ROW)
        )


def unlike(missing: Sequence, count: int) -> list[str]:
    """Returns ids that differ from all of those that are missing."""
    mark = "id "
    while any(text.startswith(mark) for text in missing):
        mark += "id "
    return [f"{mark}{number}" for number in range(count)]


def _decimal_keys(texts: tf.Tensor) -> tf.Tensor:
    """What `decimal_key` is of the numbers that texts, `(texts,)`, are written as."""

    def part(pattern: str, replacement: str = r"\1") -> tf.Tensor:
        return tf.strings.regex_replace(texts, pattern, replacement)

    sign, exponent = part("^(-?).*$"), part("^[^eE]*(?:[eE](.*))?$")
    digits = part(r"^-?0*([0-9]*)\.?([0-9]*).*$", r"\1\2")
    fraction = part(r"^[^.]*\.?([0-9]*).*$")
    digits = tf.strings.regex_replace(digits, "^0+", "")
    kept = tf.strings.regex_replace(digits, "0+$", "")
    power = tf.strings.to_number(tf.strings.regex_replace(exponent, "^$", "0"), tf.int32)
    power += tf.strings.length(digits) - tf.strings.length(kept) - tf.strings.length(fraction)
    keys = tf.strings.join([sign, kept, "e", tf.strings.as_string(power)])
    return tf.where(kept == "", "0", keys)


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
