"""Own logs on Beam, against the preparation on one machine."""

import gzip
import json
import random

import polars as pl
import pytest
import yaml

pytest.importorskip("apache_beam")

from data_prep.beam import counting
from data_prep.beam.own_log import histories
from data_prep.beam.own_log.preparation import prepare
from data_prep.own_log import encode_rows
from data_prep.own_log.declaration import load_declaration
from data_prep.own_log.extending import ExtendedDataset
from data_prep.own_log.learning import scaling
from data_prep.own_log.parsing import csv_file, json_lines, parquet_file
from data_prep.own_log.preparation import prepare as prepare_alone
from data_prep.own_log.statistics import summary
from dcrnn_tf.dataset.schema import DatasetError
from tests.data_prep.beam.same import assert_same
from tests.data_prep.own_log import test_extending, test_joins

HISTORY = {"kind": "multi_categorical", "history_of": "city", "by": "user"}
FIELDS = {
    "city": {"kind": "categorical", "min_count": 3},
    "number": {"kind": "categorical", "column": "user", "min_count": 2},
    "tags": {"kind": "multi_categorical", "min_count": 2, "max_values": 2, "attended_by": "city"},
    "price": {"kind": "numeric", "scaling": "standard"},
    "price_quantile": {"kind": "numeric", "column": "price", "scaling": "quantile"},
    "price_log": {"kind": "numeric", "column": "price", "scaling": "log"},
    "price_bin": {"kind": "categorical", "column": "price", "bins": "quantile", "min_count": 2},
    "seen": {**HISTORY, "shares": "city", "last": 3},
    "clicked": {**HISTORY, "where": "click", "delay": "5h", "min_count": 2},
    "visitors": {**HISTORY, "history_of": "user", "by": "city", "where": "buy", "min_count": 1},
    "price_log_bin": {"kind": "categorical", "column": "price", "bins": "log", "min_count": 2},
    "price_share": {"kind": "numeric"},
    "place": {"kind": "categorical", "min_count": 1},
}
DERIVED = {"price_share": "price / (day + 1)", "place": "UPPER(city) || IF(price > 7, '+', '-')"}
FILES = ["a.csv", "hour=*/b.json", "[cd].parquet"]
SPLITS = {
    "fraction": {"test_fraction": 0.2, "validation_fraction": 0.3},
    "group": {"column": "user", "test_fraction": 0.2, "validation_fraction": 0.3},
    "time": {"last_days": 2, "validation_days": 1},
}


def rows(seed, count):
    draw = random.Random(seed)
    for _ in range(count):
        click = int(draw.random() < 0.4)
        yield {
            "user": draw.randrange(20),
            "at": f"2024-01-{draw.randrange(1, 9):02} {draw.randrange(24):02}:00",
            "city": draw.choice(["rome", "oslo", "bonn", "paris", ""]),
            "tags": ";".join(draw.choices("abcdef", k=draw.randrange(5))),
            "price": draw.choice(["", "7", f"{draw.lognormvariate(2, 2):.3f}"]),
            "click": click,
            "buy": click and draw.randrange(2),
            "watch": round(draw.lognormvariate(2, 2), 3) if click else "",
            "spend": draw.choice([0, 0, 3, 7.25]),
            "genre": draw.choice(["rock", "rock", "jazz", "5"]) if click else "",
            "like": draw.choice(["", 0, 1]),
            "importance": draw.choice([0, 0.5, 3]),
            "day": draw.randrange(4),
        }


@pytest.fixture
def logs(tmp_path, monkeypatch):
    """CSV, JSON lines and Parquet files, some rows of which are bad, read in many chunks."""
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 1500)
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 1500)
    monkeypatch.setattr(parquet_file, "PARQUET_ROWS", 60)
    monkeypatch.setattr(scaling, "SAMPLE_ROWS", 100)
    monkeypatch.setattr(histories, "ROWS_PER_BUCKET", 100)
    monkeypatch.setattr(counting, "ROWS_PER_PARTITION", 200)
    folder = tmp_path / "logs"
    folder.mkdir()
    lines = pl.DataFrame(list(rows(1, 300))).write_csv().splitlines()
    lines[17] = lines[17].replace(",", ",,")
    lines[90] = lines[90].rsplit(",", 3)[0] + ",2,1,1"
    (folder / "a.csv").write_text("\n".join(lines) + "\n")
    (folder / "hour=7").mkdir()
    lines = [json.dumps({**row, "city": "röm"}, ensure_ascii=False) for row in rows(2, 200)]
    lines[17] = lines[17][1:]
    lines[90] = lines[90].replace('"click": ', '"click": 2')
    (folder / "hour=7" / "b.json").write_bytes(gzip.compress("\n".join(lines).encode("latin-1")))
    pl.DataFrame(list(rows(3, 150))).write_parquet(folder / "c.parquet")
    pl.DataFrame(list(rows(3, 1))).head(0).write_parquet(folder / "d.parquet")
    return folder


