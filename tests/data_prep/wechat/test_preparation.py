"""The WeChat Big Data Challenge 2021: raw files and the datasets made of them."""

import gzip
import json
import math
import pathlib
import signal
import subprocess
import sys

import polars as pl
import pytest

from data_prep.own_log.parsing import csv_file
from data_prep.wechat.fields import ACTION_COLUMNS, FEED_COLUMNS
from data_prep.wechat.preparation import Settings, prepare, summary
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError, load_schema

ROOT = pathlib.Path(__file__).parents[3]
MADE = Settings(min_count=1, max_values=2, validation_fraction=0.0)

FEEDS = [
    {
        "feedid": 10,
        "authorid": 100,
        "videoplayseconds": 9,
        "bgm_song_id": "7.0",  # as pandas writes the integers of a column with gaps
        "bgm_singer_id": 8,
        "manual_keyword_list": "1;2",
        "machine_keyword_list": "3",
        "manual_tag_list": "5;6;4",
        "machine_tag_list": "6 0.25;5 0.5;4 1",
        "description": "1 2 3",
    },
    {
        "feedid": 20,
        "authorid": 100,
        "manual_keyword_list": " 2 ;;1;",
        "machine_tag_list": "6 1",
    },
    {"feedid": 30, "authorid": 300, "videoplayseconds": 3, "machine_tag_list": "77 0.5;5 2"},
]
ACTIONS = [  # feed 99 is not in feed_info.csv
    {"userid": 1, "feedid": 10, "date_": 1, "device": 1, "read_comment": 1, "forward": 1},
    {"userid": 1, "feedid": 10, "date_": 1, "device": 1, "like": 1},
    {"userid": 2, "feedid": 20, "date_": 2, "device": 2, "click_avatar": 1},
    {"userid": 1, "feedid": 99, "date_": 2, "device": 1},
    {"userid": 3, "feedid": 30, "date_": 3, "device": 2, "read_comment": 1},
    {"userid": 2, "feedid": 10, "date_": 3, "device": 1, "forward": 1},
]


def lines(columns, rows, default):
    cells = [",".join(str(row.get(name, default)) for name in columns) for row in rows]
    return "\n".join([",".join(columns), *cells]) + "\n"


def write_raw(folder, actions=ACTIONS, feeds=FEEDS):
    folder.mkdir(exist_ok=True)
    (folder / "user_action.csv").write_text(lines(ACTION_COLUMNS, actions, 0), encoding="utf-8")
    (folder / "feed_info.csv").write_text(lines(FEED_COLUMNS, feeds, ""), encoding="utf-8")
    return folder


def many_actions(rows=4000, days=14, feed=lambda n: 10):
    return [
        {
            "userid": n,
            "feedid": feed(n),
            "date_": 1 + n % days,
            "device": 1,
            "read_comment": n // days % 2,
            "like": n // days % 2,
            "click_avatar": n // days % 2,
        }
        for n in range(rows)
    ]


@pytest.fixture
def raw(tmp_path):
    return write_raw(tmp_path / "raw")


def changed(settings=MADE, **changes):
    return Settings(**{**vars(settings), **changes})


def vocabulary(folder, field):
    table = pl.read_parquet(folder / "vocabularies" / f"{field}.parquet")
    return list(table.iter_rows())


def rows_of(folder, split):
    """Exposures as dicts in a stable order, a feed's fields joined, padding cut off."""
    dataset = PreparedDataset(folder)
    rows = []
    for features, labels in dataset.batches(split, batch_size=1024):
        feed_row = features.pop("feed_row").numpy()
        columns = {}
        for name, column in features.items():
            field = name.removesuffix("_weight")
            of_feed = next(f.entity for f in dataset.schema.fields if f.name == field)
            columns[name] = column.numpy()[feed_row] if of_feed else column.numpy()
        columns |= {name: label.numpy() for name, label in labels.items()}
        for number in range(len(feed_row)):
            row = {}
            for name, column in columns.items():
                value = column[number]
                if value.ndim:
                    ids = columns[name.removesuffix("_weight")][number]
                    value = value[ids > 0]
                row[name] = value.tolist()
            rows.append(row)
    return sorted(rows, key=str)


