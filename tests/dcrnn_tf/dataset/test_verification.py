"""Every kind of damage, caused: named by file and place, before or when it matters."""

import dataclasses
import shutil

import numpy as np
import polars as pl
import pytest
import tensorflow as tf

from dcrnn_tf.dataset import verification
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError, Split, load_schema, sha256_of_file
from tests.damage import change_column, put

TRAIN = "tiny-train.tfrecord-00000-of-00001"
TEST = "tiny-test.tfrecord-00000-of-00001"


@pytest.fixture
def folder(dataset_folder, tmp_path):
    return shutil.copytree(dataset_folder, tmp_path / "d")


def findings(folder):
    return [
        finding.removeprefix(f"{folder}/")
        for finding in verification.findings(folder, load_schema(folder))
    ]


def read(folder, split):
    for _ in PreparedDataset(folder).batches(split, 64, seed=1):
        pass


def test_a_sound_dataset_has_no_findings_and_all_rows_are_read(dataset_folder):
    rows = []
    assert not list(verification.findings(dataset_folder, load_schema(dataset_folder), rows.append))
    assert sum(rows) == 40 + 3000 + 500 + 700


@pytest.mark.parametrize(
    ("column", "change", "finding"),
    [
        ("item", put(7, 20), "item: value 7 of the block is 20, its vocabulary allows 0 to 19"),
        ("item", put(7, -1), "item: value 7 of the block is -1, its vocabulary allows 0 to 19"),
        ("tags/values", put(3, 99), "tags: value 3 of the block is 99, its vocabulary allows 0"),
        ("user_row", put(0, 40), "user_row: value 0 of the block is 40, entity table user allows"),
        ("conversion", put(5, 2), "conversion: value 5 of the block is 2, labels allows 0 to 1"),
        ("item", lambda values: values[:-1], "its columns have different numbers of rows"),
        ("item", lambda values: values.view(np.uint8)[:-1], "column item: is missing or no seq"),
    ],
)
def test_what_a_record_holds_is_checked_when_it_is_read_and_by_verify(
    folder, column, change, finding
):
    change_column(folder, "train", 1, column, change)
    place = f"{TRAIN}, record 1 (counted from 0), "
    assert findings(folder)[0].startswith(place + finding)
    with pytest.raises(DatasetError) as raised:
        read(folder, "train")
    assert place + finding in str(raised.value)


@pytest.mark.parametrize(
    ("column", "change", "finding"),
    [
        ("price", put(2, np.nan), "price: value 2 of the block is nan (1 such)"),
        ("tags/weights", put(2, np.inf), "tags/weights: value 2 of the block is inf (1 such)"),
        ("tags/row_lengths", put(0, 9), "tags: a list of 9, allowed 4"),
        ("tags/values", lambda values: values[:-1], "tags: "),
    ],
)
def test_what_only_verify_finds(folder, column, change, finding):
    change_column(folder, "test", 0, column, change)
    assert findings(folder)[0].startswith(f"{TEST}, record 0 (counted from 0), {finding}")


def test_an_entity_table_is_checked_when_it_is_loaded(folder):
    change_column(folder, "user", 0, "history/values", put(1, 30))
    finding = "record 0 (counted from 0), history: value 1 of the block is 30"
    assert finding in findings(folder)[0]
    with pytest.raises(DatasetError, match="history: value 1 of the block is 30"):
        PreparedDataset(folder).entity_table("user")


def test_counts_that_differ_from_the_schemas(folder):
    change_column(folder, "test", 0, "click", lambda values: 1 - values)
    positives = load_schema(folder).splits["test"].positives["click"]
    assert findings(folder) == [
        f"split test: click has {700 - positives} positives, the schema says {positives}"
    ]


