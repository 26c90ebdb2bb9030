"""One value has one meaning, however files spell and type it."""

import json

import numpy as np
import polars as pl
import pytest

from data_prep.own_log.declaration import load_declaration
from data_prep.own_log.row_counts import RowCounts, never_met
from data_prep.own_log.rows.log_rows import LogRows
from dcrnn_tf.dataset.schema import DatasetError

RATINGS = [4.0, 3.0, 4.5, 5.0, -1.0, 2.5, 4.0, 3.0, 5.0]
DAYS = [1, 2, 3, 1, 2, 3, 10, 2**53, 2**53 + 1]
DECLARED = {
    "name": "log",
    "split": {"by": "column", "files": "", "column": "day", "test": [3, "1e1", 2**53 + 1]},
    "fields": {"city": {"kind": "categorical"}},
    "tasks": {"like": {"column": "rating", "positive": [4, "4.50", "5"]}},
    "missing_values": [-1],
}
TEXTS = {
    "rating": ["4.0", "3", "4.5", " 5.00", "-1.0", "2.5", "4", "3e0", "5."],
    "day": ["1", "2.0", "3.0", "1.0", "2", " 3", "10", "9007199254740992", "9007199254740993"],
}
FRAMES = {
    "text.csv": pl.DataFrame(TEXTS),
    "text.parquet": pl.DataFrame(TEXTS),
    "typed.parquet": pl.DataFrame({"rating": RATINGS, "day": DAYS}),
    "unsigned.parquet": pl.DataFrame(
        {"rating": RATINGS, "day": DAYS}, schema={"rating": pl.Float32, "day": pl.UInt64}
    ),
    "decimal.parquet": pl.DataFrame(
        {"rating": pl.Series(RATINGS).cast(pl.Decimal(9, 2)), "day": pl.Series(DAYS)}
    ),
}


def declaration(folder, **changes):
    path = folder / "log.json"
    path.write_text(json.dumps(DECLARED | changes))
    return load_declaration(path)


@pytest.mark.parametrize("name", FRAMES)
def test_labels_and_splits_are_those_of_the_declared_numbers(name, tmp_path):
    frame = FRAMES[name].with_columns(city=pl.lit("a"))
    write = frame.write_csv if name.endswith("csv") else frame.write_parquet
    write(tmp_path / name)
    declared = declaration(tmp_path, split=DECLARED["split"] | {"files": name})
    log = LogRows(declared, tmp_path, seed=0, max_bad_rows=1)
    ((rows, splits, labels),) = log.read(lambda done: None)
    assert log.bad_rows.counts == {"label missing": 1}
    assert labels["like"].tolist() == [1, 0, 1, 1, 0, 1, 0, 1]
    assert np.flatnonzero(splits == 2).tolist() == [2, 4, 5, 7]
    counts = RowCounts(declared)
    counts.add(rows, splits, labels)
    assert not never_met(declared, counts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": {"like": {"positive": [4], "negative": ["4.0"]}}}, "'4' is positive and neg"),
        ({"tasks": {"like": {"positive": "TRUE", "negative": ["true"]}}}, "'TRUE' is positive"),
        (
            {"split": DECLARED["split"] | {"train": ["9007199254740992", "3.0"]}},
            "'3.0' is a value of train and of test",
        ),
    ],
)
def test_one_value_in_two_lists_is_refused(changes, message, tmp_path):
    with pytest.raises(DatasetError, match=message):
        declaration(tmp_path, **changes)
