"""Splits by whole groups, few of which have most of the rows."""

import json
import pathlib

import numpy as np
import polars as pl
import pytest

from data_prep.own_log.__main__ import Settings
from data_prep.own_log.declaration import DeclaredSplit, parse_declaration
from data_prep.own_log.parsing import csv_file
from data_prep.own_log.preparation import prepare
from data_prep.own_log.rows.log_rows import LogRows
from data_prep.own_log.split_draw import TEST, TRAIN, VALIDATION, SplitDraw, bucket_rows
from data_prep.own_log.statistics import summary
from dcrnn_tf.dataset.schema import DatasetError

TEST_FRACTION, VALIDATION_FRACTION = 0.1, 0.05
SPLIT = {
    "by": "group",
    "files": "log.csv",
    "column": "user",
    "test_fraction": TEST_FRACTION,
    "validation_fraction": VALIDATION_FRACTION,
}
CONTENT = {
    "name": "shop",
    "split": SPLIT,
    "fields": {"item": {"kind": "categorical", "min_count": 1}},
    "tasks": {"click": {}},
}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A folder with `log.csv`: half of the users have a row, the first a ninth of all rows."""
    random = np.random.default_rng(1)
    sizes = np.minimum(np.ceil(random.pareto(0.8, 1500)), 800).astype(int)
    users = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    lines = [f"{user},{user % 7},{row % 2}" for row, user in enumerate(users.tolist())]
    folder = tmp_path_factory.mktemp("logs")
    (folder / "log.csv").write_text("\n".join(["user,item,click", *lines]) + "\n")
    return folder


def test_a_flag_changes_the_share_for_validation(tmp_path):
    path = tmp_path / "shop.json"
    path.write_text(json.dumps(CONTENT))
    usual, none = Settings(str(path)), Settings(str(path), validation_fraction=0.0)
    assert usual.declared().split.validation_fraction == VALIDATION_FRACTION
    assert not none.declared().split.has_validation
    by_day = {"by": "column", "files": "log.csv", "column": "day", "validation": [1], "test": [2]}
    path.write_text(json.dumps({**CONTENT, "split": by_day}))
    with pytest.raises(DatasetError, match="either validation or validation_fraction, not both"):
        none.declared()


def declared():
    return parse_declaration(CONTENT, pathlib.Path("shop.yaml"))


def test_shares_of_rows_are_met_whatever_the_seed(log):
    frame, split = pl.read_csv(log / "log.csv"), declared().split
    drawn = set()
    for seed in range(50):
        draw = SplitDraw.of_groups(split, seed, bucket_rows(frame, split, seed))
        splits = np.full(frame.height, TRAIN, np.int8)
        draw(frame, splits, 0)
        splits_of = frame.select("user", split=splits).unique()
        assert splits_of.height == splits_of["user"].n_unique()  # groups are whole
        train, validation, test = np.bincount(splits)
        assert abs(test / len(splits) - TEST_FRACTION) <= 0.01 * TEST_FRACTION, seed
        share = validation / (train + validation)
        assert abs(share - VALIDATION_FRACTION) <= 0.01 * VALIDATION_FRACTION, seed
        drawn.add(splits.tobytes())
    assert len(drawn) == 50


def test_rows_of_a_log_are_split_in_the_same_way_however_it_is_cut(log, monkeypatch):
    frame, split = pl.read_csv(log / "log.csv"), declared().split
    expected = np.full(frame.height, TRAIN, np.int8)
    SplitDraw.of_groups(split, 3, bucket_rows(frame, split, 3))(frame, expected, 0)
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 1 << 12)
    table = LogRows(declared(), log, 3, 0)
    for _ in range(2):
        splits = [splits for _, splits, _ in table.read(lambda done: None)]
        assert len(splits) > 5
        assert (np.concatenate(splits) == expected).all()


def test_the_summary_says_what_shares_were_reached(log, tmp_path):
    schema = prepare(declared(), log, tmp_path / "out")
    rows = {name: part.rows for name, part in schema.splits.items()}
    share = rows["validation"] / (rows["train"] + rows["validation"])
    lines = summary(schema).splitlines()
    line = f"  validation: whole groups with {share:.4f} of the training rows, 0.05 wanted"
    assert line in lines
    share = rows["test"] / sum(rows.values())
    assert f"  test: whole groups with {share:.4f} of all rows, 0.1 wanted" in lines


def test_more_groups_than_buckets_are_kept_whole_and_the_share_is_met():
    users = np.random.default_rng(0).integers(0, 10**9, 300_000)
    users[:60_000] = 7
    frames = [pl.DataFrame({"user": part}) for part in np.array_split(users, 3)]
    split = DeclaredSplit("group", {}, "user", {}, 0.1, 0.3)
    rows = sum(bucket_rows(frame, split, 5) for frame in frames)
    draw = SplitDraw.of_groups(split, 5, rows)
    found = []
    for frame in frames:
        found.append(np.full(frame.height, TRAIN, np.int8))
        draw(frame, found[-1], 0)
    splits = np.concatenate(found)
    counts = np.bincount(splits)
    assert counts[TEST] == 30_000
    assert counts[VALIDATION] == 81_000
    whole = pl.DataFrame({"user": users, "split": splits}).unique()
    assert whole.height == whole["user"].n_unique()


def test_a_draw_for_test_is_the_same_whatever_is_drawn_for_validation():
    rows = np.random.default_rng(0).integers(0, 50, 1 << 16)
    splits = [
        SplitDraw.of_groups(DeclaredSplit("group", {}, "user", {}, 0.2, share), 3, rows)
        for share in (0.0, 0.1)
    ]
    one, other = (draw.bucket_splits for draw in splits)
    assert (one == VALIDATION).sum() == 0 < (other == VALIDATION).sum()
    assert ((one == TEST) == (other == TEST)).all()
