"""Records and metadata are to the bit what TensorFlow and TFDS would write."""

import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from data_prep.storage.records import RecordFile, example
from data_prep.storage.shards import prefix
from data_prep.storage.tfds_metadata import FEATURES_FILE, INFO_FILE, description
from data_prep.storage.writer import DatasetWriter
from dcrnn_tf.dataset.schema import VECTOR, Field, Task
from tests.conftest import FIELDS, TASKS, exposure_columns, user_columns


def block(rows):
    random = np.random.default_rng(rows)
    return {
        "b": random.integers(-9, 9, rows).astype(np.int32),
        "a/values": random.random(rows).astype(np.float32),
        "z": random.random((rows, 3)).astype(np.float32),
        "商品": np.zeros(rows, np.uint8),
        "every other": np.arange(2 * rows, dtype=np.uint16)[::2],
    }


def by_tensorflow(columns):
    feature = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[values.tobytes()]))
        for name, values in columns.items()
    }
    whole = tf.train.Example(features=tf.train.Features(feature=feature))
    return whole.SerializeToString(deterministic=True)


@pytest.mark.parametrize("rows", [0, 1, 15, 16, 1024, 9000])  # lengths of 1, 2 and 3 digits
def test_a_record_holds_the_bytes_of_tensorflows_example(rows):
    assert example(block(rows)) == by_tensorflow(block(rows))


def test_a_file_has_the_bytes_of_tensorflows_writer(tmp_path):
    with RecordFile(tmp_path / "ours") as file:
        for rows in (1024, 0, 7):
            file.write(block(rows))
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as file:
        for rows in (1024, 0, 7):
            file.write(by_tensorflow(block(rows)))
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_a_full_disk_is_an_error_of_the_system():
    file = RecordFile("/dev/full")
    file.write(block(1024))
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        file.close()


def test_metadata_is_what_tfds_writes(tmp_path):
    fields = (*FIELDS, Field("vector", VECTOR, length=4))
    tasks = (*TASKS, Task("survey", may_be_missing=True))
    with DatasetWriter(tmp_path / "made", "小", fields, tasks, seed=1) as writer:
        writer.add_entity_rows("user", user_columns())
        for split, rows in (("train", 1030), ("test", 7)):
            more = {"vector": np.ones((rows, 4), np.float32), "survey": -np.ones(rows)}
            writer.add_rows(split, exposure_columns(rows, 1) | more)
        schema = writer.finish({}, {}, {})
    entity = schema.entity_columns("user"), {"train": schema.entities["user"]}
    for name, folder, columns, parts in (
        (schema.name, tmp_path / "made", schema.exposure_columns(), schema.splits),
        ("user", tmp_path / "made" / "user", *entity),
    ):
        ours = contents(folder)
        tfds.folder_dataset.write_metadata(
            data_dir=folder,
            features=features(columns),
            split_infos=[
                tfds.core.SplitInfo(
                    name=split,
                    shard_lengths=[shard.records for shard in part.shards],
                    num_bytes=sum(shard.bytes for shard in part.shards),
                    filename_template=tfds.core.ShardedFileTemplate(
                        data_dir=folder,
                        dataset_name=prefix(name),
                        split=split,
                        filetype_suffix="tfrecord",
                    ),
                )
                for split, part in parts.items()
            ],
            description=description(name),
        )
        assert ours == contents(folder)


def contents(folder):
    return [json.loads((folder / name).read_text("utf-8")) for name in (FEATURES_FILE, INFO_FILE)]


def features(columns):
    tree = {}
    for column, dtype in columns.items():
        base, _, part = column.rpartition("/")
        kind = np.dtype(dtype)
        shape = (None, *kind.shape)
        tensor = tfds.features.Tensor(shape=shape, dtype=kind.base, encoding="bytes")
        (tree.setdefault(base, {}) if base else tree)[part] = tensor
    return tfds.features.FeaturesDict(tree)


def test_preparations_run_without_tensorflow():
    modules = ("own_log", "ali_ccp", "criteo", "wechat")
    imports = "; ".join(f"import data_prep.{name}.preparation" for name in modules)
    code = f"import sys; {imports}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_log_is_prepared_where_tensorflow_cannot_be_imported(tmp_path):
    (tmp_path / "log.csv").write_text("item,click\n" + "a,1\nb,0\n" * 20)
    declaration = {
        "name": "log",
        "split": {"by": "fraction", "files": "log.csv", "test_fraction": 0.5},
        "fields": {"item": {"kind": "categorical", "min_count": 1}},
        "tasks": {"click": {}},
    }
    (tmp_path / "log.json").write_text(json.dumps(declaration))
    code = (
        "import pathlib, sys; sys.modules['tensorflow'] = None;"
        "from data_prep.own_log.declaration import load_declaration;"
        "from data_prep.own_log.preparation import prepare;"
        "folder = pathlib.Path(sys.argv[1]);"
        "prepare(load_declaration(folder / 'log.json'), folder, folder / 'made')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True)
    assert done.returncode == 0, done.stderr
    names = tfds.builder_from_directory(tmp_path / "made").info.splits
    assert set(names) == {"train", "test"}
