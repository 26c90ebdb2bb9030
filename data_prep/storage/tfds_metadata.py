"""The metadata by which TFDS reads a prepared dataset, written without TFDS."""

import json
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from data_prep.storage.shards import BLOCK_ROWS, prefix
from dcrnn_tf.dataset.schema import Schema, Shard

FEATURES_FILE, INFO_FILE = "features.json", "dataset_info.json"
_FEATURES = "tensorflow_datasets.core.features"


def write_tfds_metadata(folder: pathlib.Path, schema: Schema) -> None:
    """Writes what `tfds.builder_from_directory` reads, for a dataset and its entity tables.

    Args:
      folder: Folder of the dataset.
      schema: Its schema.
    """
    shards = {name: split.shards for name, split in schema.splits.items()}
    _write(folder, schema.name, schema.exposure_columns(), shards)
    for name, entity in schema.entities.items():
        _write(folder / name, name, schema.entity_columns(name), {"train": entity.shards})


def description(name: str) -> str:
    """What TFDS says of a dataset or an entity table."""
    return f"{name}: each record is a block of up to {BLOCK_ROWS} rows."


def _write(
    folder: pathlib.Path,
    name: str,
    columns: Mapping[str, str],
    shards: Mapping[str, Sequence[Shard]],
) -> None:
    tree: dict = {}
    for column, dtype in columns.items():
        base, _, part = column.rpartition("/")
        (tree.setdefault(base, {}) if base else tree)[part] = _tensor(np.dtype(dtype))
    _save(folder / FEATURES_FILE, _features(tree))
    _save(
        folder / INFO_FILE,
        {
            "name": prefix(name),
            "version": "1.0.0",
            "description": description(name),
            "fileFormat": "tfrecord",
            "splits": [_split(split, files) for split, files in shards.items()],
        },
    )


def _tensor(dtype: np.dtype) -> dict:
    """Values of one type, or vectors of them, for each row of a block."""
    dimensions = [str(size) for size in (-1, *dtype.shape)]
    return {
        "pythonClassName": f"{_FEATURES}.tensor_feature.Tensor",
        "tensor": {
            "shape": {"dimensions": dimensions},
            "dtype": dtype.base.name,
            "encoding": "bytes",
        },
    }


def _features(tree: Mapping[str, dict]) -> dict:
    """Features by name, and in each that is no tensor, its parts."""
    return {
        "pythonClassName": f"{_FEATURES}.features_dict.FeaturesDict",
        "featuresDict": {
            "features": {
                name: value if "pythonClassName" in value else _features(value)
                for name, value in tree.items()
            }
        },
    }


def _split(name: str, shards: Sequence[Shard]) -> dict:
    return {
        "name": name,
        "shardLengths": [str(shard.records) for shard in shards],
        "numBytes": str(sum(shard.bytes for shard in shards)),
        "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
    }


def _save(path: pathlib.Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True), encoding="utf-8")
