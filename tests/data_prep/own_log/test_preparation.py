"""Own logs: declarations, files, scalings and the datasets made of them."""

import gzip
import json
import math
import pathlib
import subprocess
import sys

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
import yaml

from data_prep.own_log.declaration import load_declaration
from data_prep.own_log.learning import scaling
from data_prep.own_log.learning.scaling import ScalingLearner
from data_prep.own_log.parsing import csv_file
from data_prep.own_log.preparation import prepare
from data_prep.own_log.rows.log_rows import LogRows
from data_prep.own_log.statistics import summary
from dcrnn_tf.dataset.encodings import Ids, Scaling
from dcrnn_tf.dataset.schema import DatasetError, load_schema

ROOT = pathlib.Path(__file__).parents[3]

HEADER = "row,city,tags,price,click,buy,day"
TRAIN = [  # row, city, tags, price, click, buy, day
    "1,rome,a;b,1,1,1,mon",
    "2,rome,a,3,1,0,mon",
    "3,oslo,a;b;a,,0,,tue",
    "4,oslo,,1,0,0,tue",
    "5,rome,c;a,3,0,,tue",
    "6,bonn, b ; a ;,NaN,1,0,wed",
]
TEST = ["7,paris,b;zz,5,1,1,wed", "8,,a;a;b;b,1,0,,wed"]

BASE = {
    "name": "shop",
    "split": {"by": "file", "train": "train.csv", "test": "test.csv"},
    "fields": {
        "row": {"kind": "numeric", "scaling": "none"},
        "city": {"kind": "categorical", "min_count": 2},
        "tags": {
            "kind": "multi_categorical",
            "min_count": 1,
            "max_values": 2,
            "attended_by": "city",
        },
        "price": {"kind": "numeric", "scaling": "standard"},
    },
    "tasks": {"click": {}, "buy": {"only_where": "click"}},
}


def declare(folder, **changes):
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump({**BASE, **changes}, sort_keys=False), encoding="utf-8")
    return load_declaration(path)


def write_csv(folder, train=TRAIN, test=TEST, header=HEADER):
    for name, rows in (("train.csv", train), ("test.csv", test)):
        lines = ([header] if header else []) + rows
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def rows_of(folder, declaration, seed=0, max_bad_rows=0):
    """All usable rows as dicts, the split and the labels among their keys, and the table."""
    table = LogRows(declaration, folder, seed, max_bad_rows)
    rows = []
    for frame, splits, labels in table.read(lambda done: None):
        columns = dict(labels, split=splits)
        for position, row in enumerate(frame.to_dicts()):
            rows.append(row | {name: int(column[position]) for name, column in columns.items()})
    return rows, table


def dataset_rows(folder, split):
    """A prepared split as {row: {column: value}}, parsed with the bytes' plain meaning."""
    import tensorflow as tf

    schema = load_schema(folder)
    rows = {}
    for shard in schema.split(split).shards:
        for record in tf.data.TFRecordDataset(str(folder / shard.file)):
            feature = tf.train.Example.FromString(record.numpy()).features.feature
            block = {
                name: np.frombuffer(feature[name].bytes_list.value[0], dtype)
                for name, dtype in schema.exposure_columns().items()
            }
            ends = np.cumsum(block["tags/row_lengths"], dtype=int)
            lists = np.split(block["tags/values"], ends[:-1])
            for number, row in enumerate(block["row"].tolist()):
                names = ("city", "price", "click", "buy")
                rows[int(row)] = {name: block[name][number].item() for name in names}
                rows[int(row)]["tags"] = lists[number].tolist()
    return rows


