"""Own logs: raw files, and rows and cells of them that cannot be used."""

import gzip
import math

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

from data_prep.own_log.parsing import csv_file
from data_prep.own_log.preparation import prepare
from dcrnn_tf.dataset.schema import DatasetError
from tests.data_prep.own_log.small_shop import (
    BASE,
    HEADER,
    TEST,
    TRAIN,
    dataset_rows,
    declare,
    rows_of,
    write_csv,
)


def parquet_rows(folder, max_bad_rows=0, **columns):
    """Training rows of a Parquet file, some of whose columns are replaced."""
    plain = {
        "row": ["1", "2", "3"],
        "city": ["rome", "oslo", "rome"],
        "tags": ["a", "b", "c"],
        "price": ["1", "2", "3"],
        "click": ["0", "1", "0"],
        "buy": [None, "1", None],
    }
    table = pa.table({**plain, **columns})
    pa.parquet.write_table(table, folder / "train.parquet")
    split = {"by": "file", "train": "train.parquet", "test": "test.csv"}
    declaration = declare(folder, split=split, missing_values=["", "-1"])
    rows, table = rows_of(folder, declaration, max_bad_rows=max_bad_rows)
    return [row for row in rows if row["split"] == 0], table


def test_csv_with_quotes_blank_lines_windows_ends_byte_order_mark_and_gzip(tmp_path):
    text = (
        "\ufeff" + HEADER + "\r\n\r\n"
        '1,"Rome, ""old""\nand new",a, 2.5 ,1,1,mon\r\n'
        "\r\n"
        "2,oslo,a,1e1,0,,mon\r\n"
        "3,oslo,a,x,0,,mon"
    )
    (tmp_path / "train.csv.gz").write_bytes(gzip.compress(text.encode()))
    write_csv(tmp_path)
    (tmp_path / "train.csv").unlink()
    with pytest.raises(DatasetError, match=r"train.csv.gz, line 7: field price: .*'x'"):
        rows_of(tmp_path, declare(tmp_path))
    rows, table = rows_of(tmp_path, declare(tmp_path), max_bad_rows=1)
    assert [row["city"] for row in rows[:2]] == ['Rome, "old"\nand new', "oslo"]
    assert [row["price"] for row in rows[:2]] == [2.5, 10.0]
    assert table.bad_rows.counts == {"not a number": 1}


def test_bad_rows_are_named_and_counted_by_reason(tmp_path):
    bad = {
        "11,rome,a,1,1": "line 8: 5 cells, expected 7",
        "12,rome,a,1,1,0,mon,more": "line 8: 8 cells, expected 7",
        "13,rome,a,1e999,1,0,mon": "line 8: field price: .* holds '1e999', expected a number "
        r"from -3.4e\+38 to 3.4e\+38, the range of float32; correct",
        "14,rome,a,1 000,1,0,mon": "line 8: field price: .* holds '1 000', expected a number; corr",
        "15,rome,a,1,,,mon": "line 8: task click: column 'click' has no label",
        "16,rome,a,1,1,,mon": "line 8: task buy: column 'buy' has no label",
        "17,rome,a,1,2,0,mon": "line 8: task click: column 'click' holds '2', expected one of",
        "18,rome,a,1,0,1,mon": "line 8: task buy: .* positive where task click is not",
        "19,\udcff,a,1,0,0,mon": "line 8: a cell holds bytes that are not UTF-8",
    }
    for line, message in bad.items():
        write_csv(tmp_path)
        with open(tmp_path / "train.csv", "ab") as file:
            file.write(line.encode("utf-8", "surrogateescape") + b"\n" + TRAIN[1].encode())
        with pytest.raises(DatasetError, match=f"train.csv, {message}"):
            rows_of(tmp_path, declare(tmp_path))
    write_csv(tmp_path)
    with open(tmp_path / "train.csv", "ab") as file:
        for line in bad:
            file.write(b"20,good,a,1,1,1,mon\n")
            file.write(line.encode("utf-8", "surrogateescape") + b"\n")
    rows, table = rows_of(tmp_path, declare(tmp_path), max_bad_rows=9)
    assert len(rows) == len(TRAIN) + len(TEST) + len(bad)
    assert table.bad_rows.counts == {
        "wrong number of cells": 2,
        "not a number": 2,
        "label missing": 2,
        "label not allowed": 1,
        "label without its parent": 1,
        "not UTF-8": 1,
    }
    with pytest.raises(DatasetError, match=r"\(now 8\)"):
        rows_of(tmp_path, declare(tmp_path), max_bad_rows=8)


