"""Own logs: the datasets that are made of them, and their splits."""

import json
import math
import pathlib
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from data_prep.own_log.parsing import csv_file
from data_prep.own_log.preparation import prepare
from data_prep.own_log.statistics import summary
from dcrnn_tf.dataset.encodings import Ids, Scaling
from dcrnn_tf.dataset.schema import DatasetError, load_schema
from tests.data_prep.own_log.small_shop import (
    BASE,
    TEST,
    TRAIN,
    dataset_rows,
    declare,
    rows_of,
    write_csv,
)

ROOT = pathlib.Path(__file__).parents[3]


def many_rows(folder, rows=20000, groups=500):
    lines = [f"{n},city{n % groups},a,1,{n % 2},{n % 2},{n % 7}" for n in range(rows)]
    write_csv(folder, train=lines)


def test_prepared_dataset_has_the_values_worked_out_by_hand(tmp_path):
    write_csv(tmp_path)
    schema = prepare(declare(tmp_path), tmp_path, tmp_path / "out")
    # Cities: rome 3, oslo 2; bonn's one occurrence is below min_count. Tags of the first two of
    # each list: a 5, b 3, c 1. Price: 1, 3, 1, 3 have mean 2 and standard deviation 1.
    train = dataset_rows(tmp_path / "out", "train")
    assert train == {
        1: {"city": 2, "tags": [2, 3], "price": -1.0, "click": 1, "buy": 1},
        2: {"city": 2, "tags": [2], "price": 1.0, "click": 1, "buy": 0},
        3: {"city": 3, "tags": [2, 3], "price": 0.0, "click": 0, "buy": 0},
        4: {"city": 3, "tags": [], "price": -1.0, "click": 0, "buy": 0},
        5: {"city": 2, "tags": [4, 2], "price": 1.0, "click": 0, "buy": 0},
        6: {"city": 1, "tags": [3, 2], "price": 0.0, "click": 1, "buy": 0},
    }
    assert dataset_rows(tmp_path / "out", "test") == {
        7: {"city": 1, "tags": [3, 1], "price": 3.0, "click": 1, "buy": 1},
        8: {"city": 0, "tags": [2, 2], "price": -1.0, "click": 0, "buy": 0},
    }
    assert [field.vocabulary_size for field in schema.fields] == [0, 4, 5, 0]
    vocabulary = pl.read_parquet(tmp_path / "out" / "vocabularies" / "tags.parquet")
    assert vocabulary.to_dict(as_series=False) == {"id": ["a", "b", "c"], "count": [5, 3, 1]}
    assert schema.splits["train"].positives == {"click": 3, "buy": 1}
    assert schema.splits["train"].defined == {"click": 6, "buy": 3}
    assert schema.filters["truncated_lists"] == {"tags": 2}
    assert schema.filters["missing"] == {"row": 0, "city": 1, "tags": 1, "price": 2}
    missing = ("", "NaN", "nan")
    assert [field.encoding for field in schema.fields] == [
        Scaling(missing, "none"),
        Ids(missing, "value", 2),
        Ids(missing, "value", 1, ";", 2),
        Scaling(missing, "standard", 2.0, 1.0),
    ]
    assert [field.attended_by for field in schema.fields] == [None, None, "city", None]
    text = summary(schema)
    assert "train: 6 rows, click 3 of 6 (0.5000), buy 1 of 3 (0.3333)" in text
    assert "columns not used: day" in text
    assert "field tags: multi_categorical, 5 embedding rows, missing in 1 rows, 2 lists cut" in text
    with pytest.raises(DatasetError, match="out exists already"):
        prepare(declare(tmp_path), tmp_path, tmp_path / "out")