def test_prepared_dataset_has_the_values_worked_out_by_hand(tmp_path):
    write_csv(tmp_path)
    schema = prepare(declare(tmp_path), tmp_path, tmp_path / "out")
    # Cities: rome 3, oslo 2; bonn's one occurrence is below min_count. Tags of the first two of
    # each list: a 5, b 3, c 1. Price: 1, 3, 1, 3 have mean 2 and standard deviation 1.
    train = dataset_rows(tmp_path / "out", "train")
    assert train == {
        1: {"city": 2, "tags": [2, 3], "price": -1.0, "click": 1, "buy": 1},
        2: {"city": 2, "tags": [2], "price": 1.0, "click": 1, "buy": 0},
        3: {"city": 3, "tags": [2, 3], "price": 0.0, "click": 0, "buy": 0},
        4: {"city": 3, "tags": [], "price": -1.0, "click": 0, "buy": 0},
        5: {"city": 2, "tags": [4, 2], "price": 1.0, "click": 0, "buy": 0},
        6: {"city": 1, "tags": [3, 2], "price": 0.0, "click": 1, "buy": 0},
    }
    assert dataset_rows(tmp_path / "out", "test") == {
        7: {"city": 1, "tags": [3, 1], "price": 3.0, "click": 1, "buy": 1},
        8: {"city": 0, "tags": [2, 2], "price": -1.0, "click": 0, "buy": 0},
    }
    assert [field.vocabulary_size for field in schema.fields] == [0, 4, 5, 0]
    vocabulary = pl.read_parquet(tmp_path / "out" / "vocabularies" / "tags.parquet")
    assert vocabulary.to_dict(as_series=False) == {"id": ["a", "b", "c"], "count": [5, 3, 1]}
    assert schema.splits["train"].positives == {"click": 3, "buy": 1}
    assert schema.splits["train"].defined == {"click": 6, "buy": 3}
    assert schema.filters["truncated_lists"] == {"tags": 2}
    assert schema.filters["missing"] == {"row": 0, "city": 1, "tags": 1, "price": 2}
    missing = ("", "NaN", "nan")
    assert [field.encoding for field in schema.fields] == [
        Scaling(missing, "none"),
        Ids(missing, "value", 2),
        Ids(missing, "value", 1, ";", 2),
        Scaling(missing, "standard", 2.0, 1.0),
    ]
    assert [field.attended_by for field in schema.fields] == [None, None, "city", None]
    text = summary(schema)
    assert "train: 6 rows, click 3 of 6 (0.5000), buy 1 of 3 (0.3333)" in text
    assert "columns not used: day" in text
    assert "field tags: multi_categorical, 5 embedding rows, missing in 1 rows, 2 lists cut" in text
    with pytest.raises(DatasetError, match="out exists already"):
        prepare(declare(tmp_path), tmp_path, tmp_path / "out")


def test_parquet_and_csv_of_the_same_rows_give_the_same_dataset(tmp_path):
    write_csv(tmp_path)
    prepare(declare(tmp_path), tmp_path, tmp_path / "from_csv")
    for name, lines in (("train", TRAIN), ("test", TEST)):
        cells = [line.split(",") for line in lines]
        tags = [[tag.strip() for tag in row[2].split(";") if tag.strip()] or None for row in cells]
        frame = pl.DataFrame(
            {
                "row": [int(row[0]) for row in cells],
                "city": pl.Series([row[1] or None for row in cells], dtype=pl.Categorical),
                "tags": tags,
                "price": [float(row[3] or "nan") for row in cells],
                "click": [row[4] == "1" for row in cells],
                "buy": [float(row[5]) if row[5] else None for row in cells],
            }
        )
        frame.write_parquet(tmp_path / f"{name}.parquet")
    split = {"by": "file", "train": "train.parquet", "test": "test.parquet"}
    prepare(declare(tmp_path, split=split), tmp_path, tmp_path / "from_parquet")
    for name in ("train", "test"):
        expected = dataset_rows(tmp_path / "from_csv", name)
        assert dataset_rows(tmp_path / "from_parquet", name) == expected
    for field in ("city", "tags"):
        files = [tmp_path / f / "vocabularies" / f"{field}.parquet" for f in ("from_csv",)]
        files.append(tmp_path / "from_parquet" / "vocabularies" / f"{field}.parquet")
        assert pl.read_parquet(files[0]).equals(pl.read_parquet(files[1]))


