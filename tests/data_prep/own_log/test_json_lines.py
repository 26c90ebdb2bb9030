"""JSON lines give the cells that the same rows give as CSV text, and name every bad line."""

import gzip
import json
import math
import pathlib
import random
import tempfile
from unittest import mock

import polars as pl
import pytest
from hypothesis import strategies as st

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.declared.options import Selection
from data_prep.own_log.parsing import json_lines
from data_prep.own_log.parsing.files import LogFile
from data_prep.own_log.parsing.first_bytes import kind_of
from data_prep.own_log.preparation import prepare
from data_prep.storage.bad_rows import BadRows
from dcrnn_tf.dataset.schema import DatasetError
from tests.data_prep.beam.same import assert_same
from tests.fuzzing import MUTATIONS, SEEDS, cases, fuzz, mutate_rows, result

COLUMNS = {"a": "field a", "list": "field list", "click": "task click"}
SELECTION = Selection(COLUMNS, lists={"list"})


def read(path, selection=SELECTION, limit=0):
    bad_rows = BadRows(limit)
    chunks = list(LogFile(path, selection).chunks(bad_rows, lambda done: None))
    rows = [row for chunk in chunks for row in chunk.frame.iter_rows()]
    places = [chunk.place(row) for chunk in chunks for row in range(chunk.frame.height)]
    return rows, [int(place.rpartition(" ")[2]) for place in places], bad_rows


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ('"x"', "x"),
        ('" x "', "x"),
        ('""', None),
        ("null", None),
        ("NaN", None),
        ("true", "true"),
        ("false", "false"),
        ("5", "5"),
        ("2.50", "2.5"),
        ("5.0", "5"),
        ("-0.0", "-0"),
        ("1e3", "1000"),
        ("1.5E-3", "0.0015"),
        ("1e999999999", "1e999999999"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ('"007"', "007"),
        ('"2.50"', "2.50"),
        ('"\\u00e9\\ud83d\\ude42\\u0000"', "é🙂\0"),
    ],
)
def test_a_value_is_the_text_that_a_csv_cell_has(tmp_path, value, cell):
    path = tmp_path / "log.csv"
    path.write_text(f'{{"a": {value}, "list": [], "click": 1}}\n')
    assert read(path)[0] == [(cell, "[]", "1")]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("{}", "column 'a' holds an object, expected a value; write each part that matters under"),
        ("[1]", "column 'a' holds a list, expected a single value; declare a multi_categorical"),
        ('"\\ud800"', "column 'a': a cell holds bytes that are not UTF-8"),
        ("1, ]", "Expecting property name enclosed in double quotes at character 10 of a JSON"),
        ("[" * 100_000, "the line is no JSON object that can be read"),
        ('1, "list": [[2]]', "column 'list' holds a list of lists or objects; write lists of"),
        ('1, "list": {"b": 2}', "column 'list' holds an object, expected a value"),
    ],
)
def test_a_bad_line_is_named_and_left_out(tmp_path, value, fault):
    path = tmp_path / "log"
    path.write_text(f'\n{{"a": 1, "click": 1}}\n{{"a": {value}}}\n[1]\n \n{{"a": 2, "list": [1]}}')
    with pytest.raises(DatasetError) as error:
        read(path)
    assert f"{path}, line 3: {fault}" in str(error.value)
    rows, lines, bad_rows = read(path, limit=2)
    assert rows == [("1", None, "1"), ("2", "[1]", None)]
    assert lines == [2, 6]
    assert bad_rows.counts.total() == 2
    assert bad_rows.counts["not JSON"] >= 1


def test_a_key_may_come_late_but_not_never(tmp_path):
    path = tmp_path / "log.jsonl"
    lines = ['{"a": 1, "clack": 1}'] * 20_000
    path.write_text("\n".join([*lines, '{"click": 1, "list": null}']))
    assert read(path)[0][-1] == (None, None, "1")
    path.write_text("\n".join(lines))
    with pytest.raises(DatasetError, match=r"no column 'click' \(task click\); did you mean"):
        read(path, Selection({"click": "task click"}))


def test_one_line_longer_than_a_block_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 100)
    path = tmp_path / "log"
    path.write_text('{"a": 1, "list": [], "click": 0}\n' + '{"a": "' + "x" * 300 + '"}\n')
    with pytest.raises(DatasetError, match="line 2: a line of more than 100 bytes"):
        read(path)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"a": 1, "b": 2}\n', "JSON lines"),
        ('\n\ufeff {\t"a": 1, "b": 2}', "CSV"),
        ('\ufeff\n {\t"a": 1, "b": 2}', "JSON lines"),
        ("{}\n", "JSON lines"),
        ('{"a": [1, 2', "JSON lines"),
        (f'{{"a": "{"x" * 100_000}"}}\n', "JSON lines"),
        ('{"a": 1}\t5\n', "CSV"),
        ("{a,b\n", "CSV"),
        ('{"a"\tb\n', "CSV"),
        ('"{""a"": 1}",b\n', "CSV"),
    ],
    ids=range(10),
)
def test_what_begins_with_an_object_in_a_line_is_json_lines(tmp_path, text, kind):
    path = tmp_path / "log.json"
    path.write_text(text)
    assert kind_of(path) == kind


