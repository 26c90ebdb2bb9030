import gzip
import random

import numpy as np
import pytest

from data_prep.ali_ccp.parser import COMMON, SKELETON, explain, parse, parse_block
from data_prep.ali_ccp.text_blocks import read_blocks
from data_prep.storage.writer import Ragged
from dcrnn_tf.dataset.schema import DatasetError

GOOD = b"7,1,0,84dceed2e3a667f8,2,205\x0231319\x031.0\x01210\x023438774\x030.69315"


def random_line(draw, layout):
    """A valid line, with lists of 0 to 6 entries, in any order."""
    entries = []
    for field in layout.fields:
        times = draw.randrange(7) if field.multiple else draw.randrange(2)
        for _ in range(times):
            number = draw.randrange(10 ** draw.randrange(1, 17))
            value = draw.choice(["1.0", "0.69315", "12.5", "3", "2e-05"])
            entries.append(f"{field.raw_name}\x02{number}\x03{value}")
    draw.shuffle(entries)
    index = "".join(draw.choices("0123456789abcdef", k=draw.choice([3, 8, 9, 16, 16, 16, 40])))
    cells = [index, str(len(entries)), "\x01".join(entries)]
    if layout is SKELETON:
        labels = draw.choice(["0,0", "1,0", "1,1", "0,1"])
        cells = [str(draw.randrange(10**9)), labels, *cells]
    return ",".join(cells).encode()


def reference(lines, layout, max_values):
    """Parses line by line in plain Python; gives a dict of lists by column name."""
    columns = {"index": []} | {field.name: [] for field in layout.fields}
    if layout is SKELETON:
        columns |= {"click": [], "conversion": []}
    for line in lines:
        cells = line.decode().split(",")
        columns["index"].append(cells[-3].encode())
        if layout is SKELETON:
            columns["click"].append(int(cells[1]))
            columns["conversion"].append(int(cells[2]))
        found = {}
        for entry in cells[-1].split("\x01") if cells[-1] else []:
            field, rest = entry.split("\x02")
            number, value = rest.split("\x03")
            found.setdefault(field, []).append((int(number), float(np.float32(value))))
        for field in layout.fields:
            values = found.get(field.raw_name, [])[:max_values]
            if field.multiple:
                columns[field.name].append(values)
            else:
                columns[field.name].append(values[0][0] if values else -1)
    return columns


def as_lists(lines):
    """What `parse` gives, in the reference's form."""
    columns = {"index": [lines.indices[run] for run in lines.run]}
    for name, column in lines.columns.items():
        if isinstance(column, Ragged):
            pairs = column.values.tolist()
            if column.weights is not None:
                pairs = list(zip(pairs, column.weights.tolist(), strict=True))
            ends = np.cumsum(column.row_lengths, dtype=int)
            starts = ends - column.row_lengths
            columns[name] = [pairs[s:e] for s, e in zip(starts, ends, strict=True)]
        else:
            columns[name] = column.tolist()
    return columns


@pytest.mark.parametrize("layout", [SKELETON, COMMON], ids=["skeleton", "common"])
@pytest.mark.parametrize("max_values", [1, 4, 50])
def test_same_as_line_by_line(layout, max_values):
    draw = random.Random(max_values)
    lines = [random_line(draw, layout) for _ in range(400)]
    lines += lines[-1:] * 3  # runs of the same user
    parsed = parse(1, b"\n".join(lines) + b"\n", layout, layout.fields, max_values, True)
    expected = reference(lines, layout, max_values)
    assert as_lists(parsed) == expected
    whole = reference(lines, layout, 99)
    for field in layout.fields:
        if field.multiple:
            long = [len(values) > max_values for values in whole[field.name]]
            assert parsed.truncated[field.name].tolist() == long


def test_a_line_by_hand():
    parsed = parse(12, GOOD + b"\n", SKELETON, SKELETON.fields, 50)
    assert parsed.line.tolist() == [12]
    assert parsed.indices == [b"84dceed2e3a667f8"]
    assert parsed.columns["click"].tolist() == [1]
    assert parsed.columns["conversion"].tolist() == [0]
    assert parsed.columns["field_205"].tolist() == [31319]
    assert parsed.columns["field_206"].tolist() == [-1]
    assert parsed.columns["field_210"].values.tolist() == [3438774]
    assert parsed.columns["field_210"].weights is None
    assert parsed.columns["field_853"].row_lengths.tolist() == [0]


def test_only_the_wanted_fields_are_kept():
    wanted = [field for field in SKELETON.fields if field.raw_name == "205"]
    parsed = parse(1, GOOD + b"\n", SKELETON, wanted, 50)
    assert set(parsed.columns) == {"click", "conversion", "field_205"}


def replaced(old, new):
    assert old in GOOD
    return GOOD.replace(old, new, 1)


