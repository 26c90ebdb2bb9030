"""A small prepared dataset with every kind of field, made afresh for each test session."""

from dataclasses import replace

import numpy as np
import pytest
from absl import logging

from data_prep.storage.writer import DatasetWriter, Ragged
from dcrnn_tf.dataset.encodings import INTEGER, Ids, Scaling
from dcrnn_tf.dataset.schema import CATEGORICAL, MULTI_CATEGORICAL, NUMERIC, Field, Task
from dcrnn_tf.system import command_line, process_start

USERS = 40
IDS = Ids(("-1",), INTEGER)
FIELDS = (
    Field("item", CATEGORICAL, 20, encoding=IDS),
    Field("tags", MULTI_CATEGORICAL, 12, 4, weighted=True, encoding=replace(IDS, max_values=4)),
    Field("price", NUMERIC, encoding=Scaling()),
    Field("age", CATEGORICAL, 8, entity="user", encoding=IDS),
    Field("history", MULTI_CATEGORICAL, 30, 6, "user", encoding=replace(IDS, max_values=6)),
)
TASKS = (Task("click"), Task("conversion"))


def user_columns():
    random = np.random.default_rng(7)
    lengths = random.integers(0, 7, USERS)
    return {
        "age": random.integers(0, 8, USERS),
        "history": Ragged(random.integers(1, 30, lengths.sum()), lengths),
    }


def exposure_columns(rows, seed):
    """Clicks depend on whether item and age are both even or both odd."""
    random = np.random.default_rng(seed)
    item = random.integers(0, 20, rows)
    user = random.integers(0, USERS, rows)
    match = (item + user_columns()["age"][user]) % 2
    click = random.random(rows) < 0.1 + 0.5 * match
    lengths = random.integers(0, 5, rows)
    return {
        "item": item,
        "tags": Ragged(
            random.integers(1, 12, lengths.sum()),
            lengths,
            random.random(lengths.sum()) + 0.5,
        ),
        "price": np.arange(rows) / 100,  # tells the rows apart
        "user_row": user,
        "click": click,
        "conversion": click & (random.random(rows) < 0.3),
    }


def write_dataset(folder, rows=None, tasks=TASKS, seed=3, change=lambda columns: None):
    rows = rows or {"train": 3000, "validation": 500, "test": 700}
    with DatasetWriter(folder, "tiny", FIELDS, tasks, seed=seed) as writer:
        writer.add_entity_rows("user", user_columns())
        for field in FIELDS:
            if field.kind != NUMERIC:
                ids = np.arange(100, 98 + field.vocabulary_size)
                writer.add_vocabulary(field.name, ids, np.ones(len(ids)))
        for number, (split, count) in enumerate(rows.items()):
            columns = exposure_columns(count, number)
            change(columns)
            writer.add_rows(split, columns)
        writer.finish({"simulated": True}, {}, {})
    return folder


def pytest_configure():
    # As the programs do, before TensorFlow starts.
    process_start.prepare()
    command_line.use_threads(0)


@pytest.fixture(autouse=True)
def same_verbosity():
    """Programs that a test calls in its process set what is logged: undone for the next test."""
    before = logging.get_verbosity()
    yield
    logging.set_verbosity(before)


@pytest.fixture(scope="session")
def dataset_folder(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data") / "tiny")