def test_every_value_of_a_small_example(raw, tmp_path):
    out = tmp_path / "out"
    schema = prepare(raw, out, MADE)
    assert schema == load_schema(out)
    assert schema.task_names == ("read_comment", "like", "click_avatar")
    assert [field.name for field in schema.fields] == [
        "userid",
        "device",
        "feedid",
        "authorid",
        "bgm_song_id",
        "bgm_singer_id",
        "videoplayseconds",
        "manual_keyword_list",
        "machine_keyword_list",
        "manual_tag_list",
        "machine_tag_list",
    ]
    assert [field.name for field in schema.exposure_fields()] == ["userid", "device"]
    assert [field.name for field in schema.fields if field.attended_by == "userid"] == [
        "manual_keyword_list",
        "machine_keyword_list",
        "manual_tag_list",
        "machine_tag_list",
    ]
    # Counted on the four rows of days 1 and 2: feed 10 twice, 20 and 99 once, 30 never.
    assert vocabulary(out, "userid") == [(1, 3), (2, 1)]
    assert vocabulary(out, "device") == [(1, 3), (2, 1)]
    assert vocabulary(out, "feedid") == [(10, 2), (20, 1), (99, 1)]
    assert vocabulary(out, "authorid") == [(100, 3)]
    assert vocabulary(out, "bgm_song_id") == [(7, 2)]
    assert vocabulary(out, "bgm_singer_id") == [(8, 2)]
    assert vocabulary(out, "manual_keyword_list") == [(1, 3), (2, 3)]
    assert vocabulary(out, "machine_keyword_list") == [(3, 2)]
    assert vocabulary(out, "manual_tag_list") == [(5, 2), (6, 2)]  # 4 is cut off
    assert vocabulary(out, "machine_tag_list") == [(6, 3), (5, 2)]

    feed_10 = {
        "feedid": 2,
        "authorid": 2,
        "bgm_song_id": 2,
        "bgm_singer_id": 2,
        "videoplayseconds": pytest.approx(math.log(10)),
        "manual_keyword_list": [2, 3],
        "machine_keyword_list": [2],
        "manual_tag_list": [2, 3],
        "machine_tag_list": [2, 3],
        "machine_tag_list_weight": [0.25, 0.5],
    }
    lacking = {
        "authorid": 0,
        "bgm_song_id": 0,
        "bgm_singer_id": 0,
        "videoplayseconds": 0.0,
        "manual_keyword_list": [],
        "machine_keyword_list": [],
        "manual_tag_list": [],
        "machine_tag_list": [],
        "machine_tag_list_weight": [],
    }
    feed_20 = lacking | {
        "feedid": 3,
        "authorid": 2,
        "manual_keyword_list": [3, 2],
        "machine_tag_list": [2],
        "machine_tag_list_weight": [1.0],
    }
    feed_30 = lacking | {
        "feedid": 1,
        "authorid": 1,
        "videoplayseconds": pytest.approx(math.log(4)),
        "machine_tag_list": [1, 3],
        "machine_tag_list_weight": [0.5, 2.0],
    }
    feed_99 = lacking | {"feedid": 4}

    def exposure(feed, user, device, *labels):
        names = ("read_comment", "like", "click_avatar")
        return feed | {"userid": user, "device": device} | dict(zip(names, labels, strict=True))

    def same(found, expected):
        assert len(found) == len(expected)
        for row in expected:
            assert row in found

    same(
        rows_of(out, "train"),
        [
            exposure(feed_10, 2, 2, 1.0, 0.0, 0.0),
            exposure(feed_10, 2, 2, 0.0, 1.0, 0.0),
            exposure(feed_20, 3, 3, 0.0, 0.0, 1.0),
            exposure(feed_99, 2, 2, 0.0, 0.0, 0.0),
        ],
    )
    same(
        rows_of(out, "test"),
        [
            exposure(feed_30, 1, 3, 1.0, 0.0, 0.0),
            exposure(feed_10, 3, 2, 0.0, 0.0, 0.0),
        ],
    )
    assert list(schema.splits) == ["train", "test"]
    assert schema.entities["feed"].rows == 4
    assert schema.filters["feeds_not_in_feed_info"] == 1
    assert schema.filters["rows_of_feeds_not_in_feed_info"] == 1
    assert schema.filters["rows_by_day"] == {"1": 2, "2": 2, "3": 2}
    assert schema.filters["truncated_lists"]["manual_tag_list"] == 1
    assert schema.filters["feeds_without"]["bgm_song_id"] == 3
    assert schema.source == {
        "files": {
            name: (raw / name).stat().st_size for name in ("feed_info.csv", "user_action.csv")
        },
        "simulated": False,
    }
    text = summary(schema)
    assert "train: 4 rows, read_comment 1 (0.2500), like 1 (0.2500)" in text
    assert "user_action.csv: 6 usable rows on 3 days (the published file: 7,317,882 on 14)" in text
    assert "entity table feed: 4 rows, 1 of them not in feed_info.csv (shown in 1 rows)" in text
    assert "manual_tag_list: multi_categorical, 4 embedding rows, missing in 3 feeds, 1 lists" in (
        text
    )
    with pytest.raises(DatasetError, match="out exists already"):
        prepare(raw, out, MADE)
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "out"}


