import hashlib

import numpy as np
import polars as pl
import pytest
import tensorflow_datasets as tfds

from data_prep.storage import shards as shards_module
from data_prep.storage import writer as writer_module
from data_prep.storage.columns import count_labels
from data_prep.storage.work_folder import WorkFolder
from data_prep.storage.writer import BLOCK_ROWS, DatasetWriter, Ragged
from dcrnn_tf.dataset.schema import (
    MULTI_CATEGORICAL,
    NUMERIC,
    DatasetError,
    Field,
    Task,
    load_schema,
    sha256_of_file,
)
from dcrnn_tf.system.folder_lock import FolderInUseError

FIELDS = (
    Field("number", vocabulary_size=5000),
    Field("tags", MULTI_CATEGORICAL, vocabulary_size=5000, max_values=3, weighted=True),
    Field("price", NUMERIC),
    Field("age", vocabulary_size=9, entity="user"),
)
TASKS = (Task("click"), Task("conversion", only_where="click"))


def columns(start, end):
    """Rows whose every column follows from their number."""
    number = np.arange(start, end)
    lengths = number % 4
    values = np.concatenate([np.full(n % 4, n) for n in number]) if len(number) else number
    return {
        "number": number,
        "tags": Ragged(values, lengths, values / 2),
        "price": number / 4,
        "user_row": number % 2,
        "click": number % 2,
        "conversion": number % 3 == 0,
    }


def write(folder, rows=3000, chunk=3000, seed=5, buckets=1):
    expected = buckets * writer_module.BUCKET_ROWS
    with DatasetWriter(folder, "made", FIELDS, TASKS, seed, expected) as writer:
        writer.add_entity_rows("user", {"age": np.array([4])})
        writer.add_entity_rows("user", {"age": np.array([7])})
        writer.add_vocabulary("age", np.array([30, 20]), np.array([2, 1]))
        for start in range(0, rows, chunk):
            writer.add_rows("train", columns(start, min(rows, start + chunk)))
        return writer.finish({"simulated": True}, {}, {"dropped": 0})


def read(folder, split="train"):
    """The rows, read by TFDS alone."""
    parts = {}
    for record in tfds.builder_from_directory(folder).as_dataset(split=split):
        for name, value in record.items():
            nested = value.items() if isinstance(value, dict) else [("", value)]
            for part, tensor in nested:
                parts.setdefault(f"{name}/{part}" if part else name, []).append(tensor.numpy())
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


@pytest.mark.parametrize("buckets", [1, 3])
def test_tfds_reads_a_permutation_of_the_rows(tmp_path, buckets):
    write(tmp_path / "made", buckets=buckets)
    rows = read(tmp_path / "made")
    number = rows["number"]
    assert sorted(number) == list(range(3000))
    assert not np.array_equal(number, np.arange(3000))
    np.testing.assert_array_equal(rows["price"], (number / 4).astype(np.float32))
    np.testing.assert_array_equal(rows["user_row"], number % 2)
    np.testing.assert_array_equal(rows["click"], number % 2)
    np.testing.assert_array_equal(rows["conversion"], number % 3 == 0)
    np.testing.assert_array_equal(rows["tags/row_lengths"], number % 4)
    np.testing.assert_array_equal(rows["tags/values"], np.repeat(number, number % 4))
    np.testing.assert_array_equal(rows["tags/weights"], np.repeat(number, number % 4) / 2)


def test_the_shuffle_is_global(tmp_path):
    """Rows that were added early come late as often as any others."""
    write(tmp_path / "made", buckets=3)
    place = np.argsort(read(tmp_path / "made")["number"])  # where row 0, 1, ... ended up
    # The mean place of 1,000 of 3,000 rows is 1,499.5 with a standard deviation of 22.4.
    for third in np.split(place, 3):
        assert abs(third.mean() - 1499.5) < 4 * 22.4
    # Neighbours stay neighbours in 2 of 2,999 cases on average.
    assert np.count_nonzero(np.abs(np.diff(place)) == 1) < 12


