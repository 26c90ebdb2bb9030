"""Damaged CSV files against a plain reader: the same rows, or an error that names the row."""

import collections
import gzip
import pathlib
import random
import re
import tempfile
from unittest import mock

import numpy as np
from hypothesis import strategies as st

from data_prep.own_log.declaration import SPLIT_NAMES, parse_declaration
from data_prep.own_log.field_encoder import FieldEncoder
from data_prep.own_log.learning.field_learner import field_learners
from data_prep.own_log.parsing import csv_file
from data_prep.own_log.rows.log_rows import LogRows
from data_prep.own_log.split_draw import TRAIN
from data_prep.storage.writer import Ragged
from tests.data_prep.references.csv_records import read_records
from tests.data_prep.references.own_log import encode, read_table
from tests.fuzzing import MUTATIONS, SEEDS, cases, fuzz, mutate_rows, result

COLUMNS = ["when", "item", "click", "notes", "tags", "price", "times", "buy", "spend"]
SMALL_BLOCK = 1024
# How the message about a row says each reason.
CLAUSES = {
    "wrong number of cells": r"\d+ cells, expected 9",
    "not UTF-8": "a cell holds bytes that are not UTF-8",
    "not a weight": "field liked: column 'tags' holds .*, expected a number from 0 after each ':'",
    "not a number": "field (price|times): column .* holds .*, expected a number",
    "label missing": "task (click|buy|spend): column .* has no label",
    "label not allowed": "task (click|buy): column .* holds .*, expected one of",
    "label without its parent": "task (buy|spend): column .* where task click is not",
    "label not a number": "task spend: column .* holds .*, expected a number",
    "label below 0": "task spend: column .* holds .*, expected an amount from 0",
    "split unknown": "split: column 'when' (is empty|holds .*, which no split lists)",
}


def declared(separator, quoted, header, listed, optional=False):
    """Fields of every kind; `listed` declares the training rows' values of the split column.

    Labels may be missing if they are `optional`.
    """
    may_be_missing = {"may_be_missing": True} if optional else {}
    return parse_declaration(
        {
            "name": "fuzzed",
            "separator": separator,
            "quoted": quoted,
            **({} if header else {"column_names": COLUMNS}),
            "missing_values": ["-", "nan"],
            "fields": {
                "item": {"kind": "categorical", "min_count": 2},
                "tags": {"kind": "multi_categorical", "min_count": 1, "max_values": 3},
                "hash": {"kind": "categorical", "column": "item", "hashed": 7},
                "hashes": {
                    **{"kind": "multi_categorical", "column": "tags"},
                    **{"shares": "hash", "max_values": 2},
                },
                "liked": {
                    **{"kind": "multi_categorical", "column": "tags", "min_count": 1},
                    **{"max_values": 2, "weights": ":"},
                },
                "items": {
                    **{"kind": "multi_categorical", "column": "item"},
                    **{"shares": "tags", "max_values": 1},
                },
                "price": {"kind": "numeric", "scaling": "none"},
                "times": {"kind": "categorical", "bins": "log", "min_count": 1},
            },
            "tasks": {
                "click": may_be_missing,
                "buy": {
                    "positive": ["yes"],
                    "negative": ["no"],
                    "only_where": "click",
                    **may_be_missing,
                },
                "spend": {
                    "kind": "regression",
                    "loss": "zero_inflated_lognormal",
                    "only_where": "click",
                    **may_be_missing,
                },
            },
            "split": {
                "by": "column",
                "files": "log.*",
                "column": "when",
                "test": ["3"],
                **({"train": ["1", "2"]} if listed else {}),
            },
        },
        pathlib.Path("declaration.yaml"),
    )


def valid_text(seed, separator, quoted, header, optional=False):
    """A file of valid rows; quoted cells hold separators, quotes and line feeds."""
    draw = random.Random(seed)
    plain = [
        ["w x", "-", "", "é", "\0", "x\0😀" * 9, "é" * draw.randrange(200)],
        ["a", "b", "item 7", "１", "7", "7.0", "007", "TRUE", "true"],
    ]
    plain += [
        ["a:0.5;b:2;x:y : .5", ":1;a:0;-:2", "1;2.0; 3;;4", "2;1.00", "x", "", "-;y", "nan; NaN"]
    ]
    awkward = ['"', '""', separator, "\n", "\r\n", "x"]
    lines = [separator.join(COLUMNS)] if header else []
    for _ in range(draw.randrange(1, 40)):
        click = draw.choice("01")
        cells = {
            "when": draw.choice(["1", "1", "1.0", "2", "2", "3", "3.00"]),
            "item": draw.choice(plain[1]),
            "click": draw.choice(["1", "1.0", "true", "1e0"])
            if click == "1"
            else draw.choice(["0", "False"]),
            "notes": draw.choice(plain[0]),
            "tags": draw.choice(plain[2]),
            "price": draw.choice(["", "-", "1", "-2.5", "1e3", ".5", " 7 ", "nan", "3.4e38"]),
            "times": draw.choice(["", "0", "1", "17", "-3", "123456", "2.5", "-1e30"]),
            "buy": draw.choice(["yes", "no"]) if click == "1" else draw.choice(["no", "", "-"]),
            "spend": draw.choice(["0", "2.5", "1e3"])
            if click == "1"
            else draw.choice(["", "0", "-"]),
        }
        if optional and draw.random() < 0.3:
            cells["buy"] = draw.choice(["", "-"])
            cells["click"] = draw.choice([cells["click"], "", "nan"])
        if quoted and draw.random() < 0.3:
            cells["notes"] = "".join(draw.choices(awkward, k=3))
            name = draw.choice(COLUMNS)
            cells["notes"] = '"' + cells["notes"].replace('"', '""') + '"'
            if name != "notes":
                cells[name] = f'"{cells[name]}"'
        lines.append(separator.join(cells.values()))
    end = draw.choice(["\n", "\n", "\r\n"])
    text = end.join(lines) + draw.choice(["", end, end + end])
    return (b"\xef\xbb\xbf" if draw.random() < 0.1 else b"") + text.encode()