def test_lines_are_right_after_tolerated_rows_and_over_many_chunks(tmp_path, monkeypatch):
    good = "1,rome,a,1,1,1,mon"
    lines = [good] * 4000
    lines[10], lines[2000], lines[3500] = (
        "too,short",
        "too,short",
        good.replace("rome,a,1", "r,a,x"),
    )
    write_csv(tmp_path, train=lines)
    whole, _ = rows_of(tmp_path, declare(tmp_path), max_bad_rows=3)
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 1 << 10)
    with pytest.raises(DatasetError, match=r"train.csv, line 3502: .*'x'"):
        rows_of(tmp_path, declare(tmp_path), max_bad_rows=2)
    with pytest.raises(DatasetError, match=r"train.csv, line 2002: 2 cells"):
        rows_of(tmp_path, declare(tmp_path), max_bad_rows=1)
    in_pieces, table = rows_of(tmp_path, declare(tmp_path), max_bad_rows=3)
    assert in_pieces == whole
    assert len(whole) == 3997 + len(TEST)
    assert table.bad_rows.counts == {"wrong number of cells": 2, "not a number": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "train.csv is empty"),
        (b"\n\n", "train.csv is empty"),
        (HEADER.encode() + b"\n", "leaves no train rows"),
        (b"row,cities,tags,price,click,buy\n1,a,b,1,1,1\n", "did you mean 'cities'?"),
        (b"row,city,city,tags,price,click,buy\n", "two columns .* named 'city'"),
        (b"row,\xff\n", "first line is not UTF-8"),
        (HEADER.encode() + b'\n1,rome,a,1,1,1,mon\n2,rome,a,1,1,1,"mon\n3,x', "line 3: a quote"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, content, message):
    write_csv(tmp_path)
    (tmp_path / "train.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        prepare(declare(tmp_path), tmp_path, tmp_path / "out")


def test_damaged_and_missing_files(tmp_path):
    write_csv(tmp_path)
    whole = gzip.compress(("\n".join([HEADER] + TRAIN * 5000)).encode())
    (tmp_path / "train.csv").unlink()
    with pytest.raises(DatasetError, match=r"holds no file train.csv; say where with --raw_dir"):
        rows_of(tmp_path, declare(tmp_path))
    for content, message in (
        (whole[:-200], "train.csv.gz is cut off"),
        (b"not gzip at all", "train.csv.gz: there is no column 'click'"),
        (whole[:-8] + b"\0\0\0\0" + whole[-4:], "train.csv.gz cannot be read .CRC"),
    ):
        (tmp_path / "train.csv.gz").write_bytes(content)
        with pytest.raises(DatasetError, match=message):
            rows_of(tmp_path, declare(tmp_path))
    split = {"by": "file", "train": "train.parquet", "test": "test.csv"}
    (tmp_path / "train.parquet").write_bytes(b"PAR1\x15nothing PAR1")
    with pytest.raises(DatasetError, match=r"train.parquet cannot be read"):
        rows_of(tmp_path, declare(tmp_path, split=split))
    split["train"] = ["test.csv"]
    with pytest.raises(DatasetError, match=r"test.csv is a file of train and of test"):
        rows_of(tmp_path, declare(tmp_path, split=split))


def test_parquet_names_the_row_and_refuses_nested_columns(tmp_path):
    write_csv(tmp_path)
    split = {"by": "file", "train": "train.parquet", "test": "test.csv"}
    frame = pl.DataFrame(
        {
            "row": [1, 2],
            "city": ["a", "b"],
            "tags": [["x"], []],
            "price": [1.0, 2.0],
            "click": [1, 7],
            "buy": [0, 0],
        }
    )
    frame.write_parquet(tmp_path / "train.parquet")
    with pytest.raises(DatasetError, match=r"train.parquet, row 2: task click: .* holds '7'"):
        rows_of(tmp_path, declare(tmp_path, split=split))
    frame.with_columns(city=pl.Series([["a"], ["b"]])).write_parquet(tmp_path / "train.parquet")
    with pytest.raises(
        DatasetError, match=r"column 'city' holds .*list.*expected single values; declare"
    ):
        rows_of(tmp_path, declare(tmp_path, split=split))
    frame.drop("buy").write_parquet(tmp_path / "train.parquet")
    with pytest.raises(DatasetError, match=r"train.parquet: there is no column 'buy'"):
        rows_of(tmp_path, declare(tmp_path, split=split))


def test_files_are_taken_once_packed_or_not(tmp_path):
    write_csv(tmp_path)
    lines = [HEADER, *TRAIN]
    (tmp_path / "part-0.csv").write_text("\n".join(lines[:3]))
    (tmp_path / "part-1.csv.gz").write_bytes(
        gzip.compress("\n".join([HEADER, *TRAIN[2:]]).encode())
    )
    again = f"../{tmp_path.name}/part-0.csv"
    split = {"by": "file", "train": ["part-*.csv", again], "test": "test.csv"}
    rows, _ = rows_of(tmp_path, declare(tmp_path, split=split))
    assert [row["row"] for row in rows if row["split"] == 0] == [1, 2, 3, 4, 5, 6]
    split = {"by": "file", "train": "part-*.csv", "test": again}
    with pytest.raises(DatasetError, match="is a file of train and of test"):
        rows_of(tmp_path, declare(tmp_path, split=split))
    (tmp_path / "part-0.csv.gz").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"both .*part-0.csv and part-0.csv.gz; remove one"):
        rows_of(tmp_path, declare(tmp_path, split=split))


