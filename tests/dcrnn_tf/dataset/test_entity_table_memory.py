"""The memory that an entity table takes, in a process of its own."""

import json
import subprocess
import sys

import numpy as np
import pytest

from data_prep.storage.writer import DatasetWriter, Ragged
from tests.conftest import FIELDS, TASKS, exposure_columns

USERS = 100_000
MEASURE = """
import dataclasses, json, pathlib, resource, sys
from dcrnn_tf.dataset.entity_table import EntityTable
from dcrnn_tf.dataset.schema import load_schema

folder = pathlib.Path(sys.argv[1])
schema = load_schema(folder)
user = schema.entities["user"]
fields = [field for field in schema.fields if field.entity == "user"]

def held():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

EntityTable(folder, dataclasses.replace(user, shards=user.shards[:1]), fields)  # TensorFlow's own
before = held()
table = EntityTable(folder, dataclasses.replace(user, shards=user.shards * 100), fields)
print(json.dumps([table.memory_bytes, held() - before]))
"""


@pytest.mark.slow
def test_a_table_is_in_memory_once(tmp_path):
    lengths = np.full(USERS, 6)
    users = {"age": np.arange(USERS) % 8, "history": Ragged(np.arange(6 * USERS) % 30, lengths)}
    with DatasetWriter(tmp_path / "users", "users", FIELDS, TASKS, seed=1) as writer:
        writer.add_entity_rows("user", users)
        for field in FIELDS:
            if field.vocabulary_size:
                ids = np.arange(field.vocabulary_size - 2)
                writer.add_vocabulary(field.name, ids, np.ones(len(ids)))
        writer.add_rows("train", exposure_columns(10, 1))
        writer.finish({"simulated": True}, {}, {})
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "users")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    table, held = json.loads(printed.splitlines()[-1])
    assert table > 300e6
    assert held < 1.25 * table
