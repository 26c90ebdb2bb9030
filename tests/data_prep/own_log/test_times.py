"""Times: cells as exact moments, splits by time, and what the summary says of them."""

import datetime
import decimal
import pathlib
import zoneinfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.declared.times import TIME
from data_prep.own_log.moments import MICROSECONDS, midnight, moments_of, written_moment
from data_prep.own_log.parsing import csv_file
from data_prep.own_log.preparation import prepare
from data_prep.own_log.rows.log_rows import LogRows
from data_prep.own_log.statistics import summary
from dcrnn_tf.dataset.schema import DatasetError

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
ZONES = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Apia"]
MOMENTS = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1))
CONTENT = {
    "name": "shop",
    "time": {"column": "at"},
    "split": {"by": "time", "files": "*.csv", "train_until": "2024-01-03"},
    "fields": {"item": {"kind": "categorical", "min_count": 1}},
    "tasks": {"click": {}},
}


def since_1970(moment, zone):
    local = zoneinfo.ZoneInfo(zone) if moment.tzinfo is None else moment.tzinfo
    return (moment.replace(tzinfo=local) - EPOCH) // datetime.timedelta(microseconds=1)


def declared(**changes):
    return parse_declaration({**CONTENT, **changes}, pathlib.Path("shop.yaml"))


def write(folder, *files):
    for number, rows in enumerate(files):
        lines = [f"{at},{n % 3},{n % 2}" for n, at in enumerate(rows)]
        (folder / f"{number}.csv").write_text("\n".join(["at,item,click", *lines]) + "\n")


@settings(deadline=None)
@given(moments=st.lists(MOMENTS, min_size=1), zone=st.sampled_from(ZONES))
def test_text_and_typed_cells_are_the_moments_that_python_has(moments, zone):
    expected = [since_1970(moment, zone) for moment in moments]
    for separator in " T":
        texts = pl.Series([moment.isoformat(separator) for moment in moments])
        assert moments_of(texts, zone=zone).to_list() == expected
    typed = pl.Series(moments, dtype=pl.Datetime("us"))
    assert moments_of(typed, zone=zone).to_list() == expected
    in_utc = [moment.replace(tzinfo=UTC) for moment in moments]
    expected = [since_1970(moment, zone) for moment in in_utc]
    typed = pl.Series(in_utc, dtype=pl.Datetime("us", "UTC"))
    texts = pl.Series([moment.isoformat() for moment in in_utc])
    for column in (typed, typed.dt.convert_time_zone("Asia/Kolkata"), texts):
        assert moments_of(column, zone=zone).to_list() == expected
    days = [moment.date() for moment in moments]
    midnights = [datetime.datetime.combine(day, datetime.time()) for day in days]
    expected = [since_1970(moment, zone) for moment in midnights]
    texts = pl.Series([str(day) for day in days])
    for column in (pl.Series(days), texts, texts.str.replace_all("-", ".", literal=True)):
        pattern = "%Y.%m.%d" if "." in str(column[0]) else None
        assert moments_of(column, pattern=pattern, zone=zone).to_list() == expected
    first = since_1970(moments[0], zone)
    assert midnight(first, zone) == expected[0]
    assert datetime.datetime.fromisoformat(written_moment(first, zone)) - EPOCH == (
        datetime.timedelta(microseconds=first)
    )


@settings(deadline=None)
@given(
    numbers=st.lists(st.decimals(-(10**9), 10**10, places=7).filter(bool), min_size=1),
    unit=st.sampled_from([*MICROSECONDS]),
)
def test_epochs_are_exact_whatever_their_type(numbers, unit):
    factor = MICROSECONDS[unit]
    whole = [int(number) for number in numbers]
    expected = [number * factor for number in whole]
    texts = pl.Series(list(map(str, whole)))
    for column in (pl.Series(whole), texts, pl.Series(whole, dtype=pl.Float64)):
        assert moments_of(column, unit).to_list() == expected
    expected = [int((n * factor).to_integral_value(decimal.ROUND_DOWN)) for n in numbers]
    for written in (map("{:f}".format, numbers), map("{:E}".format, numbers)):
        assert moments_of(pl.Series(list(written)), unit).to_list() == expected


