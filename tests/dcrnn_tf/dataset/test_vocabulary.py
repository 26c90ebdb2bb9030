"""Vocabularies in files, whole and damaged."""

import numpy as np
import polars as pl
import pytest

from dcrnn_tf.dataset.encodings import INTEGER, TEXT, Ids
from dcrnn_tf.dataset.schema import CATEGORICAL, DatasetError, Field
from dcrnn_tf.dataset.vocabulary import load_vocabulary, write_vocabulary

INTEGERS = Field("item", CATEGORICAL, 5, encoding=Ids(("-1",), INTEGER))
TEXTS = Field("item", CATEGORICAL, 5, encoding=Ids(("",), TEXT))


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
    ):
        write_vocabulary(path, ids, np.ones(3))
        assert load(path, field) == ids.tolist()


@pytest.mark.parametrize(
    ("field", "dtype", "ids", "what"),
    [
        (INTEGERS, pl.Int64, [5, None, 7], "1 of its ids are null"),
        (TEXTS, pl.String, ["a", None, None], "2 of its ids are null"),
        (INTEGERS, pl.Int64, [5, 7, 5], "an id stands in it twice"),
        (INTEGERS, pl.String, ["5", "6", "7"], "holds object where the schema says integer ids"),
        (INTEGERS, pl.Float64, [5, 6, 7], "holds float64 where the schema says integer ids"),
        (TEXTS, pl.Int64, [5, 6, 7], "holds int64 where the schema says text ids"),
    ],
)
def test_damage_is_refused_in_one_sentence(field, dtype, ids, what, path):
    write(path, ids, dtype)
    with pytest.raises(DatasetError, match=rf"item\.parquet .*{what}.*prepare the dataset again"):
        load(path, field)
