"""What the study compares is equal where it says so."""

import numpy as np
import pytest

from data_prep.radio.world import STATISTICS, RadioWorld, Settings
from dcrnn_tf.dataset.schema import CATEGORICAL, NUMERIC, Field, Schema, Task
from experiments.dcrnn.study import tables as study
from experiments.tables import equal_size


@pytest.fixture(scope="module")
def schema():
    """Of the simulated log: its fields, whatever the sizes of their vocabularies."""
    world = RadioWorld(Settings(rows=10))
    random = np.random.default_rng(0)
    users, albums = world.draw_users(10, random), world.draw_albums(10, random)
    frame = world.exposures(users, albums, world.contexts(10, random), random).frame
    fields = tuple(
        Field(name, NUMERIC) if name in STATISTICS else Field(name, CATEGORICAL, 2)
        for name in frame.columns
    )
    return Schema("radio", fields, tuple(Task(task) for task in study.CROSSING.tasks), {})


def parameters(schema, row):
    return equal_size.parameters(schema, row.model, row.settings)


@pytest.mark.slow
def test_all_crossings_have_the_same_number_of_parameters(schema):
    counts = {row.label: parameters(schema, row) for row in study.CROSSING.rows}
    assert counts.pop("DCN, tower 64") < min(counts.values()) / 8
    assert max(counts.values()) < 1.02 * min(counts.values())


@pytest.mark.slow
def test_each_size_of_dcrnn_stands_beside_an_mmoe_of_about_that_size(schema):
    counts = {row.label: parameters(schema, row) for row in study.SIZE.rows}
    for row in study.SIZE.rows:
        if row.baseline:
            assert counts[row.label] == pytest.approx(counts[row.baseline], rel=0.05)
    assert counts["DCRNN 32"] < counts[study.SIZE.baseline]


def test_partial_sharing_lies_between_hard_and_soft():
    for table in study.SHARING.values():
        intervals = sorted(row.settings["interval"] for row in table.rows)
        assert intervals == [0, study.INTERVAL, study.LENGTH]
        assert {row.settings["subsequence_length"] for row in table.rows} == {study.LENGTH}
        assert all(row.settings["adaptation"] for row in table.rows)