def check_header(records):
    """The names of the header line, or None if the file must be refused for them."""
    if not records:
        return None
    try:
        names = [cell.decode().strip() for cell in records[0].cells]
    except UnicodeDecodeError:
        return None
    used = set(COLUMNS) - {"notes"}
    return names if len(set(names)) == len(names) and used <= set(names) else None


def check_table(
    seed, mutations, separator, quoted, header, listed, optional, limit, block, packing
):
    declaration = declared(separator, quoted, header, listed, optional)
    data = valid_text(seed, separator, quoted, header, optional)
    data = mutate_rows(data, mutations, separator.encode(), seed)
    records, open_quote = read_records(data, separator, quoted)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "log.csv.gz" if packing else "log.csv")
        content = gzip.compress(data) if packing else data
        path.write_bytes(content[: seed % len(content)] if packing == "cut" else content)
        names = COLUMNS
        if header:
            names = check_header(records)
        expected = None
        if names and records and packing != "cut":
            expected = read_table(records[header:], names, declaration)
        # A record longer than a block may be refused.
        too_long = max((record.bytes for record in records), default=0) + 150 > block
        with mock.patch.object(csv_file, "BLOCK_BYTES", block):
            found, message = result(lambda: read_all(declaration, folder, limit))
        if message is not None:
            assert str(path) in message
            if expected is None or open_quote or (too_long and "cannot be read" in message):
                return "refused"
            check_named(message, str(path), expected.faults, limit)
            return "row named"
        table, chunks = found
        assert expected is not None, "a file was read that cannot be"
        assert not open_quote
        assert collections.Counter(r for _, r in expected.faults) == table.bad_rows.counts
        assert len(records) - header == len(expected.rows) + table.bad_rows.counts.total()
        compare(chunks, expected, declaration)
        return "read"


def read_all(declaration, folder, limit):
    table = LogRows(declaration, pathlib.Path(folder), 0, limit)
    return table, list(table.read(lambda count: None))


def check_named(message, path, faults, limit):
    """Whether the message names a row that is faulty, and for its own reason."""
    assert len(faults) > limit, message
    for line, reason in faults:
        place = f"{re.escape(path)}, line {line}: {CLAUSES[reason]}"
        if re.match(place, message, re.DOTALL):
            return
    raise AssertionError(f"{message!r} names none of {faults}")


def compare(chunks, expected, declaration):
    """Rows, labels, splits and what the fields become."""
    splits = [SPLIT_NAMES[split] for _, part, _ in chunks for split in part]
    assert splits == expected.splits
    for task in ("click", "buy"):
        labels = [int(label) for _, _, part in chunks for label in part[task]]
        assert labels == [row[task] for row in expected.labels]
    spend = [label for _, _, part in chunks for label in part["spend"]]
    np.testing.assert_array_equal(spend, [row["spend"] for row in expected.labels])
    for column in declaration.columns:
        cells = [cell for frame, _, _ in chunks for cell in frame[column].to_list()]
        assert cells == [row.get((column, "number"), row[column]) for row in expected.rows], column
    learners = field_learners(declaration, 0)
    for frame, split, _ in chunks:
        for learner in learners:
            learner.add(frame, split == TRAIN)
    for learner in learners:
        encoder = FieldEncoder(*learner.finish())
        encoded = [value for frame, _, _ in chunks for value in listed(encoder(frame))]
        assert encoded == encode(expected, learner.declared, declaration), learner.declared.name


def listed(column):
    if not isinstance(column, Ragged):
        return column.tolist()
    ends = np.cumsum(column.row_lengths, dtype=int)
    parts = [part.tolist() for part in np.split(column.values, ends)[:-1]]
    if column.weights is None:
        return parts
    weights = [part.tolist() for part in np.split(column.weights, ends)[:-1]]
    return [list(zip(*pair, strict=True)) for pair in zip(parts, weights, strict=True)]


@cases(quick=40, slow=20_000)
def test_damaged_tables(examples):
    fuzz(
        check_table,
        examples,
        {"read", "row named", "refused"},
        seed=SEEDS,
        mutations=MUTATIONS,
        separator=st.sampled_from([",", ",", "\t", "|", "::", "¦", "\x1f"]),
        quoted=st.booleans(),
        header=st.booleans(),
        listed=st.booleans(),
        optional=st.booleans(),
        limit=st.sampled_from([0, 2, 10**6]),
        block=st.sampled_from([SMALL_BLOCK, 1 << 20]),
        packing=st.sampled_from(["", "", "", "", "gz", "cut"]),
    )