def test_what_is_no_moment_is_null():
    for cells in (
        ["", "x", "2024-13-01", "2024-02-30", "10:00", "1700000000", "12000-01-01", "0000-01-01"],
        [datetime.time(10)],
        [True],
        [1700000000],
        pl.Series([2**62], dtype=pl.Int64).cast(pl.Datetime("us")),
    ):
        assert moments_of(pl.Series(cells)).null_count() == len(cells)
    numbers = ["yes", "1e400", "9" * 30, "2024-01-02", "1_000", "0x10", "inf"]
    assert moments_of(pl.Series(numbers), "s").null_count() == len(numbers)
    assert moments_of(pl.Series([2**62, -(2**62), 1700000000000]), "s").null_count() == 3
    assert moments_of(pl.Series([float("nan"), float("inf"), 1e300]), "ms").null_count() == 3


@pytest.mark.parametrize("block", [csv_file.BLOCK_BYTES, 64])
@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ({"train_until": "2024-01-03"}, [0, 0, 0, 2, 2, 2, 2]),
        (
            {"train_until": "2024-01-02 12:00:00", "validation_until": "2024-01-04T09:00"},
            [0, 0, 1, 1, 1, 2, 2],
        ),
        (
            {
                **{"train_from": "2024-01-02", "train_until": "2024-01-03"},
                **{"validation_until": "2024-01-04", "test_until": "2024-01-05 23:00"},
            },
            [3, 0, 0, 1, 2, 2, 3],
        ),
        ({"last_days": 1}, [0, 0, 0, 0, 0, 2, 2]),
        ({"last_days": 1, "validation_days": 2}, [0, 0, 1, 1, 1, 2, 2]),
        ({"last_days": 100_000}, [2] * 7),
    ],
)
def test_rows_are_split_by_their_times(tmp_path, monkeypatch, split, expected, block):
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", block)
    times = [
        *("2024-01-01 00:00:00", "2024-01-02 11:59:59.999", "2024-01-02 12:00:00"),
        *("2024-01-03", "2024-01-04 08:59", "2024-01-05", "2024-01-05 23:59:59"),
    ]
    order = np.random.default_rng(1).permutation(len(times))
    shuffled = [times[n] for n in order]
    write(tmp_path, shuffled[:4], shuffled[4:])
    if "validation_days" in split:
        expected = [0, 0, 0, 1, 1, 2, 2]
    log = LogRows(declared(split={"by": "time", "files": "*.csv", **split}), tmp_path, 0, 0)
    for _ in range(2):
        read = list(log.read(lambda done: None))
        found = np.concatenate([splits for _, splits, _ in read])
        assert found.tolist() == [expected[n] for n in order]
        moments = np.concatenate([frame[TIME].to_numpy() for frame, _, _ in read])
        assert (np.argsort(np.argsort(moments)) == order).all()


def test_days_begin_and_end_in_the_declared_zone(tmp_path):
    write(tmp_path, ["2024-01-01T22:59:59Z", "2024-01-01T23:00:00Z", "2024-01-02T10:00:00Z"])
    time = {"column": "at", "zone": "Europe/Berlin"}
    for split in ({"train_until": "2024-01-02"}, {"last_days": 1}):
        declaration = declared(time=time, split={"by": "time", "files": "*.csv", **split})
        ((_, splits, _),) = LogRows(declaration, tmp_path, 0, 0).read(lambda done: None)
        assert splits.tolist() == [0, 2, 2]


def test_bad_times_are_bad_rows_with_their_place(tmp_path):
    write(tmp_path, ["2024-01-01", "", "2024-01-01", "soon", "2024-01-05", "2024-01-02"])
    with pytest.raises(DatasetError, match=r"0\.csv, line 3: time: column 'at' is empty"):
        prepare(declared(), tmp_path, tmp_path / "out")
    with pytest.raises(
        DatasetError, match=r"0\.csv, line 5: time: column 'at' holds 'soon', expected a day or a"
    ):
        prepare(declared(), tmp_path, tmp_path / "out", max_bad_rows=1)
    schema = prepare(declared(), tmp_path, tmp_path / "out", max_bad_rows=2)
    assert schema.filters["bad_rows"] == {"time missing": 1, "not a time": 1}
    assert {name: split.rows for name, split in schema.splits.items()} == {"train": 3, "test": 1}


