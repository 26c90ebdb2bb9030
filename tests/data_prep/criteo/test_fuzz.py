"""Damaged files of Criteo against a plain reader: the same rows, or an error that names the row."""

import collections
import pathlib
import random
import re
import tempfile

import numpy as np
from hypothesis import strategies as st

from data_prep.criteo.fields import COLUMNS, COUNTS, IDS, NUMERIC_CHOICES
from data_prep.criteo.preparation import declaration
from data_prep.own_log.rows.log_rows import LogRows
from dcrnn_tf.dataset.encodings import Bins
from tests.data_prep.ali_ccp.test_fuzz import write
from tests.data_prep.references.csv_records import read_records
from tests.data_prep.references.own_log import log_bin, read_table
from tests.fuzzing import MUTATIONS, SEEDS, cases, fuzz, mutate, result

CLAUSES = {
    "wrong number of cells": r"\d+ cells, expected 40",
    "not UTF-8": "a cell holds bytes that are not UTF-8",
    "not a number": "field i\\d+: column 'I\\d+' holds .*, expected a number",
    "label missing": "task click: column 'click' has no label",
    "label not allowed": "task click: column 'click' holds .*, expected one of 1, 0",
}


def valid_text(seed):
    """Rows as they are published: 13 counts and 26 ids after the click, empty where missing."""
    draw = random.Random(seed)
    lines = []
    for _ in range(draw.randrange(1, 12)):
        counts = [draw.choice(["", "0", "1", "-2", "17", "4680", "-1"]) for _ in COUNTS]
        ids = [
            draw.choice(["", "68fd1e64", "80e26c9b", f"{draw.randrange(2**32):08x}"]) for _ in IDS
        ]
        lines.append("\t".join([draw.choice("01"), *counts, *ids]))
    return ("\n".join(lines) + draw.choice(["", "\n"])).encode()


def check_file(seed, mutations, limit, packing, numeric):
    data = mutate(valid_text(seed), mutations, b"\t")
    records, _ = read_records(data, "\t", quoted=False)
    with tempfile.TemporaryDirectory() as folder:
        path = write(pathlib.Path(folder, "train.txt"), data, packing, seed)
        declared = declaration(path, numeric, min_count=1)

        def read():
            table = LogRows(declared, pathlib.Path(folder), seed, limit)
            return table, list(table.read(lambda count: None))

        found, message = result(read)
    if not records or packing == "cut":
        assert str(path) in message
        return "refused"
    expected = read_table(records, COLUMNS, declared)
    if message is not None:
        assert len(expected.faults) > limit
        named = [
            reason
            for line, reason in expected.faults
            if re.match(
                f"{re.escape(str(path))}, line {line}: {CLAUSES[reason]}", message, re.DOTALL
            )
        ]
        assert named, message
        return "row named"
    table, chunks = found
    assert table.bad_rows.counts == collections.Counter(reason for _, reason in expected.faults)
    assert len(records) == len(expected.rows) + table.bad_rows.counts.total()
    labels = [bool(label) for _, _, part in chunks for label in part["click"]]
    assert labels == [row["click"] for row in expected.labels]
    for column in COLUMNS:
        cells = [cell for frame, _, _ in chunks for cell in frame[column].to_list()]
        assert cells == [row.get((column, "number"), row[column]) for row in expected.rows], column
        if column in COUNTS:
            bins = Bins().ids(np.array([cell for cell in cells if cell is not None], float), np)
            assert bins.tolist() == [log_bin(cell) for cell in cells if cell is not None]
    assert sum(len(splits) for _, splits, _ in chunks) == len(expected.rows)
    return "read"


@cases(quick=8, slow=1000)
def test_damaged_files(examples):
    fuzz(
        check_file,
        examples,
        {"read", "row named", "refused"},
        seed=SEEDS,
        mutations=MUTATIONS,
        limit=st.sampled_from([0, 1, 10**6]),
        packing=st.sampled_from(["", "", "", "gz", "cut"]),
        numeric=st.sampled_from(NUMERIC_CHOICES),
    )