def test_ids_need_min_count_occurrences_in_the_joined_table(raw, tmp_path):
    prepare(raw, tmp_path / "out", changed(min_count=3, max_values=50))
    found = {n: vocabulary(tmp_path / "out", n) for n in ("userid", "feedid", "authorid")}
    assert found == {"userid": [(1, 3)], "feedid": [], "authorid": [(100, 3)]}
    assert vocabulary(tmp_path / "out", "machine_tag_list") == [(6, 3)]


def test_tasks_are_chosen_and_ordered(raw, tmp_path):
    schema = prepare(raw, tmp_path / "out", changed(tasks=("forward", "read_comment")))
    assert schema.task_names == ("forward", "read_comment")
    assert schema.splits["train"].positives == {"forward": 1, "read_comment": 1}
    assert schema.splits["test"].positives == {"forward": 1, "read_comment": 1}
    with pytest.raises(DatasetError, match="--tasks names 'play', which is no behaviour; these"):
        prepare(raw, tmp_path / "other", changed(tasks=("like", "play")))
    with pytest.raises(DatasetError, match="--tasks=like,like must name one or more"):
        prepare(raw, tmp_path / "other", changed(tasks=("like", "like")))
    with pytest.raises(DatasetError, match="task follow has 0 positives among the 4 training rows"):
        prepare(raw, tmp_path / "other", changed(tasks=("follow",)))
    assert not (tmp_path / "other").exists()


