"""A TFDS builder whose folder is a prepared dataset."""

import abc
import pathlib
import shutil
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core.dataset_builder import FileReaderBuilder

from data_prep.storage.shards import prefix
from data_prep.storage.tfds_metadata import description
from dcrnn_tf.dataset.schema import DatasetError, Schema, Shard


class PreparedBuilder(FileReaderBuilder):
    """Prepares a dataset from raw files in TFDS's manual folder.

    What comes to lie in TFDS's folder is the prepared dataset, which `PreparedDataset` reads too.
    TFDS reads blocks of rows: `tfds.load` yields, for each, every column as an array.
    """

    # TFDS looks beside the code for checksums of downloads, of which there are none here. To find
    # the code it would take importlib_resources, which it does not install.
    code_path = None

    @abc.abstractmethod
    def columns(self) -> dict[str, str]:
        """The columns on disk of an exposure, and their types."""

    @abc.abstractmethod
    def prepare(
        self,
        raw_dir: pathlib.Path,
        out_dir: pathlib.Path,
        download_config: tfds.download.DownloadConfig,
    ) -> Schema:
        """Prepares the dataset.

        Args:
          raw_dir: folder of the raw files.
          out_dir: folder to make.
          download_config: Configuration of TFDS; with options or a runner of Beam, Beam prepares.
        """

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=description(self.name),
            features=_features(self.columns()),
        )

    def _download_and_prepare(self, dl_manager, download_config) -> None:
        try:
            raw_dir = pathlib.Path(dl_manager.manual_dir)
        except AssertionError as error:  # no such folder, or nothing in it
            raise DatasetError(" ".join(str(error).split())) from None
        folder = pathlib.Path(self.data_dir)  # a temporary one, which TFDS renames
        prepared = folder / "prepared"
        schema = self.prepare(raw_dir, prepared, download_config)
        for path in prepared.iterdir():
            shutil.move(path, folder / path.name)
        prepared.rmdir()
        shards = {name: split.shards for name, split in schema.splits.items()}
        splits = _splits(folder, schema.name, shards)
        self.info.set_splits(tfds.core.splits.SplitDict(splits))


def beam_options(download_config: tfds.download.DownloadConfig):
    """What TFDS was told of Beam, as Beam's options; None if nothing."""
    runner = download_config.beam_runner
    if runner is None and download_config.beam_options is None:
        return None
    from apache_beam.options.pipeline_options import StandardOptions

    from data_prep.beam.stage import pipeline_options

    options = download_config.beam_options or pipeline_options("")
    if runner is not None:
        name = runner if isinstance(runner, str) else type(runner).__name__
        options.view_as(StandardOptions).runner = name
    return options


def _features(columns: Mapping[str, str]) -> tfds.features.FeaturesDict:
    """The `FeaturesDict` of blocks of columns on disk, given with their types."""
    features: dict = {}
    for column, dtype in columns.items():
        base, _, part = column.rpartition("/")
        kind = np.dtype(dtype)
        shape = (None, *kind.shape)
        tensor = tfds.features.Tensor(shape=shape, dtype=kind.base, encoding="bytes")
        if base:
            features.setdefault(base, {})[part] = tensor
        else:
            features[column] = tensor
    return tfds.features.FeaturesDict(features)


def _splits(
    folder: pathlib.Path, name: str, shards: Mapping[str, Sequence[Shard]]
) -> list[tfds.core.SplitInfo]:
    """The `SplitInfo` of each split whose shards lie in a folder."""
    return [
        tfds.core.SplitInfo(
            name=split,
            shard_lengths=[shard.records for shard in files],
            num_bytes=sum(shard.bytes for shard in files),
            filename_template=tfds.core.ShardedFileTemplate(
                data_dir=folder,
                dataset_name=prefix(name),
                split=split,
                filetype_suffix="tfrecord",
            ),
        )
        for split, files in shards.items()
    ]
