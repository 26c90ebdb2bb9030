"""Vocabularies in files, whole and damaged."""

import dataclasses

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from dcrnn_tf.dataset.encodings import INTEGER, QUANTILE, TEXT, VALUE, Bins, Ids
from dcrnn_tf.dataset.schema import CATEGORICAL, DatasetError, Field
from dcrnn_tf.dataset.vocabulary import load_vocabulary, write_vocabulary

INTEGERS = Field("item", CATEGORICAL, 5, encoding=Ids(("-1",), INTEGER))
TEXTS = Field("item", CATEGORICAL, 5, encoding=Ids(("",), TEXT))
BINS = Field("item", CATEGORICAL, 5, encoding=Bins(method=QUANTILE, edges=(-0.5, 1.0, 2.5)))
VALUES = Field("item", CATEGORICAL, 5, encoding=Ids(("", "-9"), VALUE))


@pytest.fixture
def path(tmp_path):
    (tmp_path / "vocabularies").mkdir()
    return tmp_path / "vocabularies" / "item.parquet"


def load(path, field):
    return load_vocabulary(path.parents[1], field).ids.tolist()


def write(path, ids, dtype):
    pl.DataFrame({"id": pl.Series(ids, dtype=dtype), "count": [3, 2, 1]}).write_parquet(path)


def test_ids_come_back_in_their_order(path):
    for field, ids in (
        (INTEGERS, np.array([2**62, -5, 7])),
        (TEXTS, np.array(["7", "", "\u9752"], object)),
        (BINS, np.array([-0.5, 2.5, 1.0])),
        (VALUES, np.array(["7", "9", "\u9752"], object)),
    ):
        write_vocabulary(path, ids, np.ones(3))
        assert load(path, field) == ids.tolist()


@pytest.mark.parametrize(
    ("field", "dtype", "ids", "what"),
    [
        (INTEGERS, pl.Int64, [5, None, 7], "1 of its ids are null"),
        (TEXTS, pl.String, ["a", None, None], "2 of its ids are null"),
        (INTEGERS, pl.Int64, [5, 7, 5], "the id 5 stands in it twice"),
        (INTEGERS, pl.String, ["5", "6", "7"], "holds object where the schema says integer ids"),
        (INTEGERS, pl.Float64, [5, 6, 7], "holds float64 where the schema says integer ids"),
        (TEXTS, pl.Int64, [5, 6, 7], "holds int64 where the schema says text ids"),
        (VALUES, pl.String, ["a", None, "c"], "1 of its ids are null"),
        (VALUES, pl.Int64, [5, 6, 7], "holds int64 where the schema says value ids"),
        (VALUES, pl.Binary, [b"5", b"6", b"7"], "its column id holds large_binary, expected"),
        (VALUES, pl.String, ["a", "", "c"], "1 of its ids stand for a missing value"),
        (VALUES, pl.String, ["", "-9", "c"], "2 of its ids stand for a missing value"),
    ],
)
def test_damage_is_refused_in_one_sentence(field, dtype, ids, what, path):
    write(path, ids, dtype)
    with pytest.raises(DatasetError, match=rf"item\.parquet .*{what}.*prepare the dataset again"):
        load(path, field)


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"id": [5, 6, 7]}, "it has no column count"),
        ({"key": [5, 6, 7]}, "it has no column count and id"),
        (
            {"id": [5, 6, 7], "count": ["3", "2", "1"]},
            "its column count holds large_string, expected",
        ),
        ({"id": [5, 6, 7], "count": [3, 2, None]}, "1 of its counts are null"),
        ({"id": [[5], [6], [7]], "count": [3, 2, 1]}, "its column id holds large_list"),
    ],
)
def test_other_columns_are_refused_in_one_sentence(columns, what, path):
    pl.DataFrame(columns).write_parquet(path)
    with pytest.raises(DatasetError, match=rf"item\.parquet is damaged \({what}"):
        load(path, INTEGERS)


@pytest.mark.parametrize(
    ("field", "ids"),
    [
        (INTEGERS, np.random.default_rng(1).permutation(400)),
        (TEXTS, np.array([f"\u9752{i % 37}/{i}" for i in range(400)], object)),
    ],
)
def test_a_flipped_bit_is_named_or_changes_nothing(field, ids, path):
    """Pages have checksums; what lies around them describes them, and Arrow need not look at it."""
    field = dataclasses.replace(field, vocabulary_size=402)
    counts = np.arange(400, 0, -1)
    write_vocabulary(path, ids, counts)
    columns = pq.ParquetFile(path).metadata.row_group(0)
    pages = [columns.column(n) for n in range(2)]
    content, named = path.read_bytes(), {}
    for position in range(0, len(content), 5):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            vocabulary = load_vocabulary(path.parents[1], field)
        except DatasetError as error:
            named[position] = str(error)
        else:
            assert vocabulary.ids.tolist() == ids.tolist()
            assert vocabulary.counts.tolist() == counts.tolist()
    for page in pages:
        first, second = page.dictionary_page_offset, page.data_page_offset
        for start, end in ((first, second), (second, first + page.total_compressed_size)):
            inside = range(-(-(start + 100) // 5) * 5, end, 5)  # a page's header is shorter
            assert len(inside) > 50
            assert not set(inside) - set(named)
    for sentence in named.values():
        assert sentence.startswith(f"{path} ")
        assert "\n" not in sentence


def test_files_without_checksums_are_read(path):
    write(path, [5, 6, 7], pl.Int64)
    assert load(path, INTEGERS) == [5, 6, 7]