def test_days_decide_the_split(tmp_path):
    raw = write_raw(tmp_path / "raw", many_actions(1400))

    def days(**changes):
        out = tmp_path / str(len(list(tmp_path.iterdir())))
        schema = prepare(raw, out, changed(**changes))
        return {name: split.rows // 100 for name, split in schema.splits.items()}, schema

    hundreds, schema = days()
    assert hundreds == {"train": 13, "test": 1}
    assert schema.settings["test_days"] == [14]
    assert schema.filters["rows_after_test_days"] == 0
    assert schema.settings["validation_days"] == []
    hundreds, schema = days(test_days=(12, 11), validation_days=(2, 10))
    assert hundreds == {"train": 8, "validation": 2, "test": 2}
    assert schema.filters["rows_after_test_days"] == 200


def test_training_ids_are_those_of_the_training_days(tmp_path):
    raw = write_raw(tmp_path / "raw", many_actions(1400))
    prepare(raw, tmp_path / "out", changed(test_days=(12,), validation_days=(11,)))
    users = [user for user, _ in vocabulary(tmp_path / "out", "userid")]
    assert sorted(users) == [n for n in range(1400) if 1 + n % 14 <= 10]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_days": (15,)}, "--test_days=15 is not a day of the log; the log has the days 1, 2"),
        ({"validation_days": (0,)}, "--validation_days=0 is not a day of the log"),
        ({"validation_days": (3,)}, "--validation_days=3 must be before the first test day, 3"),
        ({"test_days": (1,)}, "no training day is left before the first test day, 1; the log has"),
        ({"test_days": (2,), "validation_days": (1,)}, "no training day is left"),
        ({"rows": 1}, "no row is left for the (train|test) split; draw more with --rows"),
    ],
)
def test_splits_that_cannot_be(raw, tmp_path, changes, message):
    with pytest.raises(DatasetError, match=message):
        prepare(raw, tmp_path / "out", changed(**changes))
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_random_validation_and_sampling_are_seeded_and_independent_of_chunks(tmp_path, monkeypatch):
    raw = write_raw(tmp_path / "raw", many_actions(feed=lambda n: 50 + n % 7))

    def made(name, **changes):
        schema = prepare(raw, tmp_path / name, changed(**{"validation_fraction": 0.2, **changes}))
        return schema, vocabulary(tmp_path / name, "userid")

    first, users = made("first")
    rows = {name: split.rows for name, split in first.splits.items()}
    training = len([n for n in range(4000) if n % 14 != 13])
    assert rows["train"] + rows["validation"] == training
    assert rows["test"] == 4000 - training
    assert len(users) == rows["train"]
    # Four standard deviations of the binomial count.
    assert abs(rows["validation"] - 0.2 * training) < 4 * math.sqrt(0.16 * training)
    assert made("other", seed=1)[1] != users
    sampled, users_of_sample = made("sampled", rows=1000)
    assert sum(split.rows for split in sampled.splits.values()) == 1000
    assert set(users_of_sample) < set(users)
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 1 << 12)
    assert made("in_pieces")[0].fingerprint == first.fingerprint
    assert made("sampled_in_pieces", rows=1000)[0].fingerprint == sampled.fingerprint