def test_a_split_without_rows_is_named_with_the_span_of_the_others(tmp_path):
    write(tmp_path, ["2024-01-01", "2024-01-01"])
    for split, name in (
        ({"train_until": "2024-01-03"}, "test"),
        ({"train_until": "2024-01-01"}, "train"),
        ({"last_days": 1, "validation_days": 3}, "train"),
        ({"train_until": "2023-01-01", "validation_until": "2023-01-02"}, "train"),
    ):
        with pytest.raises(
            DatasetError, match=f"leaves no {name} rows .*(train|test) from 2024-01-01 "
        ):
            prepare(
                declared(split={"by": "time", "files": "*.csv", **split}),
                tmp_path,
                tmp_path / "out",
            )


def test_the_summary_says_the_span_of_each_split_and_what_looks_ahead(tmp_path):
    write(tmp_path, ["2024-01-01", "2024-01-02 10:00:00", "2024-01-05", "2024-01-06 07:08:09"])
    text = summary(prepare(declared(), tmp_path, tmp_path / "out"))
    assert "train: 2 rows, 2024-01-01 00:00:00+00:00 to 2024-01-02 10:00:00+00:00, click" in text
    assert "test: 2 rows, 2024-01-05 00:00:00+00:00 to 2024-01-06 07:08:09+00:00, click" in text
    assert "note: train has rows up to" not in text
    split = {"by": "column", "files": "*.csv", "column": "item", "test": 0}
    text = summary(prepare(declared(split=split), tmp_path, tmp_path / "other"))
    assert (
        "note: train has rows up to 2024-01-05 00:00:00+00:00, and test begins at "
        "2024-01-01 00:00:00+00:00: vocabularies, scalings and models learn of what comes after "
        "rows of test" in text
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time": {"unit": "s"}}, "time: the key 'column' is missing"),
        ({"time": {"column": "at", "unit": "m"}}, "time: unit is 'm', expected one of s, ms, us"),
        ({"time": {"column": "at", "unit": "s", "format": "%Y"}}, "time: give either unit"),
        ({"time": {"column": "at", "format": "%H:%M"}}, "time: format is '%H:%M', expected"),
        ({"time": {"column": "at", "zone": "Europe/Berlni"}}, "did you mean 'Europe/Berlin'"),
        ({"split": {"by": "time", "files": "x"}}, "by time needs either train_until or last_days"),
        ({"split": {"train_until": "soon"}}, "split: train_until is 'soon', expected a day"),
        ({"split": {"train_until": ["2024-01-01", "2024-01-02"]}}, "expected a day"),
        (
            {"split": {"train_until": "2024-01-02", "validation_until": "2024-01-02"}},
            "split: validation_until must be after train_until",
        ),
        (
            {"split": {"train_until": "2024-01-02", "train_from": "2024-01-02"}},
            "split: train_until must be after train_from",
        ),
        (
            {"split": {"train_until": "2024-01-02", "test_until": "2024-01-01"}},
            "split: test_until must be after train_until",
        ),
        ({"split": {"last_days": 1, "test_until": "2024-01-02"}}, "test_until needs train_until"),
        ({"split": {"train_until": 5, "last_days": 1}}, "needs either train_until or last_days"),
        ({"split": {"train_until": "2024-01-02", "validation_days": 1}}, "needs last_days"),
        ({"split": {"last_days": 0}}, "split: last_days is 0, expected a whole number from 1"),
        ({"split": {"last_days": 1, "test_fraction": 0.1}}, "'test_fraction' is not a key of a"),
    ],
)
def test_a_time_or_a_split_that_cannot_be_is_refused(changes, message):
    if "split" in changes:
        changes = {"split": {"by": "time", "files": "*.csv", **changes["split"]}}
    with pytest.raises(DatasetError, match=r"shop\.yaml: ") as error:
        declared(**changes)
    assert message in str(error.value)


def test_a_split_by_time_needs_a_column_of_times():
    content = {key: value for key, value in CONTENT.items() if key != "time"}
    with pytest.raises(DatasetError, match="split: by time needs the column of times"):
        parse_declaration(content, pathlib.Path("shop.yaml"))


def test_a_number_splits_times_that_are_numbers(tmp_path):
    write(tmp_path, ["1700000000", "1700000009.5", "1700000010"])
    split = {"by": "time", "files": "*.csv", "train_until": 1700000010}
    declaration = declared(time={"column": "at", "unit": "s"}, split=split)
    ((_, splits, _),) = LogRows(declaration, tmp_path, 0, 0).read(lambda done: None)
    assert splits.tolist() == [0, 0, 2]