def test_program_says_what_is_wrong_in_one_line_and_exits_with_1(tmp_path):
    write_csv(tmp_path, train=[*TRAIN, "9,rome,a,cheap,0,,mon"])
    declare(tmp_path)

    def run(*arguments):
        command = [
            sys.executable,
            "-m",
            "data_prep.own_log",
            f"--out_dir={tmp_path}/out",
            *arguments,
        ]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    given = [f"--declaration={tmp_path}/shop.yaml", f"--raw_dir={tmp_path}"]
    done = run(*given)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1] == (
        f"Error: {tmp_path}/train.csv, line 8: field price: column 'price' holds 'cheap', expected "
        "a number; correct the row, or have such rows left out and counted with --max_bad_rows "
        "(now 0)"
    )
    assert not list(tmp_path.glob("out*"))
    done = run(*given, "--max_bad_row=1")
    assert done.returncode == 1
    assert "max_bad_rows" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_program_knows_simulated_files_and_takes_a_minimum_count_for_all(tmp_path):
    write_csv(tmp_path)
    declare(tmp_path)
    command = [sys.executable, "-m", "data_prep.own_log", f"--declaration={tmp_path}/shop.yaml"]
    command += [f"--raw_dir={tmp_path}", "--min_count=3"]

    def run(name):
        subprocess.run([*command, f"--out_dir={tmp_path / name}"], check=True, cwd=ROOT)
        return load_schema(tmp_path / name)

    assert not run("real").simulated
    simulation = {"seed": 1, "bayes_auc": {"test": {"click": 0.7}}}
    (tmp_path / "simulation.json").write_text(json.dumps(simulation), encoding="utf-8")
    schema = run("simulated")
    assert schema.simulated
    assert schema.source["simulation"] == simulation
    declared = schema.settings["declaration"]["fields"]
    assert (declared["city"]["min_count"], declared["tags"]["min_count"]) == (3, 3)
    assert "min_count" not in declared["price"]
    cities = pl.read_parquet(tmp_path / "simulated" / "vocabularies" / "city.parquet")
    assert cities.height == 1  # rome, in three rows; oslo is in two
    (tmp_path / "simulation.json").write_text("[]", encoding="utf-8")
    command.append(f"--out_dir={tmp_path}/damaged")
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert (
        "simulation.json is damaged: it is [], expected a JSON object"
        in done.stderr.splitlines()[-1]
    )


def test_tolerated_bad_rows_are_stated(tmp_path):
    write_csv(tmp_path, train=[*TRAIN, "9,rome,a,cheap,0,,mon"])
    schema = prepare(declare(tmp_path), tmp_path, tmp_path / "out", max_bad_rows=1)
    assert schema.splits["train"].rows == len(TRAIN)
    assert schema.filters["bad_rows"] == {"not a number": 1}
    assert "bad rows left out: not a number 1" in summary(schema)


