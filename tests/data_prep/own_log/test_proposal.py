"""A declaration is proposed from files, which the preparation takes as it is."""

import gzip
import json
import pathlib
import random

import polars as pl
import pytest

from data_prep.declare import Settings, main
from data_prep.own_log.declaration import load_declaration, parse_declaration
from data_prep.own_log.preparation import prepare
from data_prep.own_log.proposal.propose import propose
from data_prep.own_log.yaml_json import read_yaml
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.system.command_line import UsageError


def rows(count):
    draw = random.Random(3)
    for n in range(count):
        yield {
            "user_id": draw.randrange(50),
            "city": draw.choice(["rome", "oslo", "", "são paulo"]),
            "tags": draw.choices(["a", "b", "c"], k=draw.randrange(1, 5)),
            "session": draw.randrange(100_000) * 10,
            "dense": n // 2,
            "price": round(draw.lognormvariate(0, 3), 2),
            "age": draw.randrange(18, 300),
            "time_ms": 1_650_817_462_452 + n,
            "day": f"2026-11-{1 + n % 3:02}",
            "only": "x",
            "note": f"{draw.random()} " * 6,
            "is_new": draw.randrange(2),
            "click": draw.random() < 0.5,
        }


@pytest.fixture(params=["csv", "jsonl", "parquet"])
def log(request, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    frame = pl.DataFrame(list(rows(400)))
    if request.param == "parquet":
        frame.write_parquet(folder / "log.parquet")
    elif request.param == "jsonl":
        lines = "\n".join(json.dumps(row) for row in rows(400))
        (folder / "log.jsonl").write_bytes(gzip.compress(lines.encode()))
    else:
        texts = frame.with_columns(pl.col("tags").list.join(";"), pl.col("click").cast(int))
        text = texts.write_csv(separator="|").encode("latin-1")
        (folder / "log.csv").write_bytes(text)
    return folder


def test_kinds_and_labels_are_proposed_and_the_preparation_takes_them(log):
    encoding = "latin-1" if (log / "log.csv").exists() else "UTF-8"
    text = propose(log, ["log.*"], 1000, encoding)
    declaration = parse_declaration(read_yaml(text), pathlib.Path("log.yaml"))
    assert [task.name for task in declaration.tasks] == ["click"]
    assert {field.name: field.kind for field in declaration.fields} == {
        "user_id": "categorical",
        "city": "categorical",
        "tags": "multi_categorical",
        "session": "numeric",
        "dense": "categorical",
        "price": "numeric",
        "age": "categorical",
        "is_new": "categorical",
    }
    assert {field.scaling for field in declaration.fields if field.name == "price"} == {"log"}
    assert (
        '  # "day": {kind: categorical, min_count: 1}  # left out: it may say when the row' in text
    )
    assert '  # "only": {kind: categorical, min_count: 1}  # left out: it has one value' in text
    assert '  # "note": ' in text
    assert "# 3 values, missing in " in text
    schema = prepare(declaration, log, log / "out")
    assert sum(split.rows for split in schema.splits.values()) == 400


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("user\titem\trating\n1\t2\t5\n2\t1\t3\n1\t1\t4\n3\t2\t1\n", {"rating": ["4", "5"]}),
        ("1,2,no\n2,3,yes\n1,3,no\n", {"column_3": ["yes"]}),
        ("x,9,0\ny,9,1\nx,9,1\n", {"column_3": ["1", "true"]}),
        ("2019,no,buy\n5,2,1\n7,3,0\n", {"buy": ["1", "true"]}),
        ("user,bought\n1,no\n2,yes\n1,no\n", {"bought": ["yes"]}),
        ("user,flag,buy,like\n1,1,0,1\n2,0,1,0\n", {"buy": ["1", "true"], "like": ["1", "true"]}),
    ],
)
def test_labels_are_grades_words_or_named_so(tmp_path, text, task):
    (tmp_path / "log").write_text(text)
    proposal = propose(tmp_path, ["log"], 1000)
    declaration = parse_declaration(read_yaml(proposal), pathlib.Path("log.yaml"))
    assert {t.name: [*t.positive] for t in declaration.tasks} == task


