import collections
import concurrent.futures
import random
import threading

import numpy as np
import polars as pl
import pytest

from data_prep.storage import vocabulary
from data_prep.storage.vocabulary import IdCounter
from dcrnn_tf.dataset.vocabulary import Vocabulary


def count(*chunks):
    counter = IdCounter()
    for chunk in chunks:
        counter.add(pl.Series(chunk))
    return counter


def test_ids_are_ordered_by_count_then_by_id():
    counter = count([30, 10, 20, 10], [20, 5])  # 10 and 20 twice, 5 and 30 once
    known = counter.vocabulary()
    assert known.ids.tolist() == [10, 20, 5, 30]
    assert known.counts.tolist() == [2, 2, 1, 1]
    assert known.size == 6


def test_strings_of_equal_count_are_ordered_by_code_point():
    assert count(["é", "a", "B", "a10", "a9"]).vocabulary().ids.tolist() == [
        "B",
        "a",
        "a10",
        "a9",
        "é",
    ]


def test_min_count_means_at_least():
    counter = count([1] * 9 + [2] * 10 + [3] * 11)
    assert counter.vocabulary(min_count=10).ids.tolist() == [3, 2]


def test_min_count_of_zero_is_refused():
    with pytest.raises(ValueError, match="min_count is 0"):
        count([1]).vocabulary(min_count=0)


def test_weights_stand_for_occurrences():
    counter = IdCounter()
    counter.add(pl.Series([7, 8, 7]), pl.Series([2, 4, 3]))
    counter.add(pl.Series([8]))
    known = counter.vocabulary()
    assert known.ids.tolist() == [7, 8]
    assert known.counts.tolist() == [5, 5]


def test_nulls_are_not_counted():
    counter = count([None, 4, None], ["x"][:0])
    assert counter.vocabulary().counts.tolist() == [1]


@pytest.mark.parametrize("as_id", [int, str])
def test_counts_do_not_depend_on_chunks(monkeypatch, as_id):
    monkeypatch.setattr(vocabulary, "_MERGE_AT", 20)  # merges several times on the way
    draw = random.Random(3)
    ids = [as_id(int(draw.paretovariate(0.7)) % 97) for _ in range(2000)]
    whole = count(ids).vocabulary()
    parts = count(*(ids[start : start + 61] for start in range(0, 2000, 61))).vocabulary()
    expected = sorted(collections.Counter(ids).items(), key=lambda item: (-item[1], item[0]))
    for known in (whole, parts):
        assert list(zip(known.ids.tolist(), known.counts.tolist(), strict=True)) == expected


def test_encoding_of_integers():
    known = Vocabulary(np.array([50, 3_372_175_220]), np.array([5, 2]))
    rows = known.encode(pl.Series([3_372_175_220, None, 50, 51]))
    assert rows.tolist() == [3, 0, 2, 1]
    assert rows.dtype == np.int32


def test_encoding_of_strings():
    known = Vocabulary(np.array(["b", "a"]), np.array([5, 2]))
    assert known.encode(pl.Series(["a", "b", None, "", "A"])).tolist() == [3, 2, 0, 1, 1]


def test_an_empty_vocabulary_knows_nothing():
    known = IdCounter().vocabulary()
    assert known.size == 2
    assert known.encode(pl.Series([1, None])).tolist() == [1, 0]
    assert known.encode(pl.Series(["x", None])).tolist() == [1, 0]


def test_threads_may_encode_at_once():
    ids = np.random.default_rng(0).permutation(2_000_000)
    for _ in range(3):
        vocabulary = Vocabulary(ids, np.ones_like(ids))
        start = threading.Barrier(8)

        def encode(vocabulary=vocabulary, start=start):
            start.wait()
            return vocabulary.encode(pl.Series(ids[-1000:]))

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            found = [task.result() for task in [pool.submit(encode) for _ in range(8)]]
        for rows in found:
            np.testing.assert_array_equal(rows, np.arange(2_000_002 - 1000, 2_000_002))