# Declarations


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fileds": {}}, "the declaration: 'fileds' is not a key here; did you mean 'fields'?"),
        ({"fields": {"a": {"kind": "categoric"}}}, "one of .*; did you mean 'categorical'?"),
        (
            {"fields": {"a": {"kind": "categorical", "min_cout": 2}}},
            "field a: 'min_cout' is not a key .*; did you mean 'min_count'?",
        ),
        (
            {"fields": {"a": {"kind": "numeric", "min_count": 2}}},
            "field a: 'min_count' is not a key of a numeric field",
        ),
        ({"fields": {"a": {"kind": "numeric", "scaling": "logs"}}}, "did you mean 'log'?"),
        ({"fields": {"a": {"kind": "categorical", "min_count": 0}}}, "a whole number from 1"),
        ({"fields": {"a\tb": {"kind": "categorical"}}}, r"the name 'a\\tb' holds a control char"),
        ({"name": "  "}, "name is '  ', expected text"),
        ({"fields": {"a": {"kind": "numeric", "column": "click"}}}, "is the label of task click"),
        ({"fields": {}}, "fields is {}, expected a mapping"),
        ({"fields": {"click": {"kind": "numeric", "column": "x"}}}, "more than once.*: click"),
        ({"tasks": {"buy": {"only_where": "click"}, "click": {}}}, "is not an earlier task"),
        ({"tasks": {"buy": {"positve": 1}}}, "task buy: 'positve' .* did you mean 'positive'?"),
        ({"tasks": {"buy": {"positive": True}}}, "positive is True, expected .* quote words"),
        ({"tasks": {"buy": {"positive": [1, 2], "negative": 2}}}, "'2' is positive and negative"),
        ({"tasks": {"buy": {"negative": 0}}}, "negative values without positive ones"),
        ({"split": {"by": "files"}}, "split: by is 'files', .*did you mean 'file'?"),
        ({"split": {"by": "file", "train": "a"}}, "split: the key 'test' is missing"),
        ({"split": {"by": "fraction", "files": "a"}}, "the key 'test_fraction' is missing"),
        (
            {"split": {"by": "group", "files": "a", "test_fraction": 0.5}},
            "the key 'column' is missing",
        ),
        (
            {"split": {"by": "fraction", "files": "a", "test_fraction": 1.5}},
            "test_fraction is 1.5, expected a number from 0 to below 1",
        ),
        (
            {"split": {"by": "fraction", "files": "a", "test_fraction": 0.5, "train": "b"}},
            "'train' is not a key of a split by fraction",
        ),
        (
            {"split": {**BASE["split"], "validation": "v", "validation_fraction": 0.1}},
            "either validation or validation_fraction",
        ),
        (
            {"split": {"by": "column", "files": "a", "column": "day", "train": 1, "test": [1]}},
            "'1' is a value of train and of test",
        ),
        ({"separator": "\\t"}, "expected text that is no pattern"),
        ({"column_names": ["row", "row"]}, "column_names holds 'row' more than once"),
        (
            {"column_names": ["row", "cities", "tags", "price", "click", "buy"]},
            r"no column 'city' \(field city\); did you mean 'cities'?",
        ),
        (
            {"fields": {"tags": {"kind": "multi_categorical", "attended_by": "town"}}},
            "field tags: attended_by names 'town', which is no field",
        ),
        (
            {"fields": {"city": {"kind": "categorical", "attended_by": "row"}}},
            "field city: 'attended_by' is not a key of a categorical field",
        ),
        ({"name": "my\nshop"}, r"dataset name 'my\\nshop' holds a control character"),
        ({"quoted": 1}, "quoted is 1, expected true or false"),
    ],
)
def test_declaration_refuses(tmp_path, changes, message):
    with pytest.raises(DatasetError, match=message) as error:
        declare(tmp_path, **changes)
    assert str(error.value).startswith(f"{tmp_path}/shop.yaml: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("d.yaml", "name: a\nname: b\n", "the key 'name' is given twice"),
        ("d.json", '{"name": 1, "name": 2}', "the key 'name' is given twice"),
        ("d.json", '{"name": ', "is not JSON: .*line 1"),
        ("d.yaml", "name: [a\n", "is not YAML: .*line 2"),
        ("d.yaml", "- a\n", "the declaration must be a mapping"),
        ("d.yaml", "", "the declaration must be a mapping"),
    ],
)
def test_declaration_that_is_no_mapping(tmp_path, name, text, message):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        load_declaration(tmp_path / name)


def test_missing_declaration(tmp_path):
    with pytest.raises(DatasetError, match=r"none.yaml: the declaration cannot be read"):
        load_declaration(tmp_path / "none.yaml")


def test_json_declares_the_same_as_yaml(tmp_path):
    from_yaml = declare(tmp_path)
    (tmp_path / "shop.json").write_text(json.dumps(BASE), encoding="utf-8")
    from_json = load_declaration(tmp_path / "shop.json")
    assert (from_json.fields, from_json.tasks) == (from_yaml.fields, from_yaml.tasks)
    assert from_json.split == from_yaml.split


# Files


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


def test_label_values(tmp_path):
    write_csv(tmp_path)
    tasks = {"weekend": {"column": "day", "positive": ["wed", "tue"], "negative": "mon"}}
    fields = {"row": {"kind": "numeric", "scaling": "none"}}
    rows, _ = rows_of(tmp_path, declare(tmp_path, tasks=tasks, fields=fields))
    assert [row["weekend"] for row in rows] == [0, 0, 1, 1, 1, 1, 1, 1]
    tasks["weekend"]["negative"] = "sun"
    with pytest.raises(
        DatasetError, match=r"line 2: .* holds 'mon', expected one of wed, tue, sun"
    ):
        rows_of(tmp_path, declare(tmp_path, tasks=tasks, fields=fields))
    del tasks["weekend"]["negative"]
    rows, _ = rows_of(tmp_path, declare(tmp_path, tasks=tasks, fields=fields))
    assert [row["weekend"] for row in rows] == [0, 0, 1, 1, 1, 1, 1, 1]
    tasks["weekend"]["positive"] = "wednesday"
    with pytest.raises(DatasetError, match=r"0 positives among its 6 .* values \(wednesday\)"):
        prepare(declare(tmp_path, tasks=tasks, fields=fields), tmp_path, tmp_path / "out")