FAULTS = [
    (b"", "wrong number of cells", "1 comma-separated cells, expected 6"),
    (replaced(b"7,", b""), "wrong number of cells", "5 comma-separated cells, expected 6"),
    (replaced(b"7,", b"7,7,"), "wrong number of cells", "7 comma-separated cells"),
    (replaced(b"7,", b"x7,"), "malformed sample_id", "sample_id is 'x7', not an integer"),
    (replaced(b"7,1", b"7,2"), "malformed click", "the label click is '2', not 0 or 1"),
    (replaced(b"7,1", b"7,"), "malformed click", "the label click is ''"),
    (replaced(b"7,1", b"7,01"), "malformed click", "the label click is '01'"),
    (replaced(b",0,8", b",0.0,8"), "malformed conversion", "conversion is '0.0', not 0 or 1"),
    (
        replaced(b"84dceed2e3a667f8", b""),
        "malformed common_feature_index",
        "common_feature_index is '', not a name",
    ),
    (
        replaced(b"2e3a", b"\x022e3a"),
        "malformed common_feature_index",
        "not a name",
    ),
    (replaced(b",2,", b",3,"), "wrong feature_num", "feature_num is 3, but the list has 2"),
    (replaced(b",2,", b",two,"), "malformed feature_num", "feature_num is 'two'"),
    (GOOD[:-13], "malformed entry", "expected FIELD"),  # cut off in the middle
    (replaced(b"\x02", b""), "malformed entry", "entry '20531319"),
    (replaced(b"\x03", b""), "malformed entry", "expected FIELD"),
    (replaced(b"\x031.0", b"\x03"), "malformed entry", "expected FIELD"),
    (replaced(b"\x01", b"\x01\x01"), "malformed entry", "entry ''"),
    (replaced(b"31319", b"3131x"), "malformed entry", "is not an integer"),
    (replaced(b"31319", b"-3131"), "malformed entry", "is not an integer"),
    (replaced(b"31319", b""), "malformed entry", "is not an integer"),
    (replaced(b"31319", b"1" * 17), "malformed entry", "is not an integer"),
    (replaced(b"205", b"204"), "unknown field", "field '204' does not belong into this file"),
    (replaced(b"205", b"101"), "unknown field", "field '101' does not"),  # a user field
    (replaced(b"205", b""), "unknown field", "field '' does not"),
    (replaced(b"210", b"205"), "repeated field", "field 205 stands there twice"),
    (replaced(b"313", b"\xff13"), "not UTF-8", "byte 30 is 0xff, not UTF-8"),
    (replaced(b"313", "é".encode()), "not ASCII", "not ASCII"),
    (replaced(b"1.0", b"1\x000"), "not ASCII", "not ASCII"),
]


@pytest.mark.parametrize(("line", "reason", "clause"), FAULTS)
def test_each_fault_is_named(line, reason, clause):
    text = GOOD + b"\n" + line + b"\n" + GOOD + b"\n"
    parsed, faults = parse_block(41, text, SKELETON, SKELETON.fields, 50)
    assert [(fault.line, fault.reason) for fault in faults] == [(42, reason)]
    assert clause in faults[0].clause
    assert parsed.line.tolist() == [41, 43]


def test_values_are_checked_when_they_are_kept():
    line = replaced(b"0.69315", b"much")
    assert explain(line, SKELETON) is None
    assert explain(line, SKELETON, keep_values=True)[0] == "malformed entry"
    assert explain(replaced(b"1.0", b"much"), SKELETON, keep_values=True) is None  # 205: dropped


@pytest.mark.parametrize("keep_values", [False, True])
@pytest.mark.parametrize("layout", [SKELETON, COMMON], ids=["skeleton", "common"])
def test_block_parser_and_line_parser_agree_on_damaged_lines(layout, keep_values):
    draw = random.Random(17)
    alphabet = b"0123456789_,\x01\x02\x03\x00.exn- \xc3"
    refused = 0
    for _ in range(1500):
        line = bytearray(random_line(draw, layout))
        for _ in range(draw.choice([0, 1, 1, 2])):
            place = draw.randrange(len(line))
            action = draw.randrange(3)
            if action == 0:
                line[place] = draw.choice(alphabet)
            elif action == 1:
                del line[place : place + draw.choice([1, 1, 5])]
            else:
                line.insert(place, draw.choice(alphabet))
        line = bytes(line)
        problem = explain(line, layout, keep_values)
        parsed = parse(1, line + b"\n", layout, layout.fields, 50, keep_values)
        assert (parsed is None) == (problem is not None), (line, problem)
        refused += problem is not None
    assert 500 < refused < 1250


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
@pytest.mark.parametrize("block_bytes", [40, 1000])
def test_blocks_are_whole_lines_with_their_numbers(tmp_path, suffix, block_bytes):
    lines = [b"x" * (n % 37) for n in range(200)]
    path = tmp_path / f"file{suffix}"
    opened = gzip.open if suffix.endswith("gz") else open
    with opened(path, "wb") as file:
        file.write(b"\n".join(lines))  # no line feed after the last
    read, bytes_read = [], []
    for first_line, data in read_blocks(path, bytes_read.append, block_bytes):
        assert first_line == len(read) + 1
        assert data.endswith(b"\n")
        read += data[:-1].split(b"\n")
    assert read == lines
    assert sum(bytes_read) == path.stat().st_size


def drain(path, block_bytes=1000):
    for _ in read_blocks(path, lambda count: None, block_bytes):
        pass


def test_empty_files_are_refused(tmp_path):
    plain, packed = tmp_path / "file.csv", tmp_path / "file.csv.gz"
    plain.write_bytes(b"")
    packed.write_bytes(gzip.compress(b""))
    for path in (plain, packed):
        with pytest.raises(DatasetError, match=rf"{path.name} is empty"):
            drain(path)


def test_a_truncated_gz_is_named(tmp_path):
    path = tmp_path / "file.csv.gz"
    content = gzip.compress(b"".join(b"%d\n" % (n * n) for n in range(5000)))
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DatasetError, match=r"file\.csv\.gz, after line \d+: the \.gz .* truncated"):
        drain(path)


def test_a_damaged_gz_is_named(tmp_path):
    path = tmp_path / "file.csv.gz"
    content = bytearray(gzip.compress(b"".join(b"%d\n" % (n * n) for n in range(5000))))
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"file\.csv\.gz, after line \d+: the \.gz .* damaged"):
        drain(path)


def test_a_file_without_line_feeds_is_not_read_whole(tmp_path):
    path = tmp_path / "file.csv"
    path.write_bytes(b"a\n" + b"x" * 5000)
    with pytest.raises(DatasetError, match=r"line 2: longer than 1000 bytes"):
        drain(path)
