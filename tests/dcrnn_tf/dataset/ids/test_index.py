"""Positions of ids, against a dictionary of Python's."""

import numpy as np
import polars as pl
import pytest

from dcrnn_tf.dataset.ids.index import IdIndex

TEXTS = ["b", "a", "", "é🙂", "7", "07", "a" * 40]


@pytest.mark.parametrize(
    ("ids", "asked"),
    [
        (TEXTS, ["a", "c", None, "7", "7.0", "a" * 40, "é🙂", ""]),
        ([5, -3, 2**62], [5, 0, 2**62, -3]),
        ([0.5, 2.0], [2.0, 1.0, 0.5]),
    ],
)
def test_positions_are_those_in_the_list(ids, asked):
    found = IdIndex(pl.Series(ids))(pl.Series(asked))
    assert found.tolist() == [ids.index(one) if one in ids else -1 for one in asked]
    assert IdIndex(pl.Series(ids).head(0))(pl.Series(asked)).tolist() == [-1] * len(asked)


def test_ids_of_one_hash_are_told_apart(monkeypatch):
    """The first seed gives all texts one of two hashes, so that another one is taken."""
    real = pl.Series.hash
    monkeypatch.setattr(
        pl.Series, "hash", lambda self, seed: real(self, seed) % (2 if seed == 0 else 2**20)
    )
    found = IdIndex(pl.Series(TEXTS))(pl.Series([*map(str, range(100_000)), *TEXTS]))
    assert found[-len(TEXTS) :].tolist() == list(range(len(TEXTS)))
    assert np.flatnonzero(found[: -len(TEXTS)] >= 0).tolist() == [7]


def test_repeated_ids_are_refused():
    with pytest.raises(ValueError, match="the id a stands in it twice"):
        IdIndex(pl.Series(["b", "a", "a"]))