def declare(folder, split):
    content = {
        "name": "shop",
        "weight": "importance",
        "time": {"column": "at", "zone": "Europe/Berlin"},
        "split": {"by": split, "files": FILES, **SPLITS[split]},
        "derived": DERIVED,
        "fields": FIELDS,
        "encoding": "latin-1",
        "tasks": {
            "click": {"positive": [1, "yes"], "negative": [0], "keep_negatives": 0.6},
            "buy": {"only_where": "click"},
            "like": {"may_be_missing": True},
            "watch": {"kind": "regression", "only_where": "click", "scaling": "log"},
            "spend": {"kind": "regression", "loss": "zero_inflated_lognormal"},
            "genre": {"kind": "multiclass", "only_where": "click"},
        },
    }
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return load_declaration(path)


@pytest.mark.parametrize(
    "split",
    [pytest.param(name, marks=() if name == "fraction" else pytest.mark.slow) for name in SPLITS],
)
def test_same_as_on_one_machine_bad_rows_and_all(logs, tmp_path, split):
    declaration = declare(logs, split)
    simulation = {"seed": 1}
    alone = prepare_alone(declaration, logs, tmp_path / "alone", 5, 4, simulation)
    assert sum(alone.filters["bad_rows"].values()) == 4
    assert len(alone.filters["bad_rows"]) == 3
    assert 0 < alone.tasks[3].target.deviation < alone.tasks[3].target.average
    train = alone.split("train")
    assert 0 < train.positives["like"] < train.defined["like"] < train.rows
    assert 0 < alone.filters["negatives_left_out"] < train.rows
    assert 0 < alone.tasks[0].weight_mean < 3
    schema = prepare(declaration, logs, tmp_path / "beam", 5, 4, simulation)
    assert_same(tmp_path / "alone", tmp_path / "beam")
    assert summary(schema) == summary(alone)
    assert "note: 1 file without a usable row: d.parquet\n" in summary(schema)
    assert "note: task click: positive: no row has 'yes'; column 'click' holds" in summary(schema)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "beam", "logs"]


def test_joined_files_and_entity_tables_are_those_of_one_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 1500)
    monkeypatch.setattr(encode_rows, "ENTITY_ROWS", 7)
    logs = tmp_path / "logs"
    test_joins.write_logs(logs)
    declaration = test_joins.declared(("users", "items"))
    with open(logs / "users_b.csv", "a") as file:
        file.write("77|old|rome\n")
    alone = prepare_alone(declaration, logs, tmp_path / "alone", 5, 1)
    schema = prepare(declaration, logs, tmp_path / "beam", 5, 1)
    assert_same(tmp_path / "alone", tmp_path / "beam")
    assert summary(schema) == summary(alone)
    assert schema.entities["users"].rows == test_joins.USERS + 1
    assert schema.filters == alone.filters
    assert schema.filters["bad_rows"] == {"not a number": 1}
    assert schema.filters["joins"]["users"]["unmatched"] > 0


@pytest.mark.parametrize(
    ("day", "forget_after"), [pytest.param(1, None, marks=pytest.mark.slow), (2, 1)]
)
def test_an_extended_dataset_is_that_of_one_machine(tmp_path, day, forget_after):
    for number, lines in enumerate(test_extending.DAYS):
        table = pl.DataFrame(lines, test_extending.COLUMNS, orient="row")
        table.write_csv(tmp_path / f"day{number}.csv")
    (tmp_path / "test.csv").write_bytes((tmp_path / "day1.csv").read_bytes())
    prepare_alone(test_extending.declared(day - 1), tmp_path, tmp_path / "before")
    declaration = test_extending.declared(
        day, size=None, city={"kind": "categorical", "min_count": 2}
    )
    extended = ExtendedDataset.load(tmp_path / "before", declaration, forget_after)
    prepare_alone(declaration, tmp_path, tmp_path / "alone", extended=extended)
    extended = ExtendedDataset.load(tmp_path / "before", declaration, forget_after)
    schema = prepare(declaration, tmp_path, tmp_path / "beam", extended=extended)
    counts = schema.filters["extends"]
    assert counts["added_fields"] == ["city"]
    assert counts["dropped_fields"] == ["size"]
    assert counts["ids"]["item"]["added"] > 0
    assert_same(tmp_path / "alone", tmp_path / "beam")


def test_one_bad_row_too_many_is_named_as_on_one_machine(logs, tmp_path):
    declaration = declare(logs, "fraction")
    messages = []
    for prepare_somehow in (prepare_alone, prepare):
        with pytest.raises(DatasetError) as error:
            prepare_somehow(declaration, logs, tmp_path / "out", 5, 3)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    assert "b.json, line 91" in messages[0]
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_a_split_without_rows_is_named(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "hour=7").mkdir()
    for name in ("a.csv", "hour=7/b.json"):
        (folder / name).write_text(
            "user,at,city,tags,price,click,buy,watch,spend,genre,like,importance,day\n"
        )
    pl.DataFrame(list(rows(3, 150))).head(0).write_parquet(folder / "c.parquet")
    with pytest.raises(DatasetError, match="the split leaves no train rows"):
        prepare(declare(folder, "fraction"), folder, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
