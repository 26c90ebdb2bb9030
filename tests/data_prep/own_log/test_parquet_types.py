"""Every type that a Parquet column can have: read as its values are, or refused in a sentence."""

import datetime
import decimal
import pathlib
import uuid

import pyarrow as pa
import pyarrow.parquet
import pytest

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.parsing import parquet_file
from data_prep.own_log.parsing.files import LogFile
from data_prep.storage.bad_rows import BadRows
from dcrnn_tf.dataset.schema import DatasetError

IDS = [uuid.UUID(f"3a83126f-{n:04d}-4000-8000-00000000c0de") for n in range(3)]
NUMBERS = [decimal.Decimal(text) for text in ("1.50", "-20", "0.01")]
SMALL = [decimal.Decimal(text) for text in ("0", "1e-10", "1e-18", "1.5")]
UTC = datetime.UTC


def declared(kind):
    content = {
        "name": "log",
        "split": {"by": "fraction", "files": "log.parquet", "test_fraction": 0.5},
        "fields": {"x": {"kind": kind}},
        "tasks": {"click": {}},
    }
    return parse_declaration(content, pathlib.Path("log.yaml"))


def read(folder, column, kind="categorical", store_schema=True, max_bad_rows=0):
    """The cells of a column that was written to a file, and the numbers of its bad rows."""
    path = folder / "log.parquet"
    table = pa.table({"x": column, "click": [1] * len(column)})
    pa.parquet.write_table(table, path, store_schema=store_schema)
    bad_rows = BadRows(max_bad_rows)
    chunks = LogFile(path, declared(kind).selection).chunks(bad_rows, lambda done: None)
    return [cell for chunk in chunks for cell in chunk.frame["x"].to_list()], bad_rows.counts


def uuids(count=3):
    return pa.array([one.bytes for one in IDS[:count]], pa.uuid())


def moments(unit, zone=None):
    return pa.array([0, None, 86_400 * 10 ** {"s": 0, "ms": 3, "us": 6, "ns": 9}[unit]]).cast(
        pa.timestamp(unit, zone)
    )


