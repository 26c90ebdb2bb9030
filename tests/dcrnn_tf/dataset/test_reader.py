import collections
import shutil

import numpy as np
import pytest
import tensorflow as tf

from data_prep.storage import shards as shards_module
from data_prep.storage.writer import Ragged
from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError, Task
from dcrnn_tf.training import losses
from tests.conftest import exposure_columns, user_columns, write_dataset
from tests.damage import flip_byte


def padded(column: Ragged, rows, width, part="values"):
    """Independent of the code under test: one list at a time."""
    starts = np.concatenate([[0], np.cumsum(column.row_lengths)])
    lists = [getattr(column, part)[starts[row] : starts[row + 1]] for row in rows]
    return np.array([np.pad(np.asarray(x, float), (0, width - len(x))) for x in lists])


def collect(dataset, split, batch_size, **options):
    """All rows of a split in the order of their batches, entity fields spread over the rows."""
    parts = {}
    sizes = []
    for features, labels in dataset.batches(split, batch_size, **options):
        features = {name: value.numpy() for name, value in features.items()}
        index = features.pop("user_row")
        for name in ("age", "history"):
            features[name] = features[name][index]
        width = 6 - features["history"].shape[1]  # lists are as wide as the longest of the batch
        features["history"] = np.pad(features["history"], ((0, 0), (0, width)))
        for name, value in {**features, **{k: v.numpy() for k, v in labels.items()}}.items():
            parts.setdefault(name, []).append(value)
        sizes.append(len(index))
    return {name: np.concatenate(values) for name, values in parts.items()}, sizes


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return PreparedDataset(dataset_folder)


def test_static_shapes_hold_the_same_rows(dataset):
    rows, _ = collect(dataset, "train", 16, seed=3)
    static, _ = collect(dataset, "train", 16, seed=3, static_shapes=True)
    assert rows.keys() == static.keys()
    for name in rows:
        np.testing.assert_array_equal(static[name], rows[name])
    shapes = set()
    for features, _ in dataset.batches("train", 16, seed=3, static_shapes=True).take(180):
        shapes.add(tuple((name, tuple(value.shape)) for name, value in sorted(features.items())))
    ((*only,),) = shapes
    assert dict(only)["history"] == (16, 6)
    assert dict(only)["age"] == (16,)


@pytest.mark.parametrize("seed", [None, 11])
def test_every_row_arrives_once_with_its_own_values(dataset, seed):
    rows, sizes = collect(dataset, "train", 256, seed=seed)
    assert sizes == [256] * 11 + [3000 - 11 * 256]
    wanted = exposure_columns(3000, 0)
    original = np.rint(rows["price"] * 100).astype(int)  # the row's number when it was written
    assert sorted(original) == list(range(3000))
    users = user_columns()
    who = wanted["user_row"][original]
    np.testing.assert_array_equal(rows["item"], wanted["item"][original])
    np.testing.assert_array_equal(rows["tags"], padded(wanted["tags"], original, 4))
    np.testing.assert_allclose(
        rows["tags_weight"], padded(wanted["tags"], original, 4, "weights"), rtol=1e-6
    )
    np.testing.assert_array_equal(rows["age"], users["age"][who])
    np.testing.assert_array_equal(rows["history"], padded(users["history"], who, 6))
    np.testing.assert_array_equal(rows["click"], wanted["click"][original])
    np.testing.assert_array_equal(rows["conversion"], wanted["conversion"][original])


def test_each_distinct_user_of_a_batch_is_delivered_once(dataset):
    for features, _ in dataset.batches("train", 256, seed=1):
        index = features["user_row"].numpy()
        assert set(index) == set(range(len(features["age"])))
        assert len(features["age"]) <= 40


def test_order_depends_on_seed_and_epoch_alone(dataset):
    def order(**options):
        return collect(dataset, "train", 256, **options)[0]["price"]

    first = order(seed=1, epoch=0)
    np.testing.assert_array_equal(first, order(seed=1, epoch=0))
    for other in (order(seed=1, epoch=1), order(seed=2, epoch=0), order()):
        assert not np.array_equal(first, other)
        np.testing.assert_array_equal(np.sort(first), np.sort(other))


def test_without_a_seed_rows_come_as_the_shards_lie_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(shards_module, "BLOCK_ROWS", 16)
    monkeypatch.setattr(shards_module, "SHARD_BLOCKS", 3)
    dataset = PreparedDataset(write_dataset(tmp_path / "d", {"train": 500}))
    shards = dataset.schema.splits["train"].shards
    assert [shard.rows for shard in shards] == [48] * 10 + [20]
    prices = []
    for shard in shards:
        for record in tf.data.TFRecordDataset(str(tmp_path / "d" / shard.file)):
            example = tf.train.Example.FromString(record.numpy())
            (raw,) = example.features.feature["price"].bytes_list.value
            prices.append(np.frombuffer(raw, np.float32))
    for _ in range(3):
        rows, _ = collect(dataset, "train", 64)
        np.testing.assert_array_equal(rows["price"], np.concatenate(prices))


def test_skip_goes_on_in_mid_epoch(dataset):
    whole, _ = collect(dataset, "train", 256, seed=1, epoch=2)
    rest, sizes = collect(dataset, "train", 256, seed=1, epoch=2, skip=5)
    assert len(sizes) == dataset.steps("train", 256) - 5
    for name in whole:
        np.testing.assert_array_equal(rest[name], whole[name][5 * 256 :])


