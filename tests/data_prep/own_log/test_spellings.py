"""Values in many spellings and types: every reader finds the same ids, numbers, labels, splits."""

import datetime
import pathlib
import random

import numpy as np
import polars as pl
import pytest
import tensorflow as tf

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.preparation import prepare
from data_prep.own_log.row_encoder import RowEncoder
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.serving.raw_features import RawFeatures
from tests.data_prep.references.csv_records import read_records
from tests.data_prep.references.own_log import encode, read_table

ROWS = 400
DAY = datetime.datetime(2024, 1, 2)
# Typed values of a column, each with the texts that are the same value.
COLUMNS = {
    "code": {
        5: ["5", "5.0", " 5.00 ", "5."],
        0: ["0", "-0", "0.0", "-0.0"],
        -7: ["-7", "-7.0"],
        1000: ["1000", "1000.0"],
        -999: ["-999", "-999.0", "-9.99e2", "-99900e-2"],
        2**53: ["9007199254740992", "9007199254740992.0"],
        2**53 + 1: ["9007199254740993", "9007199254740993.00", "9.007199254740993E+15"],
        None: ["", " ", "nan"],
    },
    "big": {
        2**64 - 1: ["18446744073709551615", "18446744073709551615.0"],
        2**64 - 2: ["18446744073709551614"],
        999: ["999"],
    },
    "flag": {True: ["true", "True", "TRUE"], False: ["false", "FALSE"], None: [""]},
    "when": {
        DAY: ["2024-01-02", "2024-01-02 00:00:00", "2024-01-02T00:00:00.000"],
        DAY.replace(hour=10): ["2024-01-02 10:00:00", "2024-01-02T10:00:00.000000"],
        DAY.replace(microsecond=5000): ["2024-01-02 00:00:00.005", "2024-01-02T00:00:00.005000"],
        DAY.replace(year=1970): ["1970-01-02", "1970-01-02T00:00:00"],
    },
    "amount": {
        2.5: ["2.5"],
        7.0: ["7", "7.0", "7."],
        -999.0: ["-999", "-999.000", "-9.99e+2"],
        float("inf"): ["inf", "Infinity", "+INF"],
        9007199254740992.0: ["9007199254740992"],
        None: ["", "NaN"],
    },
    "click": {1.0: ["1", "1.0", "1e0"], 0.5: ["0.5", ".50", "5e-1"], 0.0: ["0", "0.00", "-0"]},
    "part": {1: ["1", "1.0"], 2: ["2", "2.000", "2e0"], 3: ["3", " 3.0"]},
}
TYPES = {"code": pl.Int64, "big": pl.UInt64, "when": pl.Datetime("us"), "part": pl.Int8}
# Texts that are values of their own; they keep their column from being typed.
WORDS = ["007", "+5", "1e3", "2.50", "2.5", "0x5", "a", "TRUE", "true", "-", "０", "5.0.0"]
FIELDS = {
    "row": {"kind": "numeric", "scaling": "none"},
    **{name: {"kind": "categorical", "min_count": 20} for name in ("code", "big", "flag", "when")},
    "word": {"kind": "categorical", "min_count": 20},
    "codes": {"kind": "multi_categorical", "min_count": 20, "max_values": 2},
    "amount": {"kind": "numeric", "scaling": "none"},
    "amount_bins": {"kind": "categorical", "bins": "log", "min_count": 1, "column": "amount"},
    "amount_id": {"kind": "categorical", "min_count": 1, "column": "amount"},
}
IDS = ("code", "big", "flag", "when", "word", "amount_id")
DECLARED = {
    "name": "log",
    "fields": FIELDS,
    "tasks": {"click": {"positive": ["1", 0.5], "negative": [0]}},
    "missing_values": [
        *("-999.0", 2**53 + 1, "1.8446744073709551615e19", "inf", "NaN", "-", "1970-01-02"),
    ],
}


@pytest.fixture(scope="module")
def frames():
    """The same rows as texts, and as typed columns where a column's values have a type."""
    draw = random.Random(3)
    texts: dict[str, list] = {"row": [str(row) for row in range(ROWS)]}
    typed: dict[str, list] = {"row": list(range(ROWS))}
    for name, values in COLUMNS.items():
        typed[name] = draw.choices(list(values), k=ROWS)
        texts[name] = [draw.choice(values[value]) for value in typed[name]]
    typed["word"] = texts["word"] = draw.choices(WORDS, k=ROWS)
    codes = COLUMNS["code"]
    typed["codes"] = [draw.choices(list(codes), k=draw.randrange(4)) for _ in range(ROWS)]
    texts["codes"] = [";".join(draw.choice(codes[c]) for c in row) for row in typed["codes"]]
    types = TYPES | {"codes": pl.List(pl.Int64)}
    return pl.DataFrame(texts), pl.DataFrame(typed, schema_overrides=types, strict=False)


