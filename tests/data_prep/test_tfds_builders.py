"""Prepared datasets as TFDS builders."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from data_prep.ali_ccp.preparation import prepare
from data_prep.tfds_builders.ali_ccp import AliCcpConfig
from data_prep.tfds_builders.own_log import OwnTable, TableConfig
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError, load_schema
from tests.data_prep.ali_ccp.test_preparation import made, raw  # noqa: F401
from tests.data_prep.beam.same import assert_same
from tests.data_prep.own_log.small_shop import dataset_rows, declare, write_csv


def config():
    return AliCcpConfig(name="tiny", settings=made())


def load(tmp_path, manual_dir, **how):
    download = tfds.download.DownloadConfig(manual_dir=manual_dir, **how)
    return tfds.load(
        "ali_ccp",
        data_dir=tmp_path / "tfds",
        builder_kwargs={"config": config()},
        download_and_prepare_kwargs={"download_config": download},
    )


def test_tfds_loads_ali_ccp_from_raw_files(raw, tmp_path):  # noqa: F811
    splits = load(tmp_path, raw)
    (block,) = splits["train"]
    assert sorted(block["user_row"].numpy()) == [0, 0, 1]
    assert block["click"].numpy().sum() == 2
    folder = tmp_path / "tfds" / "ali_ccp" / "tiny" / "1.0.0"
    prepare(raw, tmp_path / "alone", made())
    assert_same(tmp_path / "alone", folder)
    (features, labels), *_ = PreparedDataset(folder).batches("test", batch_size=8)
    assert features["field_205"].shape == labels["click"].shape == (1,)
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == [
        "user",
        "vocabularies",
    ]
    again = load(tmp_path, tmp_path / "nowhere")  # it is there already
    np.testing.assert_array_equal(next(iter(again["train"]))["click"], block["click"])


def test_tfds_prepares_on_beam(raw, tmp_path):  # noqa: F811
    beam = pytest.importorskip("apache_beam")
    options = beam.options.pipeline_options.PipelineOptions(["--runner=DirectRunner"])
    load(tmp_path, raw, beam_options=options)
    prepare(raw, tmp_path / "alone", made())
    assert_same(tmp_path / "alone", tmp_path / "tfds" / "ali_ccp" / "tiny" / "1.0.0")


def test_missing_raw_files_are_named(raw, tmp_path):  # noqa: F811
    with pytest.raises(DatasetError, match=r"nowhere does not exist.*put sample_skeleton_train"):
        load(tmp_path, tmp_path / "nowhere")
    (raw / "sample_skeleton_test.csv").unlink()
    with pytest.raises(DatasetError, match=r"raw has neither sample_skeleton_test\.csv nor"):
        load(tmp_path, raw)
    assert not list((tmp_path / "tfds").rglob("*1.0.0*"))


def test_an_own_table(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    write_csv(folder)
    declare(folder)
    builder = OwnTable(config=TableConfig.of(folder / "shop.yaml"), data_dir=tmp_path / "tfds")
    download = tfds.download.DownloadConfig(manual_dir=folder)
    builder.download_and_prepare(download_config=download)
    prepared = tmp_path / "tfds" / "own_table" / "shop" / "1.0.0"
    assert sorted(dataset_rows(prepared, "train")) == [1, 2, 3, 4, 5, 6]
    (block,) = builder.as_dataset("test")
    assert sorted(block["row"].numpy()) == [7, 8]
    assert load_schema(prepared).name == "own_table"
    with pytest.raises(DatasetError, match="own_table needs a declaration"):
        OwnTable(data_dir=tmp_path / "tfds")
