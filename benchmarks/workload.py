"""The workloads W and W10: 400,000 synthetic rows of 23 single-valued fields on disk."""

import json
import pathlib
import shutil

import numpy as np

from data_prep.writer import DatasetWriter
from dcrnn_tf.schema import CATEGORICAL, Field, Task

FIELDS = 23
ROWS = 400_000
BATCH = 1024
EMBEDDING_DIM = 32
VOCABULARIES = {"W": 2_500_000, "W10": 10_000_000}
LABEL_RATES = {"click": 1 / 24, "conversion": 1 / 300}
MODELS = {
    "mmoe": ("mmoe", {"num_experts": 8, "expert_units": [128, 64]}),
    "dcrnn": ("dcrnn", {"adaptation": False}),
    "dcrnn_ada": ("dcrnn", {"adaptation": True}),
}


def make(folder: pathlib.Path, vocabulary: int) -> pathlib.Path:
    """Makes a workload unless it is there: a prepared dataset, and arrays for the peers.

    Ids are log-uniform in rank (Zipf's law), which id has which rank is random.

    Args:
      folder: of the workload.
      vocabulary: embedding rows of all fields together.

    Returns:
      The folder: `prepared` in it is the dataset, `ids.npy`, `(rows, fields)` int32, holds each
      field's ids from 0, `labels.npy`, `(rows, tasks)`, the labels, `sizes.json` the fields'
      vocabulary sizes.
    """
    if folder.exists():
        return folder
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    random = np.random.default_rng(0)
    size = vocabulary // FIELDS
    ids = np.empty((ROWS, FIELDS), np.int32)
    for field in range(FIELDS):
        ranks = np.floor(size ** random.random(ROWS)).astype(np.int64) - 1
        ids[:, field] = random.permutation(size)[np.minimum(ranks, size - 1)]
    click = random.random(ROWS) < LABEL_RATES["click"]
    share = LABEL_RATES["conversion"] / LABEL_RATES["click"]
    labels = np.stack([click, click & (random.random(ROWS) < share)], axis=1)
    fields = [Field(f"field_{number}", CATEGORICAL, size) for number in range(FIELDS)]
    tasks = [Task(name) for name in LABEL_RATES]
    with DatasetWriter(partial / "prepared", "workload", fields, tasks, seed=0) as writer:
        columns = {field.name: ids[:, number] for number, field in enumerate(fields)}
        columns |= {task.name: labels[:, number] for number, task in enumerate(tasks)}
        writer.add_rows("train", columns)
        writer.finish(source={"simulated": True}, filters={})
    np.save(partial / "ids.npy", ids)
    np.save(partial / "labels.npy", labels.astype(np.float32))
    (partial / "sizes.json").write_text(json.dumps([size] * FIELDS))
    partial.rename(folder)
    return folder