DAYS = [datetime.datetime(1970, 1, 1), None, datetime.datetime(1970, 1, 2)]
SINGLE = {
    "uuid": (uuids(), [str(one) for one in IDS]),
    "uuid with nulls": (pa.concat_arrays([uuids(1), pa.nulls(1, pa.uuid())]), [str(IDS[0]), None]),
    "json": (pa.array(['{"a": 1}', None], pa.json_()), ['{"a": 1}', None]),
    "decimal128": (pa.array([*NUMBERS, None], pa.decimal128(10, 2)), ["1.5", "-20", "0.01", None]),
    "decimal256": (pa.array([*NUMBERS, None], pa.decimal256(50, 2)), ["1.5", "-20", "0.01", None]),
    "decimal128 with many decimals": (
        pa.array([*SMALL, None], pa.decimal128(38, 18)),
        ["0", "0.0000000001", "0.000000000000000001", "1.5", None],
    ),
    "decimal256 with many decimals": (
        pa.array([*SMALL, None], pa.decimal256(60, 20)),
        ["0", "0.0000000001", "0.000000000000000001", "1.5", None],
    ),
    "decimal of integers": (
        pa.array([decimal.Decimal(10**37), decimal.Decimal(100)], pa.decimal128(38, 0)),
        [str(10**37), "100"],
    ),
    "dictionary": (pa.array(["a", None, "b"]).dictionary_encode(), ["a", None, "b"]),
    "dictionary of bytes": (pa.array([b"a", None]).dictionary_encode(), ["a", None]),
    "float16": (pa.array([1.5, None, -2], pa.float16()), [1.5, None, -2.0]),
    "uint64": (pa.array([2**63 + 1, None], pa.uint64()), [2**63 + 1, None]),
    "boolean": (pa.array([True, None]), [True, None]),
    "bool8": (
        pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0, None], pa.int8())),
        [1, 0, None],
    ),
    "null": (pa.nulls(2), [None, None]),
    "binary": (pa.array([b"a", None, "é".encode()]), ["a", None, "é"]),
    "large_binary": (pa.array([b"a", None], pa.large_binary()), ["a", None]),
    "binary_view": (pa.array([b"a", None], pa.binary_view()), ["a", None]),
    "binary of one size": (pa.array([b"ab", None], pa.binary(2)), ["ab", None]),
    "text of 16 bytes": (pa.array([b"sixteen bytes ok"], pa.binary(16)), ["sixteen bytes ok"]),
    "large_string": (pa.array(["a", None], pa.large_string()), ["a", None]),
    "string_view": (pa.array(["a", None], pa.string_view()), ["a", None]),
    "date32": (pa.array([1, None], pa.date32()), [datetime.date(1970, 1, 2), None]),
    "date64": (pa.array([86_400_000, None], pa.date64()), [datetime.date(1970, 1, 2), None]),
    "time32": (pa.array([61, None], pa.time32("s")), [datetime.time(0, 1, 1), None]),
    "time64": (pa.array([1_000_000, None], pa.time64("us")), [datetime.time(0, 0, 1), None]),
    **{f"timestamp[{unit}]": (moments(unit), DAYS) for unit in ("s", "ms", "us", "ns")},
    "timestamp in a zone": (
        moments("us", "Asia/Kolkata"),
        [moment and moment.replace(tzinfo=UTC) for moment in DAYS],
    ),
    "timestamp with an offset": (
        moments("ns", "+05:30"),
        [moment and moment.replace(tzinfo=UTC) for moment in DAYS],
    ),
}
NUMBER_LISTS = [[1, 2], None, [3, None]]
LISTS = {
    "list": (pa.array(NUMBER_LISTS), NUMBER_LISTS),
    "large_list": (pa.array(NUMBER_LISTS, pa.large_list(pa.int64())), NUMBER_LISTS),
    "list_view": (pa.array(NUMBER_LISTS, pa.list_view(pa.int64())), NUMBER_LISTS),
    "large_list_view": (pa.array(NUMBER_LISTS, pa.large_list_view(pa.int64())), NUMBER_LISTS),
    "list of one size": (
        pa.array([[1, 2], [3, None]], pa.list_(pa.int64(), 2)),
        [[1, 2], [3, None]],
    ),
    "tensor": (
        pa.ExtensionArray.from_storage(
            pa.fixed_shape_tensor(pa.int64(), [2]),
            pa.array([[1, 2], [3, 4]], pa.list_(pa.int64(), 2)),
        ),
        [[1, 2], [3, 4]],
    ),
    "list of dictionaries": (
        pa.array([["a"], None, ["b", "a"]], pa.list_(pa.dictionary(pa.int32(), pa.string()))),
        [["a"], None, ["b", "a"]],
    ),
    "list of uuids": (
        pa.ListArray.from_arrays(pa.array([0, 1, None, 3]), uuids()),
        [[str(IDS[0])], [str(IDS[1]), str(IDS[2])], None],
    ),
    "list of decimals": (
        pa.array([NUMBERS, [], None], pa.list_(pa.decimal256(50, 2))),
        [["1.5", "-20", "0.01"], [], None],
    ),
    "list of bytes": (pa.array([[b"a", None], []]), [["a", None], []]),
}


@pytest.mark.parametrize("store_schema", [True, False], ids=["arrow", "plain"])
@pytest.mark.parametrize("name", SINGLE)
def test_single_values(tmp_path, name, store_schema):
    column, expected = SINGLE[name]
    cells, bad = read(tmp_path, column, store_schema=store_schema)
    assert cells == expected
    assert not bad


@pytest.mark.parametrize("store_schema", [True, False], ids=["arrow", "plain"])
@pytest.mark.parametrize("name", LISTS)
def test_lists(tmp_path, monkeypatch, name, store_schema):
    column, expected = LISTS[name]
    for rows in (1, 1 << 16):  # a batch of one row is a slice of a longer column
        monkeypatch.setattr(parquet_file, "PARQUET_ROWS", rows)
        cells, bad = read(tmp_path, column, "multi_categorical", store_schema)
        assert cells == expected
        assert not bad