@pytest.mark.parametrize("name", ["clicks [1].csv", "a?.csv", "all*.csv", "[.csv"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_files_name_may_hold_characters_of_patterns(tmp_path, name, packed):
    folder = tmp_path / "logs [v2]"
    folder.mkdir()
    write_csv(folder)
    content = (folder / "train.csv").rename(folder / name).read_bytes()
    if packed:
        (folder / name).unlink()
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    split = {"by": "file", "train": name, "test": "test.csv"}
    rows, _ = rows_of(folder, declare(folder, split=split))
    assert sum(row["split"] == 0 for row in rows) == len(TRAIN)


def test_a_name_is_one_file_and_a_pattern_several(tmp_path):
    write_csv(tmp_path)
    lines = [HEADER, *TRAIN]
    for name, count in (("part [1].csv", 2), ("part 1.csv", 3), ("part 2.csv", 4)):
        (tmp_path / name).write_text("\n".join(lines[: count + 1]))
    for pattern, count in (("part [1].csv", 2), ("part [0-9].csv", 3 + 4), ("part *.csv", 9)):
        split = {"by": "file", "train": pattern, "test": "test.csv"}
        rows, _ = rows_of(tmp_path, declare(tmp_path, split=split))
        assert sum(row["split"] == 0 for row in rows) == count


@pytest.mark.parametrize(
    "cells",
    [
        pa.array([b"rome", b"\xff", b"rome"]),
        pa.Array.from_buffers(
            pa.string(),
            3,
            [None, pa.py_buffer(np.array([0, 4, 5, 9], np.int32)), pa.py_buffer(b"rome\xffrome")],
        ),
        pa.array([b"rome", b"\xff", b"rome"]).dictionary_encode(),
        pa.array([b"rome", b"\xff\xff\xff\xff", b"rome"], pa.binary(4)),
    ],
    ids=["binary", "string", "dictionary", "fixed"],
)
def test_parquet_cells_that_are_not_utf8_are_named(tmp_path, cells):
    write_csv(tmp_path)
    with pytest.raises(DatasetError, match=r"train.parquet, row 2: a cell holds bytes"):
        parquet_rows(tmp_path, city=cells)
    rows, table = parquet_rows(tmp_path, 1, city=cells)
    assert [(row["row"], row["city"]) for row in rows] == [(1, "rome"), (3, "rome")]
    assert dict(table.bad_rows.counts) == {"not UTF-8": 1}


def test_lists_of_bytes_are_lists_of_text(tmp_path):
    write_csv(tmp_path)
    rows, _ = parquet_rows(tmp_path, tags=pa.array([[b"a", b"b"], [], None]))
    assert [row["tags"] for row in rows] == [["a", "b"], [], None]
    with pytest.raises(DatasetError, match=r"row 3: a cell holds bytes"):
        parquet_rows(tmp_path, tags=pa.array([[b"a"], [], [b"b", b"\xff"]]))


def test_typed_cells_are_missing_where_they_say_what_stands_for_that(tmp_path):
    write_csv(tmp_path)
    rows, _ = parquet_rows(tmp_path, city=[-1, 5, 7], price=[-1.0, 2.5, math.nan])
    assert [row["city"] for row in rows] == [None, 5, 7]
    assert [row["price"] for row in rows] == [None, 2.5, None]


def test_parquet_columns_that_cannot_be_used(tmp_path):
    write_csv(tmp_path)
    with pytest.raises(DatasetError, match=r"column 'city' holds duration\[s\]"):
        parquet_rows(tmp_path, city=pa.array([1, 2, 3], pa.duration("s")))
    names = ["row", "city", "tags", "price", "click", "buy", "city"]
    table = pa.table([pa.array(["1"])] * 7, names=names)
    pa.parquet.write_table(table, tmp_path / "train.parquet")
    split = {"by": "file", "train": "train.parquet", "test": "test.csv"}
    with pytest.raises(DatasetError, match="has column 'city' more than once"):
        rows_of(tmp_path, declare(tmp_path, split=split))


def test_lists_may_be_separated_by_spaces(tmp_path):
    train = [row.replace(";", " ") for row in TRAIN]
    write_csv(tmp_path, train)
    fields = {**BASE["fields"], "tags": {**BASE["fields"]["tags"], "separator": " "}}
    prepare(declare(tmp_path, fields=fields), tmp_path, tmp_path / "out")
    rows = dataset_rows(tmp_path / "out", "train")
    assert [rows[row]["tags"] for row in (1, 3, 4)] == [[2, 3], [2, 3], []]


def test_quotes_as_plain_characters_and_declared_missing_values(tmp_path):
    rows = ['1\t"rome\t?\t?\t1\t1\tm', "2\t?\tx;?\t2\t0\t\tm"]
    write_csv(tmp_path, train=rows, test=rows, header="")
    declaration = declare(
        tmp_path,
        separator="\t",
        quoted=False,
        missing_values=["?"],
        column_names=HEADER.split(","),
    )
    rows, _ = rows_of(tmp_path, declaration)
    assert [row["city"] for row in rows] == ['"rome', None, '"rome', None]
    assert [row["price"] for row in rows] == [None, 2.0, None, 2.0]
    assert [row["tags"] for row in rows] == [None, "x;?", None, "x;?"]
