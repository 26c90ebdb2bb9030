"""Files are what their first bytes say; hidden and empty files are passed over and stated."""

import bz2
import gzip
import io
import lzma
import pathlib
import zipfile

import polars as pl
import pyarrow as pa
import pyarrow.feather
import pytest

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.parsing import csv_file
from data_prep.own_log.parsing.files import LogFile, find_files, open_csv
from data_prep.own_log.parsing.first_bytes import check_text
from data_prep.own_log.preparation import prepare
from data_prep.own_log.rows.log_rows import LogRows
from data_prep.own_log.statistics import notes
from data_prep.storage.bad_rows import BadRows
from dcrnn_tf.dataset.schema import DatasetError

ROWS = [("a", 1), ("b", 0), ("é", 1)] * 100
TEXT = "x,click\n" + "".join(f"{x},{click}\n" for x, click in ROWS)


def declared(files="*", **entries):
    split = {"by": "fraction", "files": files, "test_fraction": 0.3}
    fields = {"x": {"kind": "categorical", "min_count": 1}}
    content = {"name": "log", "split": split, "fields": fields, "tasks": {"click": {}}, **entries}
    return parse_declaration(content, pathlib.Path("log.yaml"))


def read(path, **entries):
    chunks = LogFile(path, declared(**entries).selection).chunks(BadRows(0), lambda done: None)
    frames = [chunk.frame.cast({"click": pl.Int64}) for chunk in chunks]
    return [row for frame in frames for row in frame.select("x", "click").iter_rows()]


def packed(name, data):
    if name in ("zstd", "lz4"):
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, name) as stream:
            stream.write(data)
        return sink.getvalue().to_pybytes()
    return {"gzip": gzip.compress, "bzip2": bz2.compress}[name](data)


def parquet():
    file = io.BytesIO()
    pl.DataFrame(ROWS, schema=["x", "click"], orient="row").write_parquet(file)
    return file.getvalue()


PACKINGS = ["gzip", "bzip2", "zstd", "lz4"]


@pytest.mark.parametrize("name", ["log", "log.csv", "log.GZ", "log.csv.gz", "log.parquet"])
@pytest.mark.parametrize("packing", ["", *PACKINGS])
def test_csv_text_is_read_however_it_is_packed_and_named(tmp_path, monkeypatch, name, packing):
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 1000)
    data = TEXT.encode()
    (tmp_path / name).write_bytes(packed(packing, data) if packing else data)
    assert read(tmp_path / name) == ROWS


@pytest.mark.parametrize("packing", PACKINGS)
def test_what_is_packed_is_named_if_it_is_nothing_or_packed_again(tmp_path, packing):
    (tmp_path / "log").write_bytes(packed(packing, b""))
    with pytest.raises(DatasetError, match="log is empty"):
        read(tmp_path / "log")
    for inner in PACKINGS:
        (tmp_path / "log").write_bytes(packed(packing, packed(inner, TEXT.encode())))
        with pytest.raises(DatasetError, match=f"twice, with {inner} and {packing}; unpack it on"):
            read(tmp_path / "log")


