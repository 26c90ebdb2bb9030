"""Folders such as `day=2026-11-01` give a column; texts may have other encodings than UTF-8."""

import json
import pathlib

import polars as pl
import pytest

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.declared.options import FileOptions, Selection
from data_prep.own_log.parsing.files import open_files
from data_prep.own_log.preparation import prepare
from data_prep.own_log.rows.log_rows import LogRows
from data_prep.storage.bad_rows import BadRows
from dcrnn_tf.dataset.schema import DatasetError

CSV, LINES = "x,click\na,1\nb,0\n", '{"x": "a", "click": 1}\n{"x": "b", "click": 0}\n'


def read(folder, pattern, columns, limit=0, **options):
    selection = Selection(dict.fromkeys(columns, "field"), options=FileOptions(**options))
    bad_rows = BadRows(limit)
    files = open_files(folder, [pattern], selection).opened
    return [
        row
        for file in files
        for chunk in file.chunks(bad_rows, lambda done: None)
        for row in chunk.frame.select(columns).iter_rows()
    ]


def write(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if content == "parquet":
        pl.DataFrame({"x": ["a", "b"], "click": [1, 0]}).write_parquet(path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize("content", [CSV, LINES, "parquet"], ids=["csv", "lines", "parquet"])
def test_folders_give_columns_to_files_that_lack_them(tmp_path, content):
    write(tmp_path, "day=2026-11-01/tab=%C3%A9%2F1/part-0", content)
    write(tmp_path, "day=2026-11-02/tab=__HIVE_DEFAULT_PARTITION__/part-0", content)
    write(tmp_path, "day=2026-11-02/tab=nan/part-0", content)
    write(tmp_path, "day=2026-11-02/_tab=hidden/part-0", content)
    read_rows = read(tmp_path, "day=*/*/part-*", ["day", "tab", "x"])
    assert read_rows == [
        *[("2026-11-01", "é/1", "a"), ("2026-11-01", "é/1", "b")],
        *[("2026-11-02", None, "a"), ("2026-11-02", None, "b")] * 2,
    ]


def test_a_column_of_the_file_is_not_that_of_a_folder(tmp_path):
    write(tmp_path, "x=7/day=3/log.csv", CSV)
    write(tmp_path, "x=7/day=3/log.json", LINES)
    assert read(tmp_path, "*/*/log.*", ["x", "day"]) == [("a", "3"), ("b", "3")] * 2


@pytest.mark.parametrize("name", ["day/log.csv", "=3/log.csv", "day=3.csv"])
def test_other_folders_and_file_names_give_none(tmp_path, name):
    write(tmp_path, name, CSV)
    with pytest.raises(DatasetError, match="there is no column 'day'"):
        read(tmp_path, name, ["day", "x"])


def test_folders_above_the_raw_files_give_none(tmp_path):
    write(tmp_path, "day=3/logs/log.csv", CSV)
    with pytest.raises(DatasetError, match="there is no column 'day'"):
        read(tmp_path / "day=3" / "logs", "log.csv", ["day", "x"])


def test_folders_alone_are_no_rows(tmp_path):
    write(tmp_path, "day=3/log.csv", CSV)
    with pytest.raises(DatasetError, match="its folders give all columns that are read"):
        read(tmp_path, "*/*", ["day"])


def test_a_folder_names_all_files_below_it(tmp_path):
    for day in (1, 2):
        write(tmp_path, f"logs/day={day}/part-0.csv", CSV)
        write(tmp_path, f"logs/day={day}/.part-0.csv.crc", b"\0")
    write(tmp_path, "logs/_SUCCESS", b"")
    for pattern in ("logs", "logs/"):
        assert [day for day, _ in read(tmp_path, pattern, ["day", "x"])] == ["1", "1", "2", "2"]


def test_rows_are_split_by_the_days_of_folders(tmp_path):
    for day in (1, 2, 3):
        write(tmp_path, f"logs/day=2026-11-0{day}/log.csv", CSV)
    split = {"by": "column", "column": "day", "files": "logs", "test": ["2026-11-03"]}
    fields = {"x": {"kind": "categorical", "min_count": 1}, "day": {"kind": "categorical"}}
    content = {"name": "log", "split": split, "fields": fields, "tasks": {"click": {}}}
    declaration = parse_declaration(content, pathlib.Path("log.yaml"))
    schema = prepare(declaration, tmp_path, tmp_path / "out")
    assert {name: split.rows for name, split in schema.splits.items()} == {"train": 4, "test": 2}
    assert "day" not in LogRows(declaration, tmp_path, 0, 0).ignored_columns


ENCODINGS = {
    "latin-1": "é,ÿ",
    "cp1252": "€,œ",
    "gb18030": "商品,é",
    "shift_jis": "商品,ソ表",
    "big5": "商品,功",
    "utf-8": "商品,é",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_text_in_a_declared_encoding(tmp_path, encoding):
    x, y = ENCODINGS[encoding].split(",")
    row = json.dumps({"x": x, y: y}, ensure_ascii=False)
    write(tmp_path, "log.csv", f"x,{y}\n{x},{y}\n".encode(encoding))
    write(tmp_path, "log.json", f"{row}\n".encode(encoding))
    assert read(tmp_path, "log.*", ["x", y], encoding=encoding) == [(x, y)] * 2


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_bytes_that_are_not_of_the_encoding_are_a_bad_row(tmp_path, ending):
    text = {"csv": b"x,click\na,1\n\xff,0\nb,1\n"}
    text["json"] = b'{"x": "a", "click": 1}\n\n{"x": "\xff", "click": 1}\n{"x": "b", "click": 1}\n'
    write(tmp_path, f"log.{ending}", text[ending])
    for encoding in ("UTF-8", "gbk"):
        message = rf"log.{ending}, line 3: a cell holds bytes that are not {encoding}"
        with pytest.raises(DatasetError, match=message):
            read(tmp_path, "log.*", ["x"], encoding=encoding)
        assert read(tmp_path, "log.*", ["x"], 1, encoding=encoding) == [("a",), ("b",)]
    assert len(read(tmp_path, "log.*", ["x"], encoding="latin-1")) == 3


@pytest.mark.parametrize(
    "encoding",
    ["utf-16", "utf-7", "cp037", "hz", "iso2022_jp", "unicode_escape", "idna", "base64", "x", "\0"],
)
def test_encodings_that_do_not_hold_ascii_are_refused(encoding):
    content = {
        "name": "log",
        "encoding": encoding,
        "split": {"by": "fraction", "files": "*", "test_fraction": 0.1},
        "fields": {"x": {"kind": "categorical"}},
        "tasks": {"click": {}},
    }
    with pytest.raises(DatasetError, match=r"encoding is .*, expected one that holds ASCII, such"):
        parse_declaration(content, pathlib.Path("log.yaml"))
