"""Damaged WeChat files against a plain reader: the same rows, or an error that names the row."""

import collections
import gzip
import pathlib
import random
import re
import tempfile

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from data_prep.storage.bad_rows import BadRows
from data_prep.wechat.feeds import read_feeds
from data_prep.wechat.fields import (
    ACTION_COLUMNS,
    EXPOSURE_IDS,
    FEED_COLUMNS,
    FEED_ID,
    FEED_IDS,
    LISTS,
    SCORED_LIST,
    SECONDS,
)
from data_prep.wechat.log import DAY, ActionLog
from tests.data_prep.references import wechat as reference
from tests.data_prep.references.csv_records import read_records
from tests.fuzzing import MUTATIONS, SEEDS, cases, fuzz, mutate_rows, result

TASKS = ["like", "favorite"]
KNOWN_FEEDS = pd.Index([1, 2, 3])
CASES = {
    "seed": SEEDS,
    "mutations": MUTATIONS,
    "limit": st.sampled_from([0, 2, 10**6]),
    "packing": st.sampled_from(["", "", "", "", "gz", "cut"]),
}


def valid_actions(draw):
    lines = [",".join(ACTION_COLUMNS)]
    for _ in range(draw.randrange(1, 40)):
        cells = {name: str(draw.randrange(2)) for name in ACTION_COLUMNS}
        cells |= {name: draw.choice(["7", "8.0", "-3", "123456789"]) for name in EXPOSURE_IDS}
        cells |= {FEED_ID: draw.choice("12345"), DAY: str(draw.randrange(1, 15))}
        cells |= {"play": draw.choice(["0.5", "", "many"])}
        lines.append(",".join(cells.values()))
    return lines


def valid_feeds(draw):
    lines = [",".join(FEED_COLUMNS)]
    for number in range(draw.randrange(1, 25)):
        cells = dict.fromkeys(FEED_COLUMNS, "")
        cells |= {name: draw.choice(["", "5", "6.0", "-7"]) for name in FEED_IDS}
        cells |= {FEED_ID: str(number), SECONDS: draw.choice(["", "0", "17", "1.5e3", "1000000"])}
        cells["description"] = draw.choice(['"a, ""b""\n"', "text", "é"])
        for name in LISTS:
            length = draw.choice([0, 0, 1, 2, 5])
            entries = [str(draw.randrange(99)) for _ in range(length)]
            if name == SCORED_LIST:
                entries = [f"{entry} {draw.choice(['0.5', '1', '1e-3'])}" for entry in entries]
            cells[name] = draw.choice([";", "; "]).join(entries)
        lines.append(",".join(cells.values()))
    return lines


def written(folder, lines, draw, mutations, seed, packing):
    """A damaged file, its records, and its names; None where it must be refused."""
    end = draw.choice(["\n", "\n", "\r\n"])
    data = (end.join(lines) + draw.choice(["", end])).encode()
    data = mutate_rows(data, mutations, b",;", seed)
    path = pathlib.Path(folder, "file.csv.gz" if packing else "file.csv")
    content = gzip.compress(data) if packing else data
    path.write_bytes(content[: seed % len(content)] if packing == "cut" else content)
    records, open_quote = read_records(data, ",", quoted=True)
    if not records or open_quote or packing == "cut":
        return path, records, None
    try:
        names = [cell.decode().strip() for cell in records[0].cells]
    except UnicodeDecodeError:
        return path, records, None
    return path, records[1:], names if len(set(names)) == len(names) else None


def check_named(message, path, faults, limit):
    """Whether the message names a row that is faulty, and for its own reason."""
    assert len(faults) > limit, message
    for line, reason in faults:
        what = {"wrong number of cells": r"\d+ cells, expected", "not UTF-8": ".*not UTF-8"}
        if reason not in what:
            column, _, expected = reason.partition(" is not ")
            what[reason] = (
                rf"column '{column}' (is empty|holds .*), expected {re.escape(expected)};"
            )
        place = f"{re.escape(str(path))}, line {line}: {what[reason]}"
        if re.match(place, message, re.DOTALL):
            return
    raise AssertionError(f"{message!r} names none of {faults}")


def check_actions(seed, mutations, limit, packing):
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path, records, names = written(folder, valid_actions(draw), draw, mutations, seed, packing)
        copy = pathlib.Path(folder, "copy.arrow")
        bad_rows = BadRows(limit)
        log, message = result(
            lambda: ActionLog(path, TASKS, KNOWN_FEEDS, copy, bad_rows, lambda count: None)
        )
        columns = {*EXPOSURE_IDS, FEED_ID, DAY, *TASKS}
        if names is None or not columns <= set(names):
            assert str(path) in message
            return "refused"
        rows, faults = reference.read_actions(records, names, TASKS)
        if message is not None:
            check_named(message, path, faults, limit)
            return "row named"
        assert bad_rows.counts == collections.Counter(reason for _, reason in faults)
        assert len(records) == log.rows + bad_rows.counts.total()
        chunks = list(log.chunks())
        for name in columns:
            got = [value for chunk in chunks for value in chunk[name].tolist()]
            assert got == [row[name] for row in rows], name
        assert log.days == dict(sorted(collections.Counter(row[DAY] for row in rows).items()))
        unknown = [row[FEED_ID] for row in rows if row[FEED_ID] not in (1, 2, 3)]
        assert log.unknown_feeds.tolist() == sorted(set(unknown))
        assert log.unknown_feed_rows == len(unknown)
        return "read"


def check_feeds(seed, mutations, limit, packing, max_values):
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path, records, names = written(folder, valid_feeds(draw), draw, mutations, seed, packing)
        bad_rows = BadRows(limit)
        feeds, message = result(lambda: read_feeds(path, max_values, bad_rows, lambda count: None))
    if names is None or not {*FEED_IDS, SECONDS, *LISTS} <= set(names):
        assert str(path) in message
        return "refused"
    rows, faults = reference.read_feeds(records, names, max_values)
    ids = [row[FEED_ID] for row in rows]
    again = next((n for n, number in enumerate(ids) if number in ids[:n]), None)
    if len(faults) <= limit and again is not None:
        lines = rows[again]["line"], rows[ids.index(ids[again])]["line"]
        assert message.startswith(f"{path}, line {lines[0]}: feedid {ids[again]} stands in ")
        assert f"{path}, line {lines[1]} already" in message
        return "feed named"
    if message is not None:
        check_named(message, path, faults, limit)
        return "row named"
    assert bad_rows.counts == collections.Counter(reason for _, reason in faults)
    assert len(records) == feeds.rows + bad_rows.counts.total()
    for name in (*FEED_IDS, SECONDS):
        assert feeds.single[name].to_list() == [row[name] for row in rows], name
    for name in LISTS:
        column = feeds.lists[name]
        values = column.values.tolist()
        scores = [None] * len(values) if column.weights is None else column.weights.tolist()
        pairs = list(zip(values, scores, strict=True))
        ends = np.cumsum(column.row_lengths, dtype=int).tolist()
        got = [pairs[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        assert got == [row[name] for row in rows], name
    return "read"


@cases(quick=8, slow=2000)
def test_damaged_actions(examples):
    fuzz(check_actions, examples, {"read", "row named", "refused"}, **CASES)


@cases(quick=10, slow=2500)
def test_damaged_feeds(examples):
    outcomes = {"read", "row named", "refused", "feed named"}
    fuzz(check_feeds, examples, outcomes, max_values=st.sampled_from([1, 3, 50]), **CASES)