@pytest.mark.parametrize("packing", PACKINGS)
def test_lines_are_named_in_packed_files(tmp_path, packing):
    (tmp_path / "log").write_bytes(packed(packing, (TEXT + "a\n").encode()))
    with pytest.raises(DatasetError, match=r"log, line 302: 1 cells, expected 2"):
        read(tmp_path / "log")


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_file_packed_in_parts_loses_none(tmp_path, packing):
    parts = [packed(packing, part) for part in (TEXT.encode(), b"c,1\n")]
    (tmp_path / "log").write_bytes(b"".join(parts))
    assert read(tmp_path / "log") == [*ROWS, ("c", 1)]
    (tmp_path / "log").write_bytes(parts[0] + b"?" + parts[1][1:])
    with pytest.raises(DatasetError, match=r"log cannot be read \(.*\); fetch it again"):
        read(tmp_path / "log")


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_packed_file_that_is_cut_off_is_refused(tmp_path, packing):
    content = packed(packing, "".join(f"{n * 7919 % 10007},1\n" for n in range(9999)).encode())
    (tmp_path / "log").write_bytes(content[: len(content) // 2])
    with pytest.raises(DatasetError, match=r"log (is cut off|cannot be read).*; fetch it again"):
        read(tmp_path / "log", column_names=["x", "click"])


@pytest.mark.parametrize("name", ["part-00000", "log.csv", "log.csv.gz", "log.parquet", "log.pq"])
def test_parquet_is_read_however_it_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(parquet())
    assert read(tmp_path / name) == ROWS
    with pytest.raises(DatasetError, match=f"{name} is a Parquet file, expected CSV text"):
        open_csv(tmp_path / name, declared().selection)


def test_csv_text_that_begins_like_another_file_is_text(tmp_path):
    for first in ("PAR1", "BZh9", "PAR1,x", "ORC", "Obj"):
        path = tmp_path / "log"
        path.write_text(
            f"{first},x,click\n1,2,1\n" if first != "PAR1,x" else f"{first},click\n1,2,1\n"
        )
        assert read(path) == [("2", 1)]


def without_bytes(value):
    """A test's name says no content: packed bytes hold the time, and every worker has its own."""
    return "content" if isinstance(value, bytes) else None


def archive(name):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as writer:
        writer.writestr(name, "x" * 100)
    return file.getvalue()


def feather():
    file = io.BytesIO()
    pa.feather.write_feather(pa.table({"x": [1]}), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            archive("log.csv"),
            "is a zip archive, expected CSV text, JSON lines or Parquet; unpack it",
        ),
        (
            archive("[Content_Types].xml"),
            "is a workbook of Excel or the like, .*; save its sheet as",
        ),
        (
            feather(),
            r"is an Arrow \(Feather\) file, expected CSV .* or Parquet; write it as Parquet",
        ),
        (
            TEXT.encode("utf-16"),
            "is text in UTF-16, expected CSV text, JSON lines or Parquet; save it as UTF-8",
        ),
        (TEXT.encode("utf-16-be"), "is text in UTF-16, .*; save it as UTF-8"),
        (TEXT.encode("utf-16-le"), "is text in UTF-16, .*; save it as UTF-8"),
        (TEXT.encode("utf-32"), "is text in UTF-32, .*; save it as UTF-8"),
        (gzip.compress(TEXT.encode("utf-16")), "is text in UTF-16, .*; save it as UTF-8"),
        (gzip.compress(parquet()), "is a Parquet file packed with gzip; unpack it"),
        (gzip.compress(b"x" * 257 + b"ustar"), "is a tar archive, .*; unpack it"),
        (
            parquet()[:-9],
            r"cannot be read \(Parquet magic bytes .*; fetch it again",
        ),
        (b"\0" * 600, "log.parquet does not begin as a Parquet file does; fetch it again"),
        (b"\xff\xd8\xff\xe0", "log.parquet does not begin as a Parquet file does; fetch it again"),
    ],
    ids=without_bytes,
)
def test_other_files_are_refused_by_what_they_are(tmp_path, content, message):
    (tmp_path / "log.parquet").write_bytes(content)
    with pytest.raises(DatasetError, match=f"/(log.parquet )?{message}"):
        read(tmp_path / "log.parquet")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.csv", gzip.compress(TEXT.encode()), "is packed with gzip, expected text; unpack it"),
        ("log.csv", bz2.compress(TEXT.encode()), "is packed with bzip2, expected text; unpack it"),
        (
            "log.csv.gz",
            lzma.compress(TEXT.encode()),
            "is packed with xz, .*; unpack it, or .*",
        ),
        ("log.csv", archive("log.csv"), "is a zip archive, expected text; unpack it"),
        ("log.csv.gz", parquet(), "is a Parquet file, expected text; write it as text"),
        ("log.csv", TEXT.encode("utf-16"), "is text in UTF-16, expected text; save it as UTF-8"),
    ],
    ids=without_bytes,
)
def test_readers_of_text_alone_refuse_other_files(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=f"{name} {message}$"):
        check_text(tmp_path / name)


