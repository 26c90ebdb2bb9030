"""Statistics of fields in training, and how far requests are from them."""

import numpy as np
import pytest

from dcrnn_tf.dataset.schema import Field, Schema
from dcrnn_tf.serving.field_statistics import differences, of_column, stability_index

ITEM = Field("item", vocabulary_size=9)
TAGS = Field("tags", "multi_categorical", vocabulary_size=9, max_values=3)
PRICE = Field("price", "numeric")


def test_shares_of_missing_values_and_unknown_ids():
    item = of_column(ITEM, np.array([0, 1, 1, 5]))
    assert (item.missing, item.unknown, item.edges) == (0.25, 2 / 3, ())
    tags = of_column(TAGS, np.array([[0, 0, 0], [1, 4, 0], [4, 5, 6], [4, 0, 0]]))
    assert (tags.missing, tags.unknown) == (0.25, 1 / 6)
    assert tags.edges == (0, 1, 2, 3)
    assert tags.shares == (0.25, 0.25, 0.25, 0.25, 0)
    price = of_column(PRICE, np.arange(100.0), np.arange(100) < 10)
    assert price.missing == 0.1
    np.testing.assert_allclose(price.shares, 0.05, atol=0.011)  # 0.35 * 100 is above 35


def test_the_stability_index_is_its_formula():
    assert stability_index([0.5, 0.5], [0.5, 0.5]) == 0
    expected = 0.25 * np.log(0.75 / 0.5) - 0.25 * np.log(0.25 / 0.5)
    assert stability_index([0.5, 0.5], [0.75, 0.25]) == pytest.approx(expected)


def test_rows_like_those_of_training_do_not_differ_and_others_do():
    schema = Schema("shop", (ITEM, PRICE, Field("flat", "numeric")), (), {})
    random = np.random.default_rng(1)
    columns = [
        {
            "item": random.integers(2, 9, 5000),
            "price": random.normal(size=5000),
            "flat": np.ones(5000),
        }
        for _ in range(2)
    ]
    training = {f.name: of_column(f, columns[0][f.name]) for f in schema.fields}
    same = differences(schema, training, columns[1], {})
    assert [one.is_skewed(0.05, 0.2) for one in same] == [False] * 3
    assert same[1].shift < 0.02
    assert same[2].shift == 0
    moved = {
        "item": np.where(np.arange(5000) < 400, 1, 3),
        "price": columns[1]["price"] + 1,
        "flat": np.ones(5000),
    }
    lacking = {"flat": np.arange(5000) < 300}
    found = differences(schema, training, moved, lacking)
    assert [one.is_skewed(0.05, 0.2) for one in found] == [True] * 3
    assert [one.is_skewed(0.1, 0.2) for one in found] == [False, True, False]