def test_a_json_array_is_refused(tmp_path):
    path = tmp_path / "log.json"
    path.write_text('[\n{"a": 1}]')
    with pytest.raises(DatasetError, match=r"is a JSON array, .*; write one object a line"):
        read(path)


def test_a_file_in_which_no_line_is_an_object_is_refused(tmp_path):
    path = tmp_path / "log.json"
    path.write_text('{\n"a": 1\n}\n')
    with pytest.raises(DatasetError, match="no line is a JSON object with a key; write one object"):
        read(path)


def test_the_same_dataset_as_from_csv_and_parquet(tmp_path):
    draw = random.Random(1)
    rows = [
        {
            "item": draw.choice([1, 2, 30, None]),
            "tags": draw.choices(["a", "b;c", 'd"', "é"], k=draw.randrange(4)),
            "price": draw.choice([0.5, 2.0, 1e-3, None]),
            "day": draw.randrange(3),
            "click": draw.random() < 0.4,
        }
        for _ in range(400)
    ]
    schema = {"item": pl.Int64, "tags": pl.List(pl.String), "price": pl.Float64}
    frame = pl.DataFrame(rows, schema | {"day": pl.Int64, "click": pl.Boolean})
    frame.write_parquet(tmp_path / "log.parquet")
    written = frame.with_columns(pl.Series("tags", [json.dumps(row["tags"]) for row in rows]))
    written.write_csv(tmp_path / "log.csv")
    lines = [json.dumps({k: v for k, v in row.items() if v is not None}) for row in rows]
    (tmp_path / "log.jsonl").write_bytes(gzip.compress("\n".join(lines).encode()))
    fields = {
        "item": {"kind": "categorical", "min_count": 2},
        "tags": {"kind": "multi_categorical", "min_count": 2},
        "price": {"kind": "numeric", "scaling": "quantile"},
    }
    for end in ("csv", "parquet", "jsonl"):
        (tmp_path / f"of_{end}").mkdir()
        (tmp_path / f"log.{end}").rename(tmp_path / f"of_{end}" / "log")
        split = {"by": "column", "column": "day", "test": [2], "files": "log"}
        content = {"name": "log", "fields": fields, "tasks": {"click": {}}, "split": split}
        declaration = parse_declaration(content, pathlib.Path("log.yaml"))
        prepare(declaration, tmp_path / f"of_{end}", tmp_path / end)
    for end in ("csv", "parquet"):
        assert_same(tmp_path / end, tmp_path / "jsonl", files=False)


VALUES = [
    *(
        '"x"',
        '""',
        '" 7 "',
        '"[1, 2]"',
        '"é🙂"',
        '"\\u00e9"',
        '"a\\"b"',
        '"\x7f"',
        '"\t"',
        "5",
        "-0",
        "0",
    ),
    *("5.0", "2.50", "100.00", "-0.0", "1e3", "1.5E-3", "-7e-2", "1e400", "0.1000000000000000055"),
    *("9007199254740993", "9007199254740993.0", "123456789012345678901234567890", "01", "+5", ".5"),
    *("true", "false", "null", "NaN", "-Infinity", "tru", "[]", "{}", "[1]", "1}", "nul", "5 5"),
]
LISTS = [
    *("[]", "[ ]", "[1,2]", "[1, -2]", "[1 , 2]", "[1.50, 2]", "[1e2]", '["a","b"]', '["a", "b"]'),
    *('["a,b","c"]', '["1","2"]', '["1", "b"]', '["-","1"]', '["",""]', '["a\\n"]', "[null]"),
    *('["a", 1]', "[true,false]", '["true"]', "[[1]]", "[1,]", "[01]", "null", '"a;b"', "3", "{}"),
    *('["a" , "b"]', '["é"]', '["] ,["]', '["x: y"]', '[" a "]'),
]


def test_what_patterns_read_is_what_is_read_line_by_line(tmp_path, monkeypatch):
    draw = random.Random(5)
    spaces = ["", " ", "\t"]
    orders = [("a", "list", "click", "other"), ("click", "a"), ("list", "a", "click"), ("x y",)]
    lines = []
    for n in range(3_000):
        value = {"a": draw.choice(VALUES), "list": draw.choice(LISTS), "click": str(n % 2)}
        names = orders[0] if draw.random() < 0.8 else draw.choice(orders)
        space = draw.choice(spaces)
        cells = [f'"{k}"{space}:{space}{value.get(k, draw.choice(LISTS))}' for k in names]
        lines.append(
            f"{{{space}{f',{space}'.join(cells)}{space}}}{draw.choice(['', ' ', chr(13)])}"
        )
    path = tmp_path / "log.jsonl"
    path.write_bytes("\n".join(lines).encode())
    read_by_patterns = []

    class Watched(json_lines.FlatObjects):
        def __call__(self, lines):
            read_by_patterns.append(super().__call__(lines))
            return read_by_patterns[-1]

    class Nothing(json_lines.FlatObjects):
        def __call__(self, lines):
            return super().__call__([])

    found = []
    for reader in (Watched, Nothing):
        monkeypatch.setattr(json_lines, "FlatObjects", reader)
        rows, places, bad_rows = read(path, limit=10**6)
        found.append((rows, places, bad_rows.counts))
    assert found[0] == found[1]
    assert 0.4 * len(lines) < sum(map(len, read_by_patterns)) < len(found[0][0])