def test_readers_of_text_alone_take_text_and_gzip(tmp_path):
    for name, content in (
        ("log.csv", b""),
        ("log.csv", TEXT.encode()),
        ("log.csv.gz", gzip.compress(TEXT.encode())),
        ("log.csv", b"9\x01\x02\x03,1\n"),
    ):
        (tmp_path / name).write_bytes(content)
        check_text(tmp_path / name)


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    (tmp_path / "log.csv").write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert read(tmp_path / "log.csv") == ROWS


def test_columns_of_one_name_are_refused_only_where_they_are_read(tmp_path):
    (tmp_path / "log.csv").write_text("note,x,note,click,,\n1,a,2,1,3,4\n")
    assert read(tmp_path / "log.csv") == [("a", 1)]
    (tmp_path / "log.csv").write_text("x,click,x\na,1,b\n")
    with pytest.raises(DatasetError, match=r"two columns of the header line are named 'x'; rename"):
        read(tmp_path / "log.csv")


def test_patterns_pass_over_hidden_files_unless_they_say_so(tmp_path):
    for name in (
        *("part-0.csv", "part-1.csv", "._part-0.csv", ".part-0.csv.crc", "_SUCCESS", "_2024.csv"),
        *(".ipynb_checkpoints/part-0.csv", "day/part-2.csv", "_temporary/0/part-3.csv"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(TEXT)

    def found(pattern):
        paths, hidden = find_files(tmp_path, [pattern])
        return tuple(
            " ".join(str(p.relative_to(tmp_path)) for p in part) for part in (paths, hidden)
        )

    assert found("*") == (
        "part-0.csv part-1.csv",
        "._part-0.csv .part-0.csv.crc _2024.csv _SUCCESS",
    )
    assert found("*.csv") == ("part-0.csv part-1.csv", "._part-0.csv _2024.csv")
    assert found("*/*.csv") == ("day/part-2.csv", ".ipynb_checkpoints/part-0.csv")
    assert found("**/*-?.csv")[0] == "day/part-2.csv part-0.csv part-1.csv"
    assert found("_2*.csv") == ("_2024.csv", "")
    assert found("_temporary/*/*.csv") == ("_temporary/0/part-3.csv", "")
    assert found("._part-0.csv") == ("._part-0.csv", "")
    assert found(f"../{tmp_path.name}/p*0.csv")[0].endswith("part-0.csv")
    with pytest.raises(DatasetError, match=r"holds no file \*.crc but hidden ones such as .part-0"):
        found("*.crc")


def test_empty_and_hidden_files_are_stated(tmp_path):
    for n in range(3):
        (tmp_path / f"part-{n}").write_text(TEXT)
    (tmp_path / "part-3").write_bytes(b"")
    (tmp_path / "part-4").write_bytes(gzip.compress(b""))
    (tmp_path / "part-5").write_bytes(b"x,click\n")
    (tmp_path / "part-6").write_bytes(b"\n\n")
    (tmp_path / "_SUCCESS").write_bytes(b"")
    schema = prepare(declared(), tmp_path, tmp_path / "out")
    assert sum(split.rows for split in schema.splits.values()) == 3 * len(ROWS)
    assert list(notes(schema)) == [
        "4 files without a usable row: part-3, part-4, part-6 and 1 more",
        "1 file passed over because hidden: _SUCCESS",
    ]


def test_a_log_of_empty_files_is_refused(tmp_path):
    for n in range(2):
        (tmp_path / f"part-{n}").write_bytes(b"")
    with pytest.raises(DatasetError, match="part-0 is empty"):
        LogRows(declared(), tmp_path, 0, 0)
