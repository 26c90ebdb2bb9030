"""Reads the benchmark's workload as arrays for other libraries; needs NumPy alone."""

import json
import pathlib
import sys

import numpy as np

BATCH = 1024
BATCHES = 64


def load() -> tuple[list[int], list[tuple[np.ndarray, np.ndarray]]]:
    """Vocabulary sizes, and batches of ids `(batch, fields)` and labels `(batch, tasks)`."""
    folder = pathlib.Path(sys.argv[1])
    sizes = json.loads((folder / "sizes.json").read_text(encoding="utf-8"))
    ids = np.load(folder / "ids.npy", mmap_mode="r", allow_pickle=False)
    labels = np.load(folder / "labels.npy", mmap_mode="r", allow_pickle=False)
    bounds = range(0, BATCHES * BATCH, BATCH)
    return sizes, [(np.array(ids[i : i + BATCH]), np.array(labels[i : i + BATCH])) for i in bounds]
