"""Hashes of ids, beside those of TensorFlow's operation."""

import random

import numpy as np
import polars as pl
import pytest
import tensorflow as tf

from dcrnn_tf.dataset.ids.hashing import KEY, hashed_rows, hashes

TEXTS = random.Random(0)
CHARACTERS = "abcdefghé商😀 \0\n0123456789"
LENGTHS = (0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 255, 256, 257)


def texts(count):
    lengths = (TEXTS.choice((*LENGTHS, TEXTS.randrange(40))) for _ in range(count))
    return ["".join(TEXTS.choices(CHARACTERS, k=length)) for length in lengths]


@pytest.mark.parametrize("rows", [1, 2, 1000, 2**31 - 3])
def test_rows_are_those_of_tensorflows_operation(rows):
    ids = ["", "5", *texts(100_000 if rows == 1000 else 500), "long " * 1000]
    expected = 2 + tf.strings.to_hash_bucket_strong(ids, rows, KEY).numpy()
    found = hashed_rows(pl.Series(ids), rows)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, expected)


def test_hashes_have_64_bits():
    ids = texts(500)
    expected = tf.strings.to_hash_bucket_strong(ids, 2**62, KEY).numpy()
    np.testing.assert_array_equal(hashes(pl.Series(ids)) % np.uint64(2**62), expected)
    assert hashes(pl.Series(ids)).max() > 2**63


def test_the_published_vector_of_siphash(monkeypatch):
    """The last of the test vectors of Aumasson and Bernstein, in their key and message."""
    key = [int.from_bytes(bytes(range(first, first + 8)), "little") for first in (0, 8)]
    monkeypatch.setattr("dcrnn_tf.dataset.ids.hashing.KEY", key)
    message = bytes(range(15)).decode()
    assert hashes(pl.Series([message])).tolist() == [0xA129CA6149BE45E5]


def test_missing_ids_have_row_0_and_no_ids_no_rows():
    assert hashed_rows(pl.Series([None, None], dtype=pl.String), 5).tolist() == [0, 0]
    assert hashed_rows(pl.Series([], dtype=pl.String), 5).tolist() == []