ACTION = dict.fromkeys(ACTION_COLUMNS, 1)
NO_SCORE = "machine_tag_list is not an integer and a score from 0 to 1,000,000, such as 5 0.25"
BAD_ROWS = [
    ("user_action.csv", "1,2,3", "3 cells, expected 13", "wrong number of cells"),
    (
        "user_action.csv",
        {**ACTION, "userid": "u7"},
        "column 'userid' holds 'u7', expected an integer",
        "userid is not an integer",
    ),
    (
        "user_action.csv",
        {**ACTION, "device": ""},
        "column 'device' is empty, expected an integer",
        "device is not an integer",
    ),
    (
        "user_action.csv",
        {**ACTION, "date_": "1.5"},
        "column 'date_' holds '1.5', expected a day from 1 to 14",
        "date_ is not a day from 1 to 14",
    ),
    (
        "user_action.csv",
        {**ACTION, "date_": 0},
        "column 'date_' holds '0', expected a day from 1 to 14",
        "date_ is not a day from 1 to 14",
    ),
    (
        "user_action.csv",
        {**ACTION, "date_": 140},
        "column 'date_' holds '140', expected a day from 1 to 14",
        "date_ is not a day from 1 to 14",
    ),
    (
        "user_action.csv",
        {**ACTION, "like": 2},
        "column 'like' holds '2', expected 0 or 1",
        "like is not 0 or 1",
    ),
    (
        "user_action.csv",
        {**ACTION, "click_avatar": "yes"},
        "column 'click_avatar' holds 'yes', expected 0 or 1",
        "click_avatar is not 0 or 1",
    ),
    ("feed_info.csv", "40,1,2", "3 cells, expected 15", "wrong number of cells"),
    (
        "feed_info.csv",
        {"authorid": 1},
        "column 'feedid' is empty, expected an integer",
        "feedid is not an integer",
    ),
    (
        "feed_info.csv",
        {"feedid": 40, "bgm_song_id": "7.5"},
        "column 'bgm_song_id' holds '7.5', expected an integer",
        "bgm_song_id is not an integer",
    ),
    (
        "feed_info.csv",
        {"feedid": 40, "videoplayseconds": "inf"},
        "column 'videoplayseconds' holds 'inf', expected a number from 0 to 1,000,000",
        "videoplayseconds is not a number from 0 to 1,000,000",
    ),
    (
        "feed_info.csv",
        {"feedid": 40, "videoplayseconds": "nan"},
        "column 'videoplayseconds' holds 'nan', expected a number from 0 to 1,000,000",
        "videoplayseconds is not a number from 0 to 1,000,000",
    ),
    (
        "feed_info.csv",
        {"feedid": 40, "videoplayseconds": -3},
        "column 'videoplayseconds' holds '-3', expected a number from 0 to 1,000,000",
        "videoplayseconds is not a number from 0 to 1,000,000",
    ),
    (
        "feed_info.csv",
        {"feedid": 40, "videoplayseconds": 1000001},
        "column 'videoplayseconds' holds '1000001', expected a number from 0 to 1,000,000",
        "videoplayseconds is not a number from 0 to 1,000,000",
    ),
    (
        "feed_info.csv",
        {"feedid": 40, "manual_tag_list": "1;b;2"},
        "column 'manual_tag_list' holds 'b', expected an integer",
        "manual_tag_list is not an integer",
    ),
    (
        "feed_info.csv",
        {"feedid": 40, "machine_tag_list": "1 0.5;2 high"},
        "column 'machine_tag_list' holds '2 high', expected an integer and a score from 0",
        NO_SCORE,
    ),
    (
        "feed_info.csv",
        {"feedid": 40, "machine_tag_list": "1"},
        "column 'machine_tag_list' holds '1', expected an integer and a score",
        NO_SCORE,
    ),
    (
        "feed_info.csv",
        {"feedid": 40, "machine_tag_list": "1 -0.5"},
        "column 'machine_tag_list' holds '1 -0.5', expected an integer and a score",
        NO_SCORE,
    ),
    (
        "feed_info.csv",
        {"feedid": 40, "machine_tag_list": "1 1e39"},
        "column 'machine_tag_list' holds '1 1e39', expected an integer and a score",
        NO_SCORE,
    ),
]


def add_line(path, row):
    """Puts a row behind the first one, as line 3."""
    if isinstance(row, dict):
        columns = ACTION_COLUMNS if path.name == "user_action.csv" else FEED_COLUMNS
        row = ",".join(str(row.get(name, "")) for name in columns)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], row, *lines[2:]]) + "\n")


@pytest.mark.parametrize(("file", "row", "message", "reason"), BAD_ROWS)
def test_a_bad_row_is_named(raw, tmp_path, file, row, message, reason):
    add_line(raw / file, row)
    with pytest.raises(DatasetError) as error:
        prepare(raw, tmp_path / "out", MADE)
    assert str(error.value).startswith(f"{raw / file}, line 3: {message}")
    assert "--max_bad_rows (now 0)" in str(error.value)