def test_bytes_that_are_no_text_cost_their_rows_alone(tmp_path):
    numbers = pa.array([one.bytes for one in IDS], pa.binary(16))  # as no UUIDs
    assert read(tmp_path, numbers, max_bad_rows=3) == ([], {"not UTF-8": 3})
    lists = pa.array([[b"a"], [b"b", b"\xff"], None])
    cells, bad = read(tmp_path, lists, "multi_categorical", max_bad_rows=1)
    assert (cells, bad) == ([["a"], None], {"not UTF-8": 1})


@pytest.mark.parametrize(
    ("column", "kind", "message"),
    [
        (
            pa.array([{"a": 1}]),
            "categorical",
            "holds struct<a: int64>, expected single values; write each part that matters as a "
            "column of its own",
        ),
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), "categorical", "holds map<"),
        (pa.array([[{"a": 1}]]), "multi_categorical", "single values or lists of them; write each"),
        (pa.array([[[1]]]), "multi_categorical", "single values or lists of them; write lists of"),
        (
            pa.array([[1]]),
            "categorical",
            "expected single values; declare a multi_categorical field of it, or write single",
        ),
        (pa.array([[1]], pa.list_(pa.int64(), 1)), "numeric", "expected numbers; declare a"),
        (
            moments("us"),
            "numeric",
            "holds timestamp[us], expected numbers; derive a number, such as days: EPOCH",
        ),
        (
            pa.array([1], pa.date32()),
            "numeric",
            "holds date32[day], expected numbers; derive a number",
        ),
        (pa.array([1], pa.time64("us")), "numeric", "holds time64[us], expected numbers; write"),
        (
            pa.array([1], pa.duration("s")),
            "categorical",
            "holds duration[s], expected single values; write it as a number, such as its seconds",
        ),
    ],
)
def test_other_types_are_refused_with_what_to_do(tmp_path, column, kind, message):
    with pytest.raises(DatasetError) as error:
        read(tmp_path, column, kind)
    assert str(error.value).startswith(f"{tmp_path}/log.parquet: column 'x' holds ")
    assert message in str(error.value)


def test_lists_of_dictionaries_are_read_over_many_row_groups(tmp_path):
    path = tmp_path / "log.parquet"
    lists = [["a"], None, ["b", "a"]] * 4
    dtype = pa.list_(pa.dictionary(pa.int32(), pa.string()))
    table = pa.table({"x": pa.array(lists, dtype), "click": [1] * 12})
    pa.parquet.write_table(table, path, row_group_size=2)
    file = LogFile(path, declared("multi_categorical").selection)
    chunks = file.chunks(BadRows(0), lambda done: None)
    assert [cell for chunk in chunks for cell in chunk.frame["x"].to_list()] == lists


def test_lists_of_one_size_of_which_some_are_none_are_refused_or_read(tmp_path):
    lists = pa.array([[1, 2], None], pa.list_(pa.int64(), 2))
    with pytest.raises(
        DatasetError, match=r"lists of one size, and some rows have none, .*; write"
    ):
        read(tmp_path, lists, "multi_categorical")
    cells, _ = read(tmp_path, lists, "multi_categorical", store_schema=False)
    assert cells == [[1, 2], None]


def test_a_damaged_page_is_found_by_its_checksum(tmp_path):
    path = tmp_path / "log.parquet"
    table = pa.table({"x": [str(n) for n in range(1000)], "click": [1] * 1000})
    pa.parquet.write_table(
        table, path, write_page_checksum=True, compression="none", use_dictionary=False
    )
    content = path.read_bytes()
    place = content.index(b"500") + 1
    path.write_bytes(content[:place] + b"7" + content[place + 1 :])
    file = LogFile(path, declared("categorical").selection)
    with pytest.raises(DatasetError, match=r"log.parquet cannot be read .*; fetch it again"):
        list(file.chunks(BadRows(0), lambda done: None))


def test_a_damaged_name_of_a_column_is_a_damaged_file(tmp_path):
    path = tmp_path / "log.parquet"
    table = pa.table({"x": ["a"], "click": [1], "nobody": [1]})
    pa.parquet.write_table(table, path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"nobody", b"\xf4obody"))
    with pytest.raises(DatasetError, match=r"log.parquet cannot be read .*; fetch it again"):
        LogFile(path, declared("categorical").selection)