def test_parquet_and_csv_of_the_same_rows_give_the_same_dataset(tmp_path):
    write_csv(tmp_path)
    prepare(declare(tmp_path), tmp_path, tmp_path / "from_csv")
    for name, lines in (("train", TRAIN), ("test", TEST)):
        cells = [line.split(",") for line in lines]
        tags = [[tag.strip() for tag in row[2].split(";") if tag.strip()] or None for row in cells]
        frame = pl.DataFrame(
            {
                "row": [int(row[0]) for row in cells],
                "city": pl.Series([row[1] or None for row in cells], dtype=pl.Categorical),
                "tags": tags,
                "price": [float(row[3] or "nan") for row in cells],
                "click": [row[4] == "1" for row in cells],
                "buy": [float(row[5]) if row[5] else None for row in cells],
            }
        )
        frame.write_parquet(tmp_path / f"{name}.parquet")
    split = {"by": "file", "train": "train.parquet", "test": "test.parquet"}
    prepare(declare(tmp_path, split=split), tmp_path, tmp_path / "from_parquet")
    for name in ("train", "test"):
        expected = dataset_rows(tmp_path / "from_csv", name)
        assert dataset_rows(tmp_path / "from_parquet", name) == expected
    for field in ("city", "tags"):
        files = [tmp_path / f / "vocabularies" / f"{field}.parquet" for f in ("from_csv",)]
        files.append(tmp_path / "from_parquet" / "vocabularies" / f"{field}.parquet")
        assert pl.read_parquet(files[0]).equals(pl.read_parquet(files[1]))


def test_program_says_what_is_wrong_in_one_line_and_exits_with_1(tmp_path):
    write_csv(tmp_path, train=[*TRAIN, "9,rome,a,cheap,0,,mon"])
    declare(tmp_path)

    def run(*arguments):
        command = [
            sys.executable,
            "-m",
            "data_prep.own_log",
            f"--out_dir={tmp_path}/out",
            *arguments,
        ]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    given = [f"--declaration={tmp_path}/shop.yaml", f"--raw_dir={tmp_path}"]
    done = run(*given)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1] == (
        f"Error: {tmp_path}/train.csv, line 8: field price: column 'price' holds 'cheap', expected "
        "a number; correct the row, or have such rows left out and counted with --max_bad_rows "
        "(now 0)"
    )
    assert not list(tmp_path.glob("out*"))
    done = run(*given, "--max_bad_row=1")
    assert done.returncode == 1
    assert "max_bad_rows" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_program_knows_simulated_files_and_takes_a_minimum_count_for_all(tmp_path):
    write_csv(tmp_path)
    declare(tmp_path)
    command = [sys.executable, "-m", "data_prep.own_log", f"--declaration={tmp_path}/shop.yaml"]
    command += [f"--raw_dir={tmp_path}", "--min_count=3"]

    def run(name):
        subprocess.run([*command, f"--out_dir={tmp_path / name}"], check=True, cwd=ROOT)
        return load_schema(tmp_path / name)

    assert not run("real").simulated
    simulation = {"seed": 1, "bayes_auc": {"test": {"click": 0.7}}}
    (tmp_path / "simulation.json").write_text(json.dumps(simulation), encoding="utf-8")
    schema = run("simulated")
    assert schema.simulated
    assert schema.source["simulation"] == simulation
    declared = schema.settings["declaration"]["fields"]
    assert (declared["city"]["min_count"], declared["tags"]["min_count"]) == (3, 3)
    assert "min_count" not in declared["price"]
    cities = pl.read_parquet(tmp_path / "simulated" / "vocabularies" / "city.parquet")
    assert cities.height == 1  # rome, in three rows; oslo is in two
    (tmp_path / "simulation.json").write_text("[]", encoding="utf-8")
    command.append(f"--out_dir={tmp_path}/damaged")
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert (
        "simulation.json is damaged: it is [], expected a JSON object"
        in done.stderr.splitlines()[-1]
    )


def test_tolerated_bad_rows_are_stated(tmp_path):
    write_csv(tmp_path, train=[*TRAIN, "9,rome,a,cheap,0,,mon"])
    schema = prepare(declare(tmp_path), tmp_path, tmp_path / "out", max_bad_rows=1)
    assert schema.splits["train"].rows == len(TRAIN)
    assert schema.filters["bad_rows"] == {"not a number": 1}
    assert "bad rows left out: not a number 1" in summary(schema)