@pytest.fixture(scope="module")
def logs(frames, tmp_path_factory):
    """Prepared datasets of the same rows in three forms, each with its raw rows."""
    texts, typed = frames
    folder = tmp_path_factory.mktemp("log")
    texts.write_csv(folder / "text.csv")
    texts.write_parquet(folder / "text.parquet")
    typed.write_parquet(folder / "typed.parquet")
    for name in ("text.csv", "text.parquet", "typed.parquet"):
        prepare(declaration(name), folder, folder / f"{name}.prepared")
    return folder


def declaration(file):
    split = {"by": "column", "files": file, "column": "part", "test": ["2.0"], "validation": [3]}
    return parse_declaration(DECLARED | {"split": split}, pathlib.Path("log.yaml"))


def by_row(folder):
    """Features and labels on disk, in the order of the raw rows, and the rows' splits."""
    parts: dict[str, list] = {}
    for split in ("train", "validation", "test"):
        for features, labels in PreparedDataset(folder).batches(split, 64):
            for name, column in (features | labels).items():
                parts.setdefault(name, []).extend(np.asarray(column).tolist())
            parts.setdefault("split", []).extend([split] * len(features["row"]))
    order = np.argsort(parts["row"])
    return {name: listed([column[row] for row in order]) for name, column in parts.items()}


def listed(column):
    """Lists without padding, which a model does not see."""
    column = column if isinstance(column, list) else np.asarray(column).tolist()
    return [[row for row in c if row] if isinstance(c, list) else c for c in column]


def reference(folder):
    """What the rows are by a plain reader of the CSV file."""
    declared = declaration("text.csv")
    records, _ = read_records((folder / "text.csv").read_bytes(), ",", quoted=True)
    names = [cell.decode() for cell in records[0].cells]
    read = read_table(records[1:], names, declared)
    assert not read.faults
    columns = {f.name: encode(read, f, declared) for f in declared.fields}
    labels = {"click": [float(row["click"]) for row in read.labels]}
    return columns | labels | {"split": read.splits}


def assert_same(found, expected):
    for name, column in expected.items():
        assert found[name] == column, name


@pytest.mark.parametrize("name", ["text.csv", "text.parquet", "typed.parquet"])
def test_preparation_reads_values_as_the_reference_does(name, logs):
    expected = reference(logs)
    assert_same(by_row(logs / f"{name}.prepared"), expected)
    for field in IDS:
        assert len(set(expected[field])) > 2, field
    schema = PreparedDataset(logs / f"{name}.prepared").schema
    missing = {field: sum(not row for row in expected[field]) for field in (*IDS, "codes")}
    assert {field: schema.filters["missing"][field] for field in missing} == missing


@pytest.mark.parametrize("name", ["text.csv", "typed.parquet"])
def test_row_encoder_reads_texts_and_typed_values_alike(name, logs, frames):
    expected = reference(logs)
    encoder = RowEncoder(logs / f"{name}.prepared")
    for frame in frames:
        found = {field: listed(column) for field, column in encoder(frame).items()}
        assert_same(found, {field: expected[field] for field in FIELDS})


def test_a_served_graph_reads_every_spelling(logs, frames):
    texts, typed = frames
    dataset = PreparedDataset(logs / "typed.parquet.prepared")
    raw = RawFeatures(dataset.schema, dataset.vocabularies())
    lists = [codes.split(";") for codes in texts["codes"]]
    inputs = {name: texts[FIELDS[name].get("column", name)].to_list() for name in IDS}
    inputs["codes"] = [row + [""] * (3 - len(row)) for row in lists]
    numbers = {"row": typed["row"], "amount": typed["amount"], "amount_bins": typed["amount"]}
    for name, column in numbers.items():
        inputs[name] = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    found = tf.function(raw.encode)({name: tf.constant(x) for name, x in inputs.items()})
    expected = reference(logs)
    found = {name: listed(column) for name, column in found.items()}
    assert_same(found, {field: expected[field] for field in FIELDS})


def test_beam_reads_values_alike(logs):
    pytest.importorskip("apache_beam")
    from data_prep.beam.own_log.preparation import prepare as prepare_on_beam

    prepare_on_beam(declaration("text.csv"), logs, logs / "on_beam")
    assert_same(by_row(logs / "on_beam"), reference(logs))
