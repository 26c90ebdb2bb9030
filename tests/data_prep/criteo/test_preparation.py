"""Criteo's train.txt: every column of rows written by hand, bad rows, the stored declaration."""

import gzip
import json
import pathlib
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from data_prep.criteo.fields import COLUMNS
from data_prep.criteo.preparation import declaration, prepare_criteo
from data_prep.own_log.declaration import parse_declaration
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import CATEGORICAL, NUMERIC, DatasetError

ROOT = pathlib.Path(__file__).parents[3]
TIMES = 60  # each row, so that every split has some of it

# Label, I1 to I13, and the number that C1 to C26 are made of; None is missing.
ROWS = (
    (1, [1, -2, 3, 100, 0, 2, 5, None, 10, 1, 4, None, 1000], 1),
    (0, [None, 0, 4, None, 7, 2, 1, 20, 10, None, 2, 3, 0], 2),
    (0, [None] * 13, None),
)
# Log bins of these, by hand: ln^2 of 3, 4, 5, 7, 10, 20, 100, 1000 is 1.2, 1.9, 2.6, 3.8, 5.3, 9.0,
# 21.2, 47.7, and 3 is added.
LOG = {3: 4, 4: 4, 5: 5, 7: 6, 10: 8, 20: 11, 100: 24, 1000: 50}


def ids(number):
    """C1 to C26; every third is missing in the second row."""
    if number is None:
        return [None] * 26
    return [
        None if number == 2 and c % 3 == 0 else f"{number * 0x10000 + c:08x}" for c in range(26)
    ]


def line(label, counts, number):
    cells = [label, *counts, *ids(number)]
    return "\t".join("" if cell is None else str(cell) for cell in cells)


LINES = [line(*row) for row in ROWS]


def write(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def raw_rows(folder):
    """All prepared rows by split: labels and raw ids (None missing), numbers as they are."""
    dataset = PreparedDataset(folder)
    ids_of = {}
    for field in dataset.schema.fields:
        if field.kind == CATEGORICAL:
            table = pl.read_parquet(folder / "vocabularies" / f"{field.name}.parquet")
            ids_of[field.name] = [None, "unknown", *table["id"].to_list()]
    rows = {}
    for split in dataset.schema.splits:
        rows[split] = []
        for features, labels in dataset.batches(split, 64):
            columns = [labels["click"].numpy().astype(int).tolist()]
            for name, values in features.items():
                values = values.numpy().tolist()
                columns.append([ids_of[name][v] for v in values] if name in ids_of else values)
            rows[split] += zip(*columns, strict=True)
    return rows


@pytest.mark.parametrize("numeric", ["log", "quantile", "standard"])
def test_every_column_of_every_row_arrives(tmp_path, numeric):
    path = write(tmp_path / "train.txt", LINES * TIMES)
    schema = prepare_criteo(path, tmp_path / "out", numeric=numeric, min_count=1)
    value = {
        "log": lambda x: None if x is None else LOG.get(x, x),
        "quantile": lambda x: x,  # two values at most, both with a third of the rows
        "standard": lambda x: float(np.float32(np.sign(x or 0) * np.log1p(abs(x or 0)))),
    }[numeric]
    expected = {(label, *map(value, counts), *ids(number)) for label, counts, number in ROWS}
    assert [field.name for field in schema.fields] == [name.lower() for name in COLUMNS[1:]]
    assert [field.raw_name for field in schema.fields] == list(COLUMNS[1:])
    kind = NUMERIC if numeric == "standard" else CATEGORICAL
    assert {field.kind for field in schema.fields[:13]} == {kind}
    rows = raw_rows(tmp_path / "out")
    assert sum(map(len, rows.values())) == 3 * TIMES
    for split in ("train", "validation", "test"):
        assert set(rows[split]) == expected
    assert schema.filters["missing"]["i1"] == 2 * TIMES
    assert schema.filters["missing"]["c1"] == 2 * TIMES
    assert schema.filters["missing"]["c2"] == TIMES
    assert not schema.simulated


def test_packed_file_fractions_rare_ids_and_the_stored_declaration(tmp_path):
    path = write(tmp_path / "train.txt", [*LINES * 500, line(1, [0] * 13, 3)])
    (tmp_path / "train.txt.gz").write_bytes(gzip.compress(path.read_bytes()))
    schema = prepare_criteo(path, tmp_path / "plain", seed=3)
    packed = prepare_criteo(
        tmp_path / "train.txt.gz", tmp_path / "packed", 3, test_fraction=0.3, validation_fraction=0
    )
    shares = {name: split.rows / 1501 for name, split in schema.splits.items()}
    assert shares == pytest.approx({"train": 0.81, "validation": 0.09, "test": 0.1}, abs=0.03)
    assert set(packed.splits) == {"train", "test"}
    assert packed.splits["test"].rows / 1501 == pytest.approx(0.3, abs=0.05)
    assert [f.vocabulary_size for f in schema.fields[13:]] == [
        3 if c % 3 == 0 else 4 for c in range(26)
    ]
    stored = parse_declaration(json.loads(json.dumps(schema.settings["declaration"])), path)
    assert stored == declaration(path)
    again = prepare_criteo(path, tmp_path / "again", seed=3)
    assert again.fingerprint == schema.fingerprint


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ("1\t2\t3", "line 3: 3 cells, expected 40"),
        (
            line(2, [1] * 13, 1),
            "line 3: task click: column 'click' holds '2', expected one of 1, 0",
        ),
        (line("", [1] * 13, 1), "line 3: task click: column 'click' has no label"),
        (
            line(1, [1, 2, "many", *[1] * 10], 1),
            "line 3: field i3: column 'I3' holds 'many', expected a number",
        ),
    ],
)
def test_bad_row_is_named_or_left_out(tmp_path, bad, sentence):
    path = write(tmp_path / "train.txt", [*LINES[:2], bad, *LINES * 20])
    with pytest.raises(DatasetError) as caught:
        prepare_criteo(path, tmp_path / "out")
    assert str(caught.value).startswith(f"{path}, {sentence}; ")
    schema = prepare_criteo(path, tmp_path / "out", max_bad_rows=1, min_count=1)
    assert sum(schema.filters["bad_rows"].values()) == 1
    assert sum(split.rows for split in schema.splits.values()) == 62


