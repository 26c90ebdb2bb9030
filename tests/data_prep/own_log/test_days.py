"""Days and moments as ids and, by a derived column that states the unit, as numbers."""

import datetime
import pathlib

import numpy as np
import polars as pl
import pytest

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.preparation import prepare
from data_prep.own_log.row_encoder import RowEncoder
from dcrnn_tf.dataset.reader import PreparedDataset

DAYS = [datetime.date(1970, 1, 2), datetime.date(2024, 1, 2), None, datetime.date(1969, 12, 31)]


@pytest.mark.parametrize("file", ["rows.csv", "rows.parquet"])
def test_a_column_of_days_is_ids_and_numbers(tmp_path, file):
    rows = pl.DataFrame({"day": DAYS * 2, "click": [0, 1] * 4, "part": [0] * 4 + [1] * 4})
    rows.write_csv(tmp_path / file) if file == "rows.csv" else rows.write_parquet(tmp_path / file)
    content = {
        "name": "shop",
        "split": {"by": "column", "files": file, "column": "part", "test": [1]},
        "derived": {"days": "EPOCH(day) / 86400"},
        "fields": {
            "day": {"kind": "categorical", "min_count": 1},
            "days": {"kind": "numeric", "scaling": "none"},
        },
        "tasks": {"click": {}},
    }
    prepare(parse_declaration(content, pathlib.Path("shop.yaml")), tmp_path, tmp_path / "out")
    dataset = PreparedDataset(tmp_path / "out")
    assert dataset.vocabularies()["day"].tolist() == ["1969-12-31", "1970-01-02", "2024-01-02"]
    expected = {"day": [3, 4, 0, 2], "days": [1, 19724, 0, -1]}
    ((features, _),) = dataset.batches("test", 9)
    on_disk = {name: features[name].numpy().tolist() for name in expected}
    assert sorted(zip(*on_disk.values(), strict=True)) == sorted(
        zip(*expected.values(), strict=True)
    )
    encoder = RowEncoder(tmp_path / "out")
    for column in (pl.Series(DAYS), pl.Series([day and str(day) for day in DAYS])):
        encoded = encoder(pl.DataFrame({"day": column}))
        for name, values in expected.items():
            np.testing.assert_array_equal(encoded[name], values, err_msg=name)