@pytest.mark.parametrize("buckets", [1, 3])
def test_the_same_rows_give_the_same_files_however_they_arrive(tmp_path, buckets):
    one = write(tmp_path / "one", chunk=3000, buckets=buckets)
    other = write(tmp_path / "other", chunk=137, buckets=buckets)
    assert one == other
    assert one.fingerprint == load_schema(tmp_path / "other").fingerprint
    different = write(tmp_path / "different", seed=6, buckets=buckets)
    assert different.splits["train"].shards != one.splits["train"].shards


def test_schema_counts_rows_and_positives(tmp_path):
    schema = write(tmp_path / "made")
    train = schema.split("train")
    assert train.rows == 3000
    assert train.positives == {"click": 1500, "conversion": 500}  # odd; odd multiples of 3
    assert train.defined == {"click": 3000, "conversion": 1500}
    assert train.out_of_sequence == {"click": 0, "conversion": 0}  # not defined without a click
    assert schema == load_schema(tmp_path / "made")


def test_labels_are_counted_task_by_task():
    tasks = (Task("click"), Task("buy"), Task("return", only_where="buy"))
    labels = {
        "click": np.array([1, 1, 0, 0, 0, 1], np.uint8),
        "buy": np.array([1, 0, 1, 1, 0, 0], np.uint8),
        "return": np.array([1, 1, 0, 1, 1, 0], np.uint8),
    }
    assert count_labels(labels, tasks) == (
        {"click": 3, "buy": 3, "return": 2},
        {"click": 6, "buy": 6, "return": 3},
        {"click": 0, "buy": 2, "return": 0},
    )


def test_blocks_shards_and_checksums(tmp_path, monkeypatch):
    monkeypatch.setattr(shards_module, "SHARD_BLOCKS", 2)
    schema = write(tmp_path / "made", rows=5 * BLOCK_ROWS - 900)
    shards = schema.split("train").shards
    assert [shard.records for shard in shards] == [2, 2, 1]
    assert [shard.rows for shard in shards] == [2048, 2048, 124]
    assert shards[1].file == "made-train.tfrecord-00001-of-00003"
    for shard in (*shards, *schema.entities["user"].shards):
        content = (tmp_path / "made" / shard.file).read_bytes()
        assert len(content) == shard.bytes
        assert hashlib.sha256(content).hexdigest() == shard.sha256
    assert sorted(read(tmp_path / "made")["number"]) == list(range(5 * BLOCK_ROWS - 900))


def test_entity_rows_keep_their_order(tmp_path):
    schema = write(tmp_path / "made")
    assert schema.entities["user"].rows == 2
    assert read(tmp_path / "made" / "user")["age"].tolist() == [4, 7]


def test_vocabularies_are_stored(tmp_path):
    write(tmp_path / "made")
    stored = pl.read_parquet(tmp_path / "made" / "vocabularies" / "age.parquet")
    assert stored.to_dict(as_series=False) == {"id": [30, 20], "count": [2, 1]}


def test_an_existing_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "precious").write_text("data")
    with pytest.raises(DatasetError, match=r"made exists already; remove it or choose another"):
        write(tmp_path / "made")
    assert (tmp_path / "made" / "precious").read_text() == "data"


def test_what_an_unfinished_preparation_left_is_removed(tmp_path, capsys):
    partial = tmp_path / "made.partial"
    partial.mkdir()
    (partial / "half").write_text("half a file")
    write(tmp_path / "made")
    assert "made.partial, left behind" in capsys.readouterr().out
    assert not partial.exists()
    assert not (tmp_path / "made" / "half").exists()


