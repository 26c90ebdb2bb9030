"""Remote files are read as local ones are; fsspec's memory stands in for a bucket."""

import gzip
import json
import pathlib
import pickle
import random

import fsspec
import polars as pl
import pytest

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.parsing.remote import RemotePath, raw_folder
from data_prep.own_log.preparation import prepare
from dcrnn_tf.dataset.schema import DatasetError
from tests.data_prep.beam.same import assert_same

FIELDS = {
    "item": {"kind": "categorical", "min_count": 2},
    "price": {"kind": "numeric", "scaling": "quantile"},
    "day": {"kind": "categorical", "min_count": 1},
}


def declared(files="logs", **entries):
    split = {"by": "fraction", "files": files, "test_fraction": 0.3}
    content = {"name": "log", "split": split, "fields": FIELDS, "tasks": {"click": {}}, **entries}
    return parse_declaration(content, pathlib.Path("log.yaml"))


@pytest.fixture
def folders(tmp_path):
    """The same files in a local folder and in a remote one."""
    draw = random.Random(2)
    frame = pl.DataFrame(
        {
            "item": draw.choices(["a", "b", "c"], k=300),
            "price": [draw.random() for _ in range(300)],
            "click": [int(draw.random() < 0.3) for _ in range(300)],
        }
    )
    logs = tmp_path / "raw" / "logs"
    for day in range(3):
        (logs / f"day={day}").mkdir(parents=True)
    (logs / "day=0" / "part-0").write_bytes(gzip.compress(frame[:100].write_csv().encode()))
    frame[100:200].write_parquet(logs / "day=1" / "part-0")
    lines = [json.dumps(row) for row in frame[200:].to_dicts()]
    (logs / "day=2" / "part-0").write_text("\n".join(lines))
    (logs / "day=2" / "_SUCCESS").write_text("")
    memory = fsspec.filesystem("memory")
    url = f"memory://{tmp_path.name}/raw"
    memory.put(str(tmp_path / "raw"), url, recursive=True)
    yield tmp_path / "raw", url
    memory.rm(f"/{tmp_path.name}", recursive=True)


@pytest.mark.parametrize("files", ["logs", "logs/*/*", "logs/day=?/part-*", "logs/**/part-0"])
def test_the_same_dataset_as_of_local_files(folders, tmp_path, files):
    local, remote = folders
    prepare(declared(files), local, tmp_path / "local")
    schema = prepare(declared(files), remote, tmp_path / "remote")
    assert_same(tmp_path / "local", tmp_path / "remote")
    assert schema.filters["hidden_files"] == ([] if "part" in files else ["_SUCCESS"])


def test_the_same_dataset_on_beam(folders, tmp_path):
    pytest.importorskip("apache_beam")
    from data_prep.beam.own_log.preparation import prepare as prepare_on_beam

    prepare(declared(), folders[1], tmp_path / "alone")
    prepare_on_beam(declared(), folders[1], tmp_path / "beam")
    assert_same(tmp_path / "alone", tmp_path / "beam")


def test_a_bad_row_is_named_with_its_url(folders, tmp_path):
    with fsspec.open(f"{folders[1]}/logs/day=2/part-0", "a") as file:
        file.write('\n{"item": "a", "price": "x", "click": 1}')
    with pytest.raises(DatasetError, match=r"memory://.*/logs/day=2/part-0, line 101: field price"):
        prepare(declared(), folders[1], tmp_path / "out")


def test_what_is_not_there_is_refused(folders, tmp_path):
    for files in ("log", "logs/*.csv", "../raw/logs/*", "/logs"):
        with pytest.raises(DatasetError, match=r"holds no file|no file name or pattern"):
            prepare(declared(files), folders[1], tmp_path / "out")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "nothing://bucket/logs",
            r"nothing://bucket/logs cannot be reached .*nothing.*; check its",
        ),
        ("zip://a::s3://bucket/logs.zip", r"is no path such as s3://bucket/logs"),
        ("s3://", r"is no path such as s3://bucket/logs"),
    ],
)
def test_paths_that_nothing_reads_are_refused(tmp_path, url, message):
    with pytest.raises(DatasetError, match=message):
        prepare(declared(), url, tmp_path / "out")


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "get_filesystem_class", missing)
    with pytest.raises(DatasetError, match=r"s3://b/logs cannot be reached \(Install s3fs to ac"):
        prepare(declared(), "s3://b/logs", tmp_path / "out")


class Broken(RuntimeError):
    """As the packages of remote file systems have them, which are no OSError."""


@pytest.mark.parametrize("day", [0, 1, 2])
def test_a_connection_that_breaks_is_one_sentence(folders, tmp_path, monkeypatch, day):
    memory = type(fsspec.filesystem("memory"))
    opened = memory.open

    def breaking(self, path, *args, **options):
        file = opened(self, path, *args, **options)
        if f"day={day}" in path:

            def read(*_):
                raise Broken("the connection was closed")

            monkeypatch.setattr(file, "read", read)
        return file

    monkeypatch.setattr(memory, "open", breaking)
    with pytest.raises(DatasetError, match=rf"day={day}/part-0 cannot be read \(the connection"):
        prepare(declared(), folders[1], tmp_path / "out")


def test_a_path_is_like_one_of_pathlib():
    path = raw_folder("memory://bucket/logs/")
    assert pickle.loads(pickle.dumps(path)) == path
    assert str(path / "day=1/part.csv") == "memory://bucket/logs/day=1/part.csv"
    file = path / "day=1" / "part.csv.gz"
    assert (file.name, file.suffix) == ("part.csv.gz", ".gz")
    assert file.relative_to(path) == pathlib.PurePosixPath("day=1/part.csv.gz")
    assert file.with_name("x") == path / "day=1/x"
    assert path < file
    assert isinstance(path, RemotePath)
    assert raw_folder("logs") == pathlib.Path("logs")