def test_label_values(tmp_path):
    write_csv(tmp_path)
    tasks = {"weekend": {"column": "day", "positive": ["wed", "tue"], "negative": "mon"}}
    fields = {"row": {"kind": "numeric", "scaling": "none"}}
    rows, _ = rows_of(tmp_path, declare(tmp_path, tasks=tasks, fields=fields))
    assert [row["weekend"] for row in rows] == [0, 0, 1, 1, 1, 1, 1, 1]
    tasks["weekend"]["negative"] = "sun"
    with pytest.raises(
        DatasetError, match=r"line 2: .* holds 'mon', expected one of wed, tue, sun"
    ):
        rows_of(tmp_path, declare(tmp_path, tasks=tasks, fields=fields))
    del tasks["weekend"]["negative"]
    rows, _ = rows_of(tmp_path, declare(tmp_path, tasks=tasks, fields=fields))
    assert [row["weekend"] for row in rows] == [0, 0, 1, 1, 1, 1, 1, 1]
    tasks["weekend"]["positive"] = "wednesday"
    with pytest.raises(DatasetError, match=r"0 positives among its 6 .* values \(wednesday\)"):
        prepare(declare(tmp_path, tasks=tasks, fields=fields), tmp_path, tmp_path / "out")


def test_split_by_fraction_is_seeded_and_independent_of_chunks(tmp_path, monkeypatch):
    many_rows(tmp_path)
    split = {"by": "fraction", "files": "train.csv", "test_fraction": 0.3}
    declaration = declare(tmp_path, split=split | {"validation_fraction": 0.2})
    first = [row["split"] for row in rows_of(tmp_path, declaration)[0]]
    counts = np.bincount(first)
    # Four standard deviations of the binomial counts: 0.3 of all, 0.2 of the remaining 0.7.
    for count, share in zip(counts, (0.56, 0.14, 0.3), strict=True):
        assert abs(count - share * 20000) < 4 * math.sqrt(20000 * share * (1 - share))
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 1 << 12)
    assert [row["split"] for row in rows_of(tmp_path, declaration)[0]] == first
    other = [row["split"] for row in rows_of(tmp_path, declaration, seed=1)[0]]
    assert sum(a != b for a, b in zip(first, other, strict=True)) > 5000


def test_split_by_group_keeps_groups_whole(tmp_path):
    many_rows(tmp_path)
    split = {"by": "group", "column": "city", "files": "train.csv", "test_fraction": 0.3}
    declaration = declare(tmp_path, split=split | {"validation_fraction": 0.2})
    splits_of = {}
    for row in rows_of(tmp_path, declaration)[0]:
        splits_of.setdefault(row["city"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in splits_of.values())
    counts = np.bincount([min(splits) for splits in splits_of.values()])
    for count, share in zip(counts, (0.56, 0.14, 0.3), strict=True):
        assert abs(count - share * 500) < 4 * math.sqrt(500 * share * (1 - share))
    other = {row["city"]: row["split"] for row in rows_of(tmp_path, declaration, seed=1)[0]}
    assert sum(other[city] != min(splits) for city, splits in splits_of.items()) > 100


def test_split_by_column(tmp_path):
    write_csv(tmp_path)
    split = {"by": "column", "column": "day", "files": ["t*.csv"]}
    rows, _ = rows_of(tmp_path, declare(tmp_path, split=split | {"test": ["wed"]}))
    assert {row["day"]: row["split"] for row in rows} == {"mon": 0, "tue": 0, "wed": 2}
    listed = split | {"train": "mon", "validation": "tue", "test": "wed"}
    rows, _ = rows_of(tmp_path, declare(tmp_path, split=listed))
    assert {row["day"]: row["split"] for row in rows} == {"mon": 0, "tue": 1, "wed": 2}
    del listed["validation"]
    with pytest.raises(DatasetError, match=r"line 4: split: .*'tue', which no split lists"):
        rows_of(tmp_path, declare(tmp_path, split=listed))
    declaration = declare(tmp_path, split=split | {"test": ["sunday"]})
    with pytest.raises(DatasetError, match="split leaves no test rows"):
        prepare(declaration, tmp_path, tmp_path / "out")


def test_validation_comes_from_training_files_alone(tmp_path):
    many_rows(tmp_path)
    split = BASE["split"] | {"validation_fraction": 0.5}
    rows, _ = rows_of(tmp_path, declare(tmp_path, split=split))
    counts = np.bincount([row["split"] for row in rows])
    assert counts[2] == len(TEST)
    assert abs(counts[1] - 10000) < 4 * math.sqrt(5000)