def test_a_flipped_byte_a_cut_and_a_lost_shard(folder):
    content = bytearray((folder / TRAIN).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / TRAIN).write_bytes(content)
    path = folder / TEST
    path.write_bytes(path.read_bytes()[:-5])
    (folder / "tiny-validation.tfrecord-00000-of-00001").write_bytes(b"")
    (folder / "user" / "user-train.tfrecord-00000-of-00001").unlink()
    (folder / "features.json").unlink()
    found = "\n".join(findings(folder))
    for wanted in (
        "features.json is missing",
        "user/user-train.tfrecord-00000-of-00001 is missing",
        f"{TRAIN} is not the file that was prepared (checksum differs)",
        f"{TRAIN}, record 1 (counted from 0), is damaged or cut off",
        f"{TEST}, record 0 (counted from 0), is damaged or cut off",
        "tiny-validation.tfrecord-00000-of-00001 has 0 bytes, expected",
        "tiny-validation.tfrecord-00000-of-00001 has 0 records, expected 1",
    ):
        assert wanted in found


def test_a_file_that_vanishes_while_it_is_read_is_named(folder):
    dataset = PreparedDataset(folder)
    batches = dataset.batches("train", 64, seed=1)
    (folder / TRAIN).unlink()
    with pytest.raises(DatasetError, match=f"{TRAIN} is missing"):
        list(batches)


def test_a_damaged_entity_table_is_named(folder):
    path = folder / "user" / "user-train.tfrecord-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"user-train.*record 0 .* is damaged"):
        PreparedDataset(folder).entity_table("user")


def test_a_split_without_rows_is_refused(folder):
    schema = load_schema(folder)
    none = dict.fromkeys(schema.task_names, 0)
    empty = Split("test", rows=0, positives=none, defined=none, shards=())
    dataclasses.replace(schema, splits={**schema.splits, "test": empty}).save(folder)
    with pytest.raises(DatasetError, match=r"the split test of .* has no rows"):
        PreparedDataset(folder).batches("test", 8)


def test_what_is_no_mistake_of_the_data_keeps_its_own_error(dataset_folder):
    with (
        pytest.raises(tf.errors.InvalidArgumentError, match="a fault of the program"),
        PreparedDataset(dataset_folder).naming_damage(),
    ):
        raise tf.errors.InvalidArgumentError(None, None, "a fault of the program")


@pytest.mark.parametrize(
    ("spoil", "finding"),
    [
        (lambda table: table[:-1], "item.parquet has 17 ids, the schema says 18"),
        (
            lambda table: pl.concat([table[:1], table[:-1]]),
            "item.parquet is damaged (the id 100 stands in it twice)",
        ),
        (
            lambda table: table.with_columns(count=pl.arange(1, 19)),
            "item.parquet, id 1 (counted from 0), occurs more often than the one before it",
        ),
        (
            lambda table: table.rename({"id": "key"}),
            "item.parquet is damaged (it has no column id)",
        ),
        (
            lambda table: table.with_columns(pl.col("id").cast(pl.String)),
            "item.parquet holds object where the schema says integer ids",
        ),
        (
            lambda table: table.with_columns(pl.col("id").replace(100, None)),
            "item.parquet is damaged (1 of its ids are null)",
        ),
    ],
)
def test_vocabularies(folder, spoil, finding):
    path = folder / "vocabularies" / "item.parquet"
    spoil(pl.read_parquet(path)).write_parquet(path)
    (found,) = findings(folder)
    assert finding in found


def test_a_vocabulary_that_is_cut_or_lost(folder):
    path = folder / "vocabularies" / "item.parquet"
    path.write_bytes(path.read_bytes()[:50])
    (folder / "vocabularies" / "age.parquet").unlink()
    found = "\n".join(findings(folder))
    assert "item.parquet is damaged (Parquet magic bytes not found" in found
    assert "age.parquet cannot be read" in found


def test_files_beside_the_shards(folder):
    """A preparation that writes columns beside the dataset states their checksums."""
    names = ("confidence_train.npy", "confidence_test.npy", "confidence_validation.npy")
    for name in names:
        np.save(folder / name, np.arange(5, dtype=np.float32))
    digests = {name: sha256_of_file(folder / name) for name in names}
    schema = load_schema(folder)
    dataclasses.replace(schema, source={**schema.source, "files_beside": digests}).save(folder)
    assert not findings(folder)
    content = bytearray((folder / names[0]).read_bytes())
    content[-1] ^= 1
    (folder / names[0]).write_bytes(content)
    (folder / names[1]).unlink()
    assert findings(folder) == [
        "confidence_train.npy is not the file that was prepared (checksum differs)",
        "confidence_test.npy is missing",
    ]