def test_objects_of_many_forms_are_read_too(tmp_path):
    path = tmp_path / "log.jsonl"
    forms = [["a", "click", f"key {n}"] for n in range(20)]
    lines = [json.dumps(dict.fromkeys(forms[n % 20], n)) for n in range(200)]
    path.write_text("\n".join(lines))
    assert [row[0] for row in read(path, Selection({"a": "x"}))[0]] == [*map(str, range(200))]


def valid_lines(seed):
    draw = random.Random(seed)
    for _ in range(draw.randrange(1, 30)):
        row = {
            "a": draw.choice(["x", "é", "", " 7 ", 5, 5.0, -0.25, True, None, "[1, 2]", "\0"]),
            "list": draw.choice([[], ["a", "é"], [1, 2.5], ["1, 2"], [None, True], "a;b", 3]),
            "click": draw.choice([0, 1]),
            "unread": draw.choice([{}, [[1]], "x" * draw.randrange(300)]),
        }
        names = [name for name in row if draw.random() < 0.9]
        draw.shuffle(names)
        yield json.dumps({name: row[name] for name in names}, ensure_ascii=draw.random() < 0.5)


def is_cell_of(cell, value, may_be_list):
    """Whether a cell of text says what Python reads of the line; False for a bad row's."""
    if isinstance(value, list) and may_be_list and cell is not None:
        items, read = value, json.loads(cell, parse_int=str, parse_float=str)
        if any(isinstance(item, list | dict) for item in items) or len(items) != len(read):
            return False
        return all(
            read_item == item
            if isinstance(item, str)
            else is_cell_of(str_of(read_item), item, False)
            for read_item, item in zip(read, items, strict=True)
        )
    if isinstance(value, list | dict):
        return False
    if isinstance(value, float) and cell is not None:
        return float(cell) == value or (math.isnan(value) and math.isnan(float(cell)))
    text = str_of(value)
    text = None if text is None or text.strip() in ("", "NaN", "nan", "-NaN", "-nan") else text
    return cell == (text if text is None else text.strip())


def str_of(value):
    return (
        {True: "true", False: "false"}[value]
        if isinstance(value, bool)
        else (value if value is None else str(value))
    )


def is_good(line):
    """The object of a line; None of a bad row."""
    try:
        row = json.loads(line.decode())
        json.dumps([row.get(n) for n in COLUMNS], ensure_ascii=False).encode()
    except (ValueError, AttributeError, RecursionError):
        return None
    nested = [row.get(name) for name in COLUMNS if isinstance(row.get(name), list | dict)]
    lists = [row["list"]] if isinstance(row.get("list"), list) else []
    flat = all(not isinstance(item, list | dict) for items in lists for item in items)
    return row if len(nested) == len(lists) and flat else None


def check_lines(seed, mutations, block, packing):
    data = "\n".join(valid_lines(seed)).encode() + (b"\n" if seed % 2 else b"")
    data = mutate_rows(data, mutations, b',:{}[]"', seed)
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    expected = {n: row for n, line in enumerate(lines, 1) if (row := is_good(line)) is not None}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "log")
        path.write_bytes(gzip.compress(data) if packing else data)
        with mock.patch.object(json_lines, "BLOCK_BYTES", block):
            found, message = result(lambda: read(path, limit=10**6))
            _, first = result(lambda: read(path))
    if found is None:
        assert str(path) in message
        return "refused"
    rows, numbers, bad_rows = found
    assert numbers == list(expected)
    for cells, row in zip(rows, expected.values(), strict=True):
        pairs = zip(cells, COLUMNS, strict=True)
        assert all(is_cell_of(cell, row.get(name), name == "list") for cell, name in pairs)
    blank = sum(not line.strip() for line in lines)
    assert len(rows) + bad_rows.counts.total() + blank == len(lines)
    if not bad_rows.counts:
        return "read"
    named = int(first.split(", line ")[1].split(":")[0])
    assert named not in expected
    assert lines[named - 1].strip()
    return "row named"


@cases(quick=30, slow=20_000)
def test_damaged_lines(examples):
    fuzz(
        check_lines,
        examples,
        {"read", "row named", "refused"},
        seed=SEEDS,
        mutations=MUTATIONS,
        block=st.sampled_from([700, 1 << 20]),
        packing=st.booleans(),
    )
