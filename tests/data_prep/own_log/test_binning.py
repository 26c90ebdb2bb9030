"""Numbers in bins: by hand, and as a field of a declaration."""

import numpy as np
import polars as pl
import pytest
import yaml

from data_prep.own_log.declaration import load_declaration
from data_prep.own_log.learning import binning
from data_prep.own_log.learning.binning import BinsLearner
from data_prep.own_log.preparation import prepare
from dcrnn_tf.dataset.encodings import Bins, NumberRows
from dcrnn_tf.dataset.schema import DatasetError

NAN = float("nan")


def rows(encoding, vocabulary, numbers):
    return encoding.rows(np.array(numbers), NumberRows(vocabulary.ids), np).tolist()


def test_log_bins_are_those_worked_out_by_hand():
    # ln^2 of 2.5, 3, 4, 5, 10, 100, 1000: 0.84, 1.21, 1.92, 2.59, 5.30, 21.2, 47.7.
    numbers = [-3.0, -0.5, 0.0, 1.0, 2.0, 2.5, 3.0, 4.0, 5.0, 10.0, 100.0, 1000.0]
    expected = [-3, -1, 0, 1, 2, 3, 4, 4, 5, 8, 24, 50]
    assert Bins().ids(np.array(numbers), np).tolist() == expected
    assert Bins().ids(np.array([-3e38, 3e38]), np).tolist() == [-(2**53), 7849 + 3]
    bins = BinsLearner("log")
    bins.add(np.array([3.0, 4.0, NAN, -3.0, 4.0, 1.0, 1.0]))
    encoding, vocabulary = bins.finish(2)
    assert encoding == Bins(min_count=2)
    assert vocabulary.ids.tolist() == [4, 1]
    assert vocabulary.counts.tolist() == [3, 2]
    assert encoding.ids(np.array([3.5, -3.0]), np).tolist() == [4, -3]
    assert rows(encoding, vocabulary, [1.0, 3.5, NAN, -3.0]) == [3, 2, 0, 1]


def test_quantile_bins_are_those_worked_out_by_hand(monkeypatch):
    monkeypatch.setattr(binning, "QUANTILE_BINS", 4)
    bins = BinsLearner("quantile")
    bins.add(np.array([1.0, 5.0, 1.0, NAN]))
    bins.add(np.array([3.0, 1.0, 2.0, 1.0, 4.0]))
    # 4 F(x) of 1, 2, 3, 4, 5 is 1, 2.25, 2.75, 3.25, 3.75: bins {1}, {2, 3} and {4, 5}.
    encoding, vocabulary = bins.finish(1)
    assert encoding.edges == (1.0, 2.0, 4.0)
    assert vocabulary.ids.tolist() == [1.0, 2.0, 4.0]
    assert vocabulary.counts.tolist() == [4, 2, 2]
    numbers = [-7.0, 1.0, 1.9, 2.0, 3.9, 4.0, 100.0]
    found = encoding.ids(np.array(numbers), np)
    assert found.tolist() == [1.0, 1.0, 1.0, 2.0, 2.0, 4.0, 4.0]
    assert rows(encoding, vocabulary, [*numbers, NAN]) == [2, 2, 2, 3, 3, 4, 4, 0]


def test_quantile_bins_have_about_equal_shares():
    bins = BinsLearner("quantile")
    bins.add(np.random.default_rng(0).lognormal(size=20_000))
    _, vocabulary = bins.finish(1)
    assert len(vocabulary.ids) == binning.QUANTILE_BINS
    assert vocabulary.counts.sum() == 20_000
    assert abs(vocabulary.counts - 20_000 / binning.QUANTILE_BINS).max() <= 1


@pytest.mark.parametrize("kind", ["log", "quantile"])
def test_column_without_a_number_has_no_bins(kind):
    bins = BinsLearner(kind)
    bins.add(np.array([NAN, NAN]))
    encoding, vocabulary = bins.finish(1)
    assert vocabulary.size == 2
    assert rows(encoding, vocabulary, [NAN, 3.0]) == [0, 1]


def declare(folder, field):
    path = folder / "shop.yaml"
    content = {
        "name": "shop",
        "split": {"by": "file", "train": "train.csv", "test": "test.csv"},
        "tasks": {"click": {}},
        "fields": {"price": field},
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_declaration(path)


def test_declared_bins_are_learned_from_training_rows(tmp_path):
    (tmp_path / "train.csv").write_text("price,click\n3,1\n4,0\n,1\n-1,0\n", encoding="utf-8")
    (tmp_path / "test.csv").write_text("price,click\n1000,1\n3,0\n", encoding="utf-8")
    field = {"kind": "categorical", "bins": "log", "min_count": 1}
    schema = prepare(declare(tmp_path, field), tmp_path, tmp_path / "out")
    assert schema.fields[0].vocabulary_size == 4
    assert schema.filters["missing"] == {"price": 1}
    table = pl.read_parquet(tmp_path / "out" / "vocabularies" / "price.parquet")
    assert table.to_dict(as_series=False) == {"id": [4, -1], "count": [2, 1]}
    (tmp_path / "test.csv").write_text("price,click\n1000,1\ncheap,0\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"test\.csv, line 3: field price: .*'cheap', expected"):
        prepare(declare(tmp_path, field), tmp_path, tmp_path / "bad")


def test_impossible_bins_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="bins is 'cubic', expected one of log, quantile"):
        declare(tmp_path, {"kind": "categorical", "bins": "cubic"})
    with pytest.raises(DatasetError, match="'bins' is not a key of a numeric field"):
        declare(tmp_path, {"kind": "numeric", "bins": "log"})