def test_two_writers_of_one_folder(tmp_path):
    with DatasetWriter(tmp_path / "made", "made", FIELDS, TASKS, seed=0) as writer:
        with pytest.raises(FolderInUseError, match=r"made is in use by another process \(pid"):
            DatasetWriter(tmp_path / "made", "made", FIELDS, TASKS, seed=0)
        writer.add_entity_rows("user", {"age": np.array([1, 2])})
        writer.add_rows("train", columns(0, 10))
        writer.finish({}, {}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_two_preparations_in_one_work_folder(tmp_path):
    work = WorkFolder(tmp_path / "work", {"seed": 1})
    work.save("stage.json", {"done": True})
    with pytest.raises(FolderInUseError, match="work is in use"):
        WorkFolder(tmp_path / "work", {"seed": 2})
    assert work.load("stage.json") == {"done": True}
    work.remove()
    WorkFolder(tmp_path / "work", {"seed": 2}).remove()
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_nothing_behind(tmp_path):
    with (
        pytest.raises(ValueError, match="a row outside"),
        DatasetWriter(tmp_path / "made", "made", FIELDS, TASKS, seed=0) as writer,
    ):
        writer.add_rows("train", columns(4990, 5001))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"number": np.array([5000])}, r"number: a row outside \[0, 5000\)"),
        ({"number": np.array([-1])}, "number: a row outside"),
        ({"number": np.array([1, 2])}, "rows, expected"),
        ({"tags": Ragged(np.arange(4), np.array([4]), np.ones(4))}, "a list of 4, allowed 3"),
        ({"tags": Ragged(np.arange(2), np.array([1]), np.ones(2))}, "values do not fit"),
        ({"tags": Ragged(np.arange(1), np.array([1]))}, "differ in tags/weights"),
        ({"colour": np.array([1])}, "differ in colour"),
    ],
)
def test_columns_that_do_not_fit_the_schema_are_refused(tmp_path, changed, message):
    with (
        pytest.raises(ValueError, match=message),
        DatasetWriter(tmp_path / "made", "made", FIELDS, TASKS, seed=0) as writer,
    ):
        writer.add_rows("train", columns(1, 2) | changed)


def test_column_beside_the_dataset_lies_in_its_order(tmp_path):
    rows = 3000
    expected = 2 * writer_module.BUCKET_ROWS
    fields = (Field("number", vocabulary_size=5000),)
    with DatasetWriter(
        tmp_path / "out", "made", fields, TASKS[:1], 5, expected, beside=["score"]
    ) as writer:
        for start in range(0, rows, 700):
            number = np.arange(start, min(rows, start + 700))
            columns = {"number": number, "click": number % 2, "score": number / 8}
            writer.add_rows("train", columns)
        schema = writer.finish({}, {}, {})
    assert list(schema.exposure_columns()) == ["number", "click"]
    found = read(tmp_path / "out")
    score = np.load(tmp_path / "out" / "score_train.npy")
    assert score.dtype == np.float32
    assert (score == found["number"] / 8).all()
    digest = sha256_of_file(tmp_path / "out" / "score_train.npy")
    assert schema.source == {"files_beside": {"score_train.npy": digest}}
    assert not (np.diff(score) > 0).all()


def test_column_beside_the_dataset_takes_no_memory_map(tmp_path, monkeypatch):
    # Writing to a map of a file for which the disk has no room kills the process.
    monkeypatch.setattr(np.lib.format, "open_memmap", None)
    fields = (Field("number", vocabulary_size=5000),)
    with DatasetWriter(tmp_path / "out", "made", fields, TASKS[:1], 5, beside=["score"]) as writer:
        number = np.arange(100)
        writer.add_rows("train", {"number": number, "click": number % 2, "score": number / 8})
        writer.finish({}, {}, {})
    score = np.load(tmp_path / "out" / "score_train.npy")
    assert (score == read(tmp_path / "out")["number"] / 8).all()


def test_vocabulary_without_a_string_is_stored(tmp_path):
    with DatasetWriter(tmp_path / "out", "made", FIELDS[2:3], TASKS[:1], 5) as writer:
        writer.add_vocabulary("city", np.empty(0, object), np.empty(0, np.int64))
        writer.add_rows("train", {"price": np.zeros(2), "click": np.array([0, 1])})
        writer.finish({}, {}, {})
    table = pl.read_parquet(tmp_path / "out" / "vocabularies" / "city.parquet")
    assert table.schema == {"id": pl.String, "count": pl.Int64}