def test_few_rows_without_a_frequent_id_are_prepared(tmp_path):
    path = write(tmp_path / "train.txt", LINES * 2)
    schema = prepare_criteo(path, tmp_path / "out", seed=1, test_fraction=0.3)
    assert {field.vocabulary_size for field in schema.fields} == {2}


@pytest.mark.parametrize("name", ["train.txt", "train.txt.gz"])
def test_the_file_is_found_in_its_folder(tmp_path, name):
    path = write(tmp_path / "train.txt", LINES * TIMES)
    whole = prepare_criteo(path, tmp_path / "file")
    (tmp_path / "raw").mkdir()
    text = path.read_bytes()
    (tmp_path / "raw" / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    assert prepare_criteo(tmp_path / "raw", tmp_path / "folder").splits == whole.splits


@pytest.mark.slow
def test_a_file_under_its_former_flag_is_prepared_with_a_notice(tmp_path):
    path = write(tmp_path / "train.txt", LINES * TIMES)
    command = [sys.executable, "-m", "data_prep.criteo", f"--out_dir={tmp_path / 'out'}"]
    done = subprocess.run(
        [*command, f"--data_file={path}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "--data_file is now called --raw_dir; the former name still works." in done.stderr
    assert (tmp_path / "out" / "schema.json").exists()


def test_program_says_in_one_line_what_is_wrong(tmp_path):
    (tmp_path / "simulation.json").write_text("{", encoding="utf-8")
    command = [sys.executable, "-m", "data_prep.criteo", f"--out_dir={tmp_path / 'out'}"]
    result = subprocess.run(
        [*command, f"--raw_dir={tmp_path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr.strip() == (
        f"Error: {tmp_path} holds no train.txt and no train.txt.gz; give the folder of Criteo's "
        "file, or the file, by --raw_dir"
    )
    path = write(tmp_path / "train.txt", LINES)
    with pytest.raises(DatasetError, match=r"simulation\.json is not JSON"):
        prepare_criteo(path, tmp_path / "out")
    for content in ("null", "3", "[]"):
        (tmp_path / "simulation.json").write_text(content, encoding="utf-8")
        with pytest.raises(
            DatasetError, match=r"simulation\.json is damaged: .* expected a JSON object"
        ):
            prepare_criteo(path, tmp_path / "out")


def test_first_row_that_is_not_utf_8_is_a_bad_row_like_any_other(tmp_path):
    path = write(tmp_path / "train.txt", LINES * 21)
    content = path.read_bytes()
    path.write_bytes(content.split(b"\n")[0][:-1] + b"\xff\n" + content)
    with pytest.raises(DatasetError, match=r"train.txt, line 1: a cell holds bytes that are not"):
        prepare_criteo(path, tmp_path / "out")
    schema = prepare_criteo(path, tmp_path / "out", max_bad_rows=1, min_count=1)
    assert schema.filters["bad_rows"] == {"not UTF-8": 1}
    assert sum(split.rows for split in schema.splits.values()) == len(LINES * 21)