def test_a_task_that_is_defined_on_clicks_alone_is_minus_one_elsewhere(tmp_path):
    tasks = (Task("click"), Task("conversion", only_where="click"))
    folder = write_dataset(tmp_path / "d", {"train": 400}, tasks)
    dataset = PreparedDataset(folder)
    rows, _ = collect(dataset, "train", 128)
    assert set(rows["conversion"][rows["click"] == 0]) == {-1.0}
    assert set(rows["conversion"][rows["click"] == 1]) == {0.0, 1.0}
    split = dataset.schema.splits["train"]
    assert split.defined == {"click": 400, "conversion": split.positives["click"]}
    assert split.positives["conversion"] == (rows["conversion"] == 1).sum()


def test_some_fields_only(dataset_folder):
    dataset = PreparedDataset(dataset_folder, fields=["item", "price"])
    features, _ = next(iter(dataset.batches("test", 8)))
    assert set(features) == {"item", "price"}


def test_keras_takes_the_batches_as_they_are(dataset):
    spec = dataset.batches("train", 64).element_spec
    assert spec[0]["tags"].shape.as_list() == [None, 4]
    assert spec[1]["click"].dtype == tf.float32


@pytest.fixture
def damaged(dataset_folder, tmp_path):
    return shutil.copytree(dataset_folder, tmp_path / "damaged")


def test_a_missing_shard_is_named(damaged):
    (damaged / "tiny-test.tfrecord-00000-of-00001").unlink()
    with pytest.raises(DatasetError, match=r"tiny-test\.tfrecord-00000-of-00001 is missing"):
        PreparedDataset(damaged)


def test_files_of_splits_that_are_not_read_are_never_opened(damaged):
    """Neither are they when damage is looked for."""
    (damaged / "tiny-test.tfrecord-00000-of-00001").unlink()
    dataset = PreparedDataset(damaged, splits=("train", "validation"))
    assert dataset.splits == ("train", "validation")
    assert dataset.schema.fingerprint == PreparedDataset(damaged, splits=()).schema.fingerprint
    assert sum(len(labels["click"]) for _, labels in dataset.batches("validation", 64)) == 500
    with pytest.raises(DatasetError, match=r"the split test of .* is not to be read here"):
        dataset.batches("test", 64)
    path = damaged / "tiny-train.tfrecord-00000-of-00001"
    flip_byte(path)
    with pytest.raises(DatasetError, match=r"tiny-train.* record 1 \(counted from 0\) is damaged"):
        collect(dataset, "train", 64)


def test_a_cut_shard_is_named_even_if_cut_between_records(damaged):
    path = damaged / "tiny-train.tfrecord-00000-of-00001"
    records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    assert len(records) == 3
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records[:-1]:
            writer.write(record)
    with pytest.raises(DatasetError, match=r"tiny-train.tfrecord-00000-of-00001 has \d+ bytes"):
        PreparedDataset(damaged)


def test_a_flipped_byte_is_found_and_named(damaged):
    path = damaged / "tiny-train.tfrecord-00000-of-00001"
    flip_byte(path)
    dataset = PreparedDataset(damaged)
    sentence = r"tiny-train.* record 1 \(counted from 0\) is damaged"
    with pytest.raises(DatasetError, match=sentence):
        dataset.verify()
    batches = dataset.batches("train", 64, seed=1)
    for iterate in (iter, tf.data.Dataset.as_numpy_iterator):
        with pytest.raises(DatasetError, match=sentence):
            collections.deque(iterate(batches), maxlen=0)


def test_damage_under_keras_own_loop_is_named_in_the_context(damaged):
    flip_byte(damaged / "tiny-train.tfrecord-00000-of-00001")
    dataset = PreparedDataset(damaged)
    model = models.build("shared_bottom", dataset.schema)
    model.compile("sgd", loss=losses.multi_task_losses({"click": 1.0, "conversion": 1.0}))
    with pytest.raises(DatasetError, match="tiny-train"), dataset.naming_damage():
        model.fit(dataset.batches("train", 64), verbose=0)


@pytest.mark.parametrize("static_shapes", [False, True])
def test_joined_batches_have_a_row_of_the_entity_table_for_each_exposure(dataset, static_shapes):
    apart, _ = collect(dataset, "train", 256, seed=1)
    first = 0
    for features, _ in dataset.batches("train", 256, 1, static_shapes=static_shapes, joined=True):
        assert "user_row" not in features
        end = first + len(features["item"])
        for name, column in features.items():
            expected = apart[name][first:end]
            if name == "history":
                expected = expected[:, : column.shape[1]]
                assert not apart[name][first:end, column.shape[1] :].any()
            np.testing.assert_array_equal(column, expected, err_msg=name)
        first = end
    assert first == 3000


def test_a_shard_exchanged_for_another_of_equal_size_is_found(damaged):
    path = damaged / "user" / "user-train.tfrecord-00000-of-00001"
    content = path.read_bytes()
    dataset = PreparedDataset(damaged)
    dataset.verify()
    path.write_bytes(content[::-1])
    with pytest.raises(DatasetError, match="user-train"):
        dataset.verify()