# Splits


def many_rows(folder, rows=20000, groups=500):
    lines = [f"{n},city{n % groups},a,1,{n % 2},{n % 2},{n % 7}" for n in range(rows)]
    write_csv(folder, train=lines)


def test_split_by_fraction_is_seeded_and_independent_of_chunks(tmp_path, monkeypatch):
    many_rows(tmp_path)
    split = {"by": "fraction", "files": "train.csv", "test_fraction": 0.3}
    declaration = declare(tmp_path, split=split | {"validation_fraction": 0.2})
    first = [row["split"] for row in rows_of(tmp_path, declaration)[0]]
    counts = np.bincount(first)
    # Four standard deviations of the binomial counts: 0.3 of all, 0.2 of the remaining 0.7.
    for count, share in zip(counts, (0.56, 0.14, 0.3), strict=True):
        assert abs(count - share * 20000) < 4 * math.sqrt(20000 * share * (1 - share))
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 1 << 12)
    assert [row["split"] for row in rows_of(tmp_path, declaration)[0]] == first
    other = [row["split"] for row in rows_of(tmp_path, declaration, seed=1)[0]]
    assert sum(a != b for a, b in zip(first, other, strict=True)) > 5000


def test_split_by_group_keeps_groups_whole(tmp_path):
    many_rows(tmp_path)
    split = {"by": "group", "column": "city", "files": "train.csv", "test_fraction": 0.3}
    declaration = declare(tmp_path, split=split | {"validation_fraction": 0.2})
    splits_of = {}
    for row in rows_of(tmp_path, declaration)[0]:
        splits_of.setdefault(row["city"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in splits_of.values())
    counts = np.bincount([min(splits) for splits in splits_of.values()])
    for count, share in zip(counts, (0.56, 0.14, 0.3), strict=True):
        assert abs(count - share * 500) < 4 * math.sqrt(500 * share * (1 - share))
    other = {row["city"]: row["split"] for row in rows_of(tmp_path, declaration, seed=1)[0]}
    assert sum(other[city] != min(splits) for city, splits in splits_of.items()) > 100


def test_split_by_column(tmp_path):
    write_csv(tmp_path)
    split = {"by": "column", "column": "day", "files": ["t*.csv"]}
    rows, _ = rows_of(tmp_path, declare(tmp_path, split=split | {"test": ["wed"]}))
    assert {row["day"]: row["split"] for row in rows} == {"mon": 0, "tue": 0, "wed": 2}
    listed = split | {"train": "mon", "validation": "tue", "test": "wed"}
    rows, _ = rows_of(tmp_path, declare(tmp_path, split=listed))
    assert {row["day"]: row["split"] for row in rows} == {"mon": 0, "tue": 1, "wed": 2}
    del listed["validation"]
    with pytest.raises(DatasetError, match=r"line 4: split: .*'tue', which no split lists"):
        rows_of(tmp_path, declare(tmp_path, split=listed))
    declaration = declare(tmp_path, split=split | {"test": ["sunday"]})
    with pytest.raises(DatasetError, match="split leaves no test rows"):
        prepare(declaration, tmp_path, tmp_path / "out")


def test_validation_comes_from_training_files_alone(tmp_path):
    many_rows(tmp_path)
    split = BASE["split"] | {"validation_fraction": 0.5}
    rows, _ = rows_of(tmp_path, declare(tmp_path, split=split))
    counts = np.bincount([row["split"] for row in rows])
    assert counts[2] == len(TEST)
    assert abs(counts[1] - 10000) < 4 * math.sqrt(5000)


# Scalings


def scaled(kind, training, values):
    learner = ScalingLearner(kind)
    learner.add(np.array(training, float))
    return learner.encoding().numbers(np.array(values, float), np).tolist()


def test_scalings_by_hand():
    nan = math.nan
    assert scaled("none", [5.0], [3.5, nan]) == [3.5, 0.0]
    assert scaled("standard", [1, 3, nan, 1, 3], [1, 2, 4, nan]) == [-1, 0, 2, 0]
    assert scaled("standard", [7, 7], [7, nan]) == [0, 0]
    # As a sum over many, the mean of 0.1 is not 0.1.
    assert scaled("standard", [0.1] * 100, [0.1, 1.1]) == pytest.approx([0, 1])
    e = math.e
    assert scaled("log", [], [e - 1, 1 - e, 0, nan]) == pytest.approx([1, -1, 0, 0])
    # Of 0, 0, 0, 10 the middle of the step at 0 is 3/8, at 10 it is 7/8: 2 F - 1.
    assert scaled("quantile", [0, 0, 10, nan, 0], [0, 10, 5, -1, 99, nan]) == pytest.approx(
        [-0.25, 0.75, 0.25, -0.25, 0.75, 0]
    )
    assert scaled("quantile", [nan], [3, nan]) == [0, 0]


@pytest.mark.parametrize("kind", ["standard", "quantile"])
def test_scaling_does_not_depend_on_chunks(kind, monkeypatch):
    monkeypatch.setattr(scaling, "SAMPLE_ROWS", 1000)
    values = np.random.default_rng(3).lognormal(size=20000) + 1000
    whole, pieces = ScalingLearner(kind), ScalingLearner(kind)
    whole.add(values)
    for piece in np.split(values, [1, 10, 5000, 5000, 19999]):
        pieces.add(piece)
    found, whole = pieces.encoding().numbers(values, np), whole.encoding()
    np.testing.assert_allclose(found, whole.numbers(values, np), rtol=1e-5, atol=1e-6)
    if kind == "standard":
        assert whole.mean == pytest.approx(values.mean(), rel=1e-12)
        assert whole.standard_deviation == pytest.approx(values.std(), rel=1e-9)
    else:
        assert len(whole.knots) <= scaling.KNOTS
        # Ranks from a sample of 1000 err by at most 1.95 / sqrt(1000) with probability 0.999,
        # linear parts between 256 knots by 1 / 256 more; the range is twice that of ranks.
        ranks = 2 * (np.argsort(np.argsort(values)) + 0.5) / len(values) - 1
        assert np.abs(whole.numbers(values, np) - ranks).max() < 2 * (
            1.95 / math.sqrt(1000) + 1 / 256
        )


# The examples


def test_census_income_example_prepares_rows_in_the_form_of_uci(tmp_path):
    names = load_declaration(ROOT / "examples" / "census_income.yaml").options.column_names
    assert len(names) == 42

    def line(age, married, income):
        cells = dict.fromkeys(names, " Not in universe") | {
            "age": str(age),
            "marital_status": f" {married}",
            "weight": " 1700.09",
            "income": f" {income}",
        }
        for name in ("wage_per_hour", "capital_gains", "capital_losses", "dividends"):
            cells[name] = " 0"
        cells |= {"employer_size": " 2", "weeks_worked": " 52"}
        return ",".join(cells[name] for name in names)

    people = [(20, "Never married", "- 50000."), (40, "Divorced", "50000+.")] * 20
    text = "\n".join(line(*person) for person in people) + "\n"
    (tmp_path / "census-income.data.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "census-income.test").write_text(line(30, "Widowed", "50000+.") + "\n")
    declaration = load_declaration(ROOT / "examples" / "census_income.yaml")
    rows, table = rows_of(tmp_path, declaration)
    assert table.ignored_columns == ["weight"]
    labels = [(row["age"], row["income"], row["never_married"]) for row in rows]
    assert labels == [(20.0, 0, 1), (40.0, 1, 0)] * 20 + [(30.0, 1, 0)]
    inputs = {field.column for field in declaration.fields}
    assert inputs == set(names) - {"marital_status", "income", "weight"}


def test_nominal_census_income_example_has_32_inputs_and_no_label_among_them():
    declaration = load_declaration(ROOT / "examples" / "census_income_nominal.yaml")
    columns = [field.column for field in declaration.fields]
    assert len(columns) == 32
    assert not {"att8", "class"} & set(columns)
    assert {task.column for task in declaration.tasks} == {"att8", "class"}


def test_the_second_group_of_tasks_has_no_label_among_its_inputs():
    nominal = load_declaration(ROOT / "examples" / "census_income_nominal.yaml")
    education = load_declaration(ROOT / "examples" / "census_income_education.yaml")
    assert {task.column for task in education.tasks} == {"att5", "att8"}
    columns = {field.column for field in education.fields}
    assert columns == {field.column for field in nominal.fields} - {"att5"}
    assert len(columns) == 31