def test_columns_of_folders_and_unreadable_types_are_stated(tmp_path):
    for day in (1, 2):
        (tmp_path / f"day={day}").mkdir()
        frame = pl.DataFrame({"x": ["a", "b"], "click": [day - 1, 1], "s": [{"a": 1}] * 2})
        frame.write_parquet(tmp_path / f"day={day}" / "log")
    text = propose(tmp_path, ["day=*/log"], 10)
    assert '  "day": {kind: categorical, min_count: 1}' in text
    assert "  # s cannot be read: " in text


def test_nothing_that_can_be_a_label_is_refused(tmp_path):
    (tmp_path / "log").write_text("x,y\na,1.5\nb,2.5\nc,3.5\n")
    with pytest.raises(DatasetError, match="log has two values, a few classes or numbers that me"):
        propose(tmp_path, ["log"], 1000)


def test_labels_alone_are_refused(tmp_path):
    (tmp_path / "log").write_text("user,buy\na,1\nb,0\nc,1\n")
    with pytest.raises(DatasetError, match="log has no column that may be an input beside its lab"):
        propose(tmp_path, ["log"], 1000)


def shop(count, *names):
    draw = random.Random(1)
    for n in range(count):
        row = {
            "user": f"u{n}",
            "city": f"c{n % 70}",
            "watch_time": f"{draw.lognormvariate(0, 2):.2f}" if n % 9 else "0",
            "spend": f"{draw.lognormvariate(3, 3):.2f}" if n % 4 == 0 else "0",
            "score": f"{draw.random():.3f}",
            "behavior": draw.choice(["pv", "cart", "buy"]),
            "price": f"{draw.random():.3f}",
            "like": draw.randrange(2),
        }
        yield row if not names else {name: row[name] for name in names}


@pytest.mark.parametrize(
    ("names", "tasks"),
    [
        (["user", "price", "behavior", "like"], {"like": "binary"}),
        (["user", "price", "behavior"], {"behavior": "multiclass"}),
        (
            ["city", "watch_time", "spend", "score", "behavior"],
            {
                "watch_time": "regression",
                "spend": "regression",
                "score": "regression",
                "behavior": "multiclass",
            },
        ),
        (["city", "price"], {"price": "regression"}),
    ],
)
def test_tasks_of_other_kinds_where_there_are_no_binary_ones(tmp_path, names, tasks):
    pl.DataFrame(list(shop(200, *names))).write_csv(tmp_path / "log")
    declaration = parse_declaration(
        read_yaml(propose(tmp_path, ["log"], 1000)), pathlib.Path("log.yaml")
    )
    assert {task.name: task.kind for task in declaration.tasks} == tasks
    assert not {field.column for field in declaration.fields} & {*tasks, "behavior"}
    losses = {task.name: (task.loss, task.scaling) for task in declaration.tasks}
    if "spend" in names:
        assert losses["spend"] == ("zero_inflated_lognormal", "log")
        assert losses["score"] == ("squared", "standard")


def test_candidates_stand_beside_binary_labels_and_are_no_inputs(tmp_path):
    pl.DataFrame(list(shop(200))).write_csv(tmp_path / "log")
    text = propose(tmp_path, ["log"], 1000)
    assert '  # "spend": {kind: regression, loss: zero_inflated_lognormal}  # a candidate' in text
    assert '  # "behavior": {kind: multiclass}  # a candidate' in text
    assert '  "price": {kind: numeric}' in text
    declaration = parse_declaration(read_yaml(text), pathlib.Path("log.yaml"))
    assert [task.name for task in declaration.tasks] == ["like"]
    assert {field.name for field in declaration.fields} == {"city", "price"}


def test_the_program_writes_a_file_that_it_does_not_overwrite(tmp_path, capsys):
    (tmp_path / "log.csv").write_text("user,buy\n1,0\n2,1\n")
    out = tmp_path / "log.yaml"
    settings = Settings(("log.csv",), str(tmp_path))
    main(settings)
    printed = capsys.readouterr().out
    main(Settings(("log.csv",), str(tmp_path), str(out)))
    assert out.read_text() == printed
    assert [task.name for task in load_declaration(out).tasks] == ["buy"]
    with pytest.raises(UsageError, match=r"log.yaml exists already; remove it or name another"):
        main(Settings(("log.csv",), str(tmp_path), str(out)))
