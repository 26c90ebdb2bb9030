import numpy as np
import pytest

from benchmarks import scaling
from benchmarks.scaling import Model, bytes_sent, distinct_rows, step_seconds

MODEL = Model(rows_per_second=10_240, parameters=1_000_000, fixed_share=0.1, table_share=0.2)


def test_distinct_rows_are_those_of_drawn_ids():
    random = np.random.default_rng(0)
    size = scaling.VOCABULARY // scaling.FIELDS
    for rows in (16, 1024):
        drawn = np.floor(size ** random.random((400, rows))).astype(int)
        distinct = scaling.FIELDS * np.mean([len(np.unique(ids)) for ids in drawn])
        assert distinct_rows(rows) == pytest.approx(distinct, rel=0.01)


def test_bytes_by_hand():
    assert bytes_sent(MODEL, 1024, 1) == 0
    slices = distinct_rows(512) * 33 * 4
    assert bytes_sent(MODEL, 1024, 2) == pytest.approx(4e6 + slices)
    assert bytes_sent(MODEL, 2048, 4) == pytest.approx(6e6 + 3 * slices)


def test_seconds_by_hand():
    # 0.1 s a step: 0.01 fixed, 0.02 for the table, 0.07 for 1,024 rows.
    assert step_seconds(MODEL, 1024, 1, 1.0) == pytest.approx(0.1)
    table = 0.02 * 2 * distinct_rows(512) / distinct_rows(1024)
    network = 8 * bytes_sent(MODEL, 1024, 2) / 1e9 + 6 * 2 * 1e-4
    expected = 0.01 + 0.035 + table + 512 / 1.4e6 + network
    assert step_seconds(MODEL, 1024, 2, 1e9) == pytest.approx(expected)


def test_hours_of_one_worker_are_those_of_its_speed():
    speeds = [model.rows_per_second for model in scaling.MODELS.values()]
    expected = sum(scaling.ROW_VISITS / speed for speed in speeds) / 3600
    assert scaling.hours(1024, 1, 1.0) == pytest.approx(expected)