def test_tolerated_bad_rows_are_counted_by_reason(raw, tmp_path):
    expected = {"user_action.csv": {}, "feed_info.csv": {}}
    for file, row, _, reason in BAD_ROWS:
        add_line(raw / file, row)
        expected[file][reason] = expected[file].get(reason, 0) + 1
    schema = prepare(raw, tmp_path / "out", changed(max_bad_rows=12))
    assert schema.filters["bad_rows"] == expected
    assert sum(split.rows for split in schema.splits.values()) == len(ACTIONS)
    assert schema.entities["feed"].rows == len(FEEDS) + 1
    text = summary(schema)
    assert "bad rows of user_action.csv left out: " in text
    assert "like is not 0 or 1: 1" in text
    with pytest.raises(DatasetError, match=r"--max_bad_rows \(now 11\)"):
        prepare(raw, tmp_path / "other", changed(max_bad_rows=11))


def test_a_bad_row_counts_once_and_its_feed_becomes_one_that_is_not_known(tmp_path):
    bad = {**FEEDS[0], "authorid": "x", "machine_tag_list": "a b;c d", "manual_tag_list": "e"}
    raw = write_raw(tmp_path / "raw", feeds=[bad, *FEEDS[1:]])
    schema = prepare(raw, tmp_path / "out", changed(max_bad_rows=1))
    assert schema.filters["bad_rows"]["feed_info.csv"] == {"authorid is not an integer": 1}
    assert schema.filters["feeds_not_in_feed_info"] == 2
    assert schema.filters["rows_of_feeds_not_in_feed_info"] == 4


def test_a_feed_that_stands_twice_is_refused_with_both_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 1 << 9)
    others = [{"feedid": n, "description": "1 " * 50} for n in range(100, 140)]
    feeds = [{"feedid": "x"}, *FEEDS, *others, {"feedid": 20}, *others]
    raw = write_raw(tmp_path / "raw", feeds=feeds)
    with pytest.raises(DatasetError) as error:
        prepare(raw, tmp_path / "out", changed(max_bad_rows=9))
    path = raw / "feed_info.csv"
    assert str(error.value) == (
        f"{path}, line 46: feedid 20 stands in {path}, line 4 already; a feed has one row, remove "
        "the other"
    )


def test_compressed_files_give_the_same_dataset(raw, tmp_path):
    first = prepare(raw, tmp_path / "first", MADE)
    for path in list(raw.iterdir()):
        (raw / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    second = prepare(raw, tmp_path / "second", MADE)
    assert second.splits == first.splits
    assert set(second.source["files"]) == {"user_action.csv.gz", "feed_info.csv.gz"}
    (raw / "feed_info.csv").write_text("")
    with pytest.raises(DatasetError, match=r"has both feed_info.csv and feed_info.csv.gz; remove"):
        prepare(raw, tmp_path / "third", MADE)
    for name in ("feed_info.csv", "feed_info.csv.gz"):
        (raw / name).unlink()
    with pytest.raises(DatasetError, match=r"has neither feed_info.csv nor feed_info.csv.gz; the"):
        prepare(raw, tmp_path / "third", MADE)


def test_a_missing_column_and_files_without_rows(raw, tmp_path):
    text = (raw / "user_action.csv").read_text()
    (raw / "user_action.csv").write_text(text.replace("date_", "date"))
    with pytest.raises(DatasetError, match=r"no column 'date_' .*; did you mean 'date'\?"):
        prepare(raw, tmp_path / "out", MADE)
    (raw / "user_action.csv").write_text(text.splitlines()[0] + "\n")
    with pytest.raises(DatasetError, match=r"user_action.csv has no usable row"):
        prepare(raw, tmp_path / "out", MADE)


def test_feeds_without_any_row_are_all_unknown(tmp_path):
    raw = write_raw(tmp_path / "raw", feeds=[])
    schema = prepare(raw, tmp_path / "out", MADE)
    assert schema.entities["feed"].rows == schema.filters["feeds_not_in_feed_info"] == 4
    assert vocabulary(tmp_path / "out", "authorid") == []
    assert {row["feedid"] for row in rows_of(tmp_path / "out", "train")} == {2, 3, 4}


def test_simulated_data_are_marked(raw, tmp_path):
    simulation = {"seed": 3, "bayes_auc": {"test": {"like": 0.9}}}
    (raw / "simulation.json").write_text(json.dumps(simulation))
    schema = prepare(raw, tmp_path / "out", MADE)
    assert schema.simulated
    assert schema.source["simulation"] == simulation
    assert "simulated" in summary(schema).splitlines()[0]
    (raw / "simulation.json").write_text("{")
    with pytest.raises(DatasetError, match=r"simulation.json is not JSON"):
        prepare(raw, tmp_path / "other", MADE)
    for content in ("null", "3", "[]"):
        (raw / "simulation.json").write_text(content)
        with pytest.raises(
            DatasetError, match=r"simulation.json is damaged: .* expected a JSON object"
        ):
            prepare(raw, tmp_path / "other", MADE)


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, ["train", "validation", "test"]),
        ({"test_days": (14,)}, ["train", "validation", "test"]),
        ({"validation_days": (13,)}, ["test"]),
        ({"test_days": (13,)}, None),
        ({"test_days": (13, 14)}, None),
        ({"test_days": (13,), "validation_days": (12,)}, None),
    ],
)
def test_the_auc_of_the_truth_is_kept_where_it_is_of_the_same_rows(tmp_path, changes, kept):
    raw = write_raw(tmp_path / "raw", many_actions(280))
    auc = {split: {"like": 0.9} for split in ("train", "validation", "test")}
    (raw / "simulation.json").write_text(json.dumps({"seed": 3, "bayes_auc": auc}))
    schema = prepare(raw, tmp_path / "out", changed(**changes))
    simulation = {"seed": 3}
    if kept is not None:
        simulation["bayes_auc"] = {split: auc[split] for split in kept}
    assert schema.source["simulation"] == simulation


