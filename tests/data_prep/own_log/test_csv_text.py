"""Bytes that Arrow's CSV parser would misread: NUL, and bytes that are not UTF-8."""

import random

import pytest
import yaml

from data_prep.own_log.declaration import load_declaration
from data_prep.own_log.parsing import csv_file
from data_prep.own_log.rows.log_rows import LogRows
from dcrnn_tf.dataset.schema import DatasetError

BLOCK = 1024
DECLARATION = {
    "name": "log",
    "split": {"by": "file", "train": "f.csv", "test": "t.csv"},
    "fields": {"item": {"kind": "categorical"}, "city": {"kind": "categorical"}},
    "tasks": {"click": {}},
}


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Returns a function that gives the cells of a file, and the counts of its bad rows."""
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", BLOCK)
    (tmp_path / "log.yaml").write_text(yaml.safe_dump(DECLARATION))
    (tmp_path / "t.csv").write_text("item,click,city\nx,1,y\n")

    def read(rows: list[bytes], max_bad_rows: int = 0) -> tuple[list[tuple], dict[str, int]]:
        content = [b"item,click,city", *rows]
        (tmp_path / "f.csv").write_bytes(b"\n".join(content) + b"\n")
        log = LogRows(load_declaration(tmp_path / "log.yaml"), tmp_path, 0, max_bad_rows)
        frames = [frame.select("item", "city") for frame, _, _ in log.read(lambda done: None)]
        return [row for frame in frames for row in frame.iter_rows()][:-1], dict(
            log.bad_rows.counts
        )

    return read


def test_a_nul_costs_no_row_and_stays_in_its_cell(read):
    """Arrow overlooks separators and line ends within eight bytes after a NUL."""
    rows = [b"a,1,b"] * 3 + [b"c\0,0,d", b"e,1,f\0", b"\0,0,\0", b"g,1,h"]
    cells, bad = read(rows)
    assert cells == [("a", "b")] * 3 + [("c\0", "d"), ("e", "f\0"), ("\0", "\0"), ("g", "h")]
    assert not bad


def test_bytes_that_are_not_utf_8_cost_their_own_row_alone(read):
    rows = [b"a,1,b", b"c,0,\xff", b"d,1,e", b"\xc3,0,f\0", b"g,1,h", b"i,1,\xed\xa0\x80", b"j,0,k"]
    cells, bad = read(rows, max_bad_rows=9)
    assert cells == [("a", "b"), ("d", "e"), ("g", "h"), ("j", "k")]
    assert bad == {"not UTF-8": 3}


@pytest.mark.parametrize("seed", range(20))
def test_rows_survive_any_bytes_at_the_ends_of_blocks(read, seed):
    draw = random.Random(seed)
    pieces = [b"\0", "é".encode(), "😀".encode(), b"\x01", b"x", b"yy", b"\xef\xbf\xbd"]
    rows, expected = [], []
    for _ in range(300):
        item, city = (
            b"w" + b"".join(draw.choices(pieces, k=draw.randrange(1, 12))) for _ in range(2)
        )
        rows.append(item + b",1," + city)
        expected.append((item.decode(), city.decode()))
    cells, bad = read(rows)
    assert cells == expected
    assert not bad


@pytest.mark.parametrize("separator", ["::", "|~|", "¦", "aab", " - "])
def test_separators_of_several_characters_or_bytes_at_the_ends_of_blocks(
    tmp_path, monkeypatch, separator
):
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", BLOCK)
    (tmp_path / "log.yaml").write_text(yaml.safe_dump({**DECLARATION, "separator": separator}))
    draw = random.Random(1)
    rows = [["item", "click", "city"]]
    for _ in range(400):
        cell = draw.choice(["x", ":", "é", "a", "\x1f", "\0", "|", "-"]) * draw.randrange(1, 4)
        cell = "y" if separator in cell else cell
        rows.append([cell + "x", str(draw.randrange(2)), f'"{separator}{cell}{separator}"'])
    text = "".join(separator.join(row) + "\n" for row in rows)
    for name in "ft":
        (tmp_path / f"{name}.csv").write_text(
            text if name == "f" else separator.join(rows[0]) + "\n" + separator.join("x1y") + "\n"
        )
    log = LogRows(load_declaration(tmp_path / "log.yaml"), tmp_path, 0, 0)
    frames = [frame.select("item", "city") for frame, _, _ in log.read(lambda done: None)]
    found = [row for frame in frames for row in frame.iter_rows()][:-1]
    assert found == [(row[0].strip(" "), row[2].strip('"').strip(" ")) for row in rows[1:]]


@pytest.mark.parametrize("separator", ["", "\\t", "\\s+", '"', "\n", "a\0"])
def test_what_cannot_stand_between_cells_is_refused(tmp_path, separator):
    (tmp_path / "log.yaml").write_text(yaml.safe_dump({**DECLARATION, "separator": separator}))
    with pytest.raises(DatasetError, match=r"separator is .*, expected text"):
        load_declaration(tmp_path / "log.yaml")
