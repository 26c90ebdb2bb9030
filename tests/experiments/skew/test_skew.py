"""The program that compares requests with training."""

import json

import polars as pl
import pytest

from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.serving import field_statistics
from experiments.skew.__main__ import Settings, main
from tests.shop import prepare_shop, raw_rows


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    folder = tmp_path_factory.mktemp("version")
    dataset = PreparedDataset(prepare_shop(folder))
    (folder / "prepared").rename(folder / "assets.extra")
    field_statistics.write(folder / "assets.extra", PreparedDataset(folder / "assets.extra"))
    assert dataset.schema.fields
    return folder


def test_rows_of_the_log_are_like_it_and_others_are_named(version, tmp_path, capsys):
    rows = raw_rows()
    rows.write_ndjson(tmp_path / "same.jsonl")
    out = tmp_path / "out.json"
    main(Settings(str(version), str(tmp_path / "*.jsonl"), largest_share=0.1, json=str(out)))
    assert json.loads(out.read_text("utf-8"))["skewed"] == []
    assert "600 rows of requests; 0 of 9 fields differ" in capsys.readouterr().out
    odd = rows.with_columns(city=pl.lit("nowhere"), price=pl.lit(None, dtype=pl.String))
    odd.write_parquet(tmp_path / "odd.parquet")
    main(Settings(str(version), str(tmp_path / "*.parquet"), largest_share=0.1, json=str(out)))
    said = json.loads(out.read_text("utf-8"))
    assert {"city", "price", "price_log", "price_bins"} <= set(said["skewed"])
    assert not {"row", "tags", "level"} & set(said["skewed"])
    city = next(one for one in said["fields"] if one["field"] == "city")
    assert city["requests"]["unknown"] == 1.0


def test_files_that_are_none_are_refused(version, tmp_path):
    with pytest.raises(DatasetError, match="fits no file"):
        main(Settings(str(version), str(tmp_path / "*.parquet")))
    (tmp_path / "bad.parquet").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"bad\.parquet cannot be read as Parquet or JSON"):
        main(Settings(str(version), str(tmp_path / "*.parquet")))