def test_what_a_killed_preparation_left_is_removed(raw, tmp_path, capsys):
    work = tmp_path / "out.work"
    work.mkdir()
    (work / "actions.arrow").write_text("half a file")
    prepare(raw, tmp_path / "out", MADE)
    assert f"Removing {work}, left behind by a preparation" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "out"}


def test_a_preparation_that_is_killed_leaves_only_what_the_next_one_removes(raw, tmp_path):
    script = (
        "import os, pathlib, signal\n"
        "from data_prep.wechat import preparation as wechat\n"
        "wechat._checked_rows = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"wechat.prepare({str(raw)!r}, {str(tmp_path / 'out')!r}, wechat.Settings())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "out.work", "out.work.lock"}
    prepare(raw, tmp_path / "out", MADE)
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "out"}


def test_program(raw, tmp_path):
    def run(*arguments):
        command = [sys.executable, "-m", "data_prep.wechat", f"--raw_dir={raw}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    out = f"--out_dir={tmp_path / 'out'}"
    done = run(out, "--tasks=forward", "--test_days=3", "--validation_days=2", "--min_count=2")
    assert done.returncode == 0, done.stderr
    assert "test days: 3" in done.stdout
    assert f"Written to {tmp_path / 'out'}." in done.stdout
    schema = load_schema(tmp_path / "out")
    rows = {name: split.rows for name, split in schema.splits.items()}
    assert rows == {"train": 2, "validation": 2, "test": 2}

    done = run(f"--out_dir={tmp_path / 'x'}", "--validation_days=2", "--validation_fraction=0.1")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        "Error: --validation_days and --validation_fraction contradict each other; give one of them"
    )
    done = run(f"--out_dir={tmp_path / 'x'}", "--test_days=last")
    assert done.returncode == 1
    assert "Error: --test_days=last must be days, such as 13,14" in done.stderr
    done = run(f"--out_dir={tmp_path / 'x'}", "--validation_fraction=nan")
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "Error: --validation_fraction=nan must be a finite number from 0 to 0.9 "
        "(--help lists the flags)"
    )
    done = run("--out_dir=/proc/nope/x")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        "Error: /proc/nope cannot be read or written (No such file or directory)"
    )
    assert "Traceback" not in done.stderr
