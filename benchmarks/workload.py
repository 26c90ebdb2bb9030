"""The workloads W and W10, 400,000 synthetic rows of 23 fields, and one with lists."""

import dataclasses
import json
import pathlib
from typing import Any

import numpy as np

from dcrnn_tf.dataset.encodings import INTEGER, MISSING_ID, Ids
from dcrnn_tf.dataset.schema import CATEGORICAL, MULTI_CATEGORICAL, DatasetError, Field, Task
from dcrnn_tf.system import json_form
from dcrnn_tf.system.whole_folder import whole_folder

FIELDS = 23
ROWS = 400_000
BATCH = 1024
EMBEDDING_DIM = 32
VOCABULARIES = {"W": 2_500_000, "W10": 10_000_000}
EXPOSURES_PER_USER = 58
# Mean length and cap of Ali-CCP's four histories and of the lists of an exposure.
LIST_LENGTHS = {1: (69, 200), 2: (250, 200), 3: (154, 200), 4: (136, 200), 16: (6, 38), 21: (3, 25)}
LABEL_RATES = {"click": 1 / 24, "conversion": 1 / 300}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "mmoe": ("mmoe", {"num_experts": 8, "expert_units": [128, 64]}),
    "dcrnn": ("dcrnn", {"adaptation": False}),
    "dcrnn_ada": ("dcrnn", {"adaptation": True}),
}
_IDS = Ids((str(MISSING_ID),), INTEGER)


def make(folder: pathlib.Path, vocabulary: int, rows: int = ROWS) -> pathlib.Path:
    """Makes a workload unless it is there: a prepared dataset, and arrays for the peers.

    Ids are log-uniform in rank (Zipf's law), which id has which rank is random.

    Args:
      folder: Folder of the workload.
      vocabulary: embedding rows of all fields together.
      rows: Number of rows of the dataset.

    Returns:
      The folder: `prepared` in it is the dataset, `ids.npy`, `(rows, fields)` int32, holds each
      field's ids from 0, `labels.npy`, `(rows, tasks)`, the labels, `sizes.json` the fields'
      vocabulary sizes.
    """
    from data_prep.storage.writer import DatasetWriter  # late: it takes long to import

    if folder.exists():
        load(folder)  # so that damage is told before anything is timed
        return folder
    random = np.random.default_rng(0)
    size = vocabulary // FIELDS
    ids = np.stack([_ids(random, size, rows) for _ in range(FIELDS)], axis=1)
    labels = _labels(random, rows)
    fields = [
        Field(f"field_{number}", CATEGORICAL, size, encoding=_IDS) for number in range(FIELDS)
    ]
    tasks = [Task(name) for name in LABEL_RATES]
    with whole_folder(folder) as partial:
        with DatasetWriter(partial / "prepared", "workload", fields, tasks, seed=0) as writer:
            columns = {field.name: ids[:, number] for number, field in enumerate(fields)}
            columns |= {task.name: labels[:, number] for number, task in enumerate(tasks)}
            writer.add_rows("train", columns)
            writer.finish(source={"simulated": True}, settings={}, filters={})
        np.save(partial / "ids.npy", ids)
        np.save(partial / "labels.npy", labels.astype(np.float32))
        (partial / "sizes.json").write_text(json.dumps([size] * FIELDS), encoding="utf-8")
    return folder


def load(folder: pathlib.Path) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Reads the arrays of a workload that `make` has made.

    Args:
      folder: Folder of the workload.

    Returns:
      The fields' vocabulary sizes, their ids and the labels, as files that are mapped into memory.

    Raises:
      DatasetError: A file is missing or damaged.
    """
    remedy = f"remove {folder}, and it is made again"
    sizes = json_form.read(folder / "sizes.json", json_form.Listed(json_form.COUNT), remedy)
    arrays = []
    for name, columns in (("ids", len(sizes)), ("labels", len(LABEL_RATES))):
        path = folder / f"{name}.npy"
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise DatasetError(f"{path} is missing; {remedy}") from None
        except (ValueError, EOFError) as error:
            raise DatasetError(f"{path} is damaged ({error}); {remedy}") from None
        if array.ndim != 2 or array.shape[1] != columns:
            raise DatasetError(
                f"{path} has the shape {array.shape}, expected {columns} columns; {remedy}"
            )
        arrays.append(array)
    return sizes, *arrays


def make_lists(folder: pathlib.Path) -> pathlib.Path:
    """Makes the workload `lists` unless it is there: Ali-CCP's shape, at the real list lengths.

    13 fields of 6,900 users, four of them histories cut to 200 values, and 10 fields of an
    exposure, two of them lists; 2.5 M embedding rows.
    """
    from data_prep.storage.writer import DatasetWriter, Ragged

    if folder.exists():
        return folder
    random = np.random.default_rng(0)
    size = VOCABULARIES["W"] // FIELDS
    fields = []
    columns: dict[str | None, dict[str, np.ndarray | Ragged]] = {None: {}, "user": {}}
    users = ROWS // EXPOSURES_PER_USER
    for number in range(FIELDS):
        entity = "user" if number < 13 else None
        rows = users if entity else ROWS
        name = f"field_{number}"
        if number in LIST_LENGTHS:
            mean, cap = LIST_LENGTHS[number]
            lengths = np.minimum(1 + random.gamma(2.0, (mean - 1) / 2, rows).astype(int), cap)
            columns[entity][name] = Ragged(_ids(random, size - 2, lengths.sum()) + 2, lengths)
            encoding = dataclasses.replace(_IDS, max_values=cap)
            fields.append(Field(name, MULTI_CATEGORICAL, size, cap, entity, encoding=encoding))
        else:
            columns[entity][name] = _ids(random, size, rows)
            fields.append(Field(name, CATEGORICAL, size, entity=entity, encoding=_IDS))
    labels = _labels(random, ROWS)
    columns[None] |= {name: labels[:, number] for number, name in enumerate(LABEL_RATES)}
    columns[None]["user_row"] = random.integers(users, size=ROWS)
    tasks = [Task(name) for name in LABEL_RATES]
    with (
        whole_folder(folder) as partial,
        DatasetWriter(partial / "prepared", "workload", fields, tasks, seed=0) as writer,
    ):
        writer.add_entity_rows("user", columns["user"])
        writer.add_rows("train", columns[None])
        writer.finish(source={"simulated": True}, settings={}, filters={})
    return folder


def _ids(random: np.random.Generator, size: int, count: int) -> np.ndarray:
    ranks = np.floor(size ** random.random(count)).astype(np.int64) - 1
    return random.permutation(size)[np.minimum(ranks, size - 1)].astype(np.int32)


def _labels(random: np.random.Generator, rows: int) -> np.ndarray:
    click = random.random(rows) < LABEL_RATES["click"]
    share = LABEL_RATES["conversion"] / LABEL_RATES["click"]
    return np.stack([click, click & (random.random(rows) < share)], axis=1)
