"""Joined files: rows against those of a log that was joined outside, entity tables, refusals."""

import dataclasses
import json
import pathlib
import random

import numpy as np
import polars as pl
import pytest

from data_prep.own_log import encode_rows
from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.parsing import csv_file
from data_prep.own_log.preparation import prepare
from data_prep.own_log.row_encoder import RowEncoder
from data_prep.own_log.statistics import summary
from data_prep.tfds_builders.own_log import OwnTable, TableConfig
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.models import registry

ROWS, USERS, ITEMS, BRANDS = 400, 23, 31, 5
FIELDS = {
    "user_id": {"kind": "categorical", "min_count": 2},
    "age": {"kind": "numeric", "scaling": "quantile"},
    "age_bin": {"kind": "categorical", "bins": "quantile", "column": "age", "min_count": 2},
    "cities": {"kind": "multi_categorical", "min_count": 12, "max_values": 2},
    "genre": {"kind": "categorical", "min_count": 30},
    "price": {"kind": "numeric"},
    "country": {"kind": "categorical", "min_count": 2},
    "shop": {"kind": "categorical", "column": "shop_name", "min_count": 2},
    "cheap": {"kind": "categorical", "min_count": 1},
}
DECLARATION = {
    "name": "shop",
    "missing_values": ["-"],
    "split": {"by": "fraction", "files": "log.csv", "test_fraction": 0.3},
    "joins": {
        "users": {
            "files": "users*.csv",
            "key": "uid",
            "log_key": "user_id",
            "columns": ["age", "cities"],
            "separator": "|",
            "unmatched": "missing",
        },
        "items": {
            "files": ["items.parquet"],
            "key": "item_id",
            "columns": {"genre": "genre", "price": "price", "brand": "brand_id"},
            "repeated": "last",
            "unmatched": "missing",
        },
        "brands": {
            "files": "brands.csv",
            "key": "brand",
            "columns": {"country": "country", "shop_name": "shop"},
            "unmatched": "missing",
        },
    },
    "derived": {"cheap": "IF(price < 5 AND age > 20, genre, 'no')"},
    "tasks": {"click": {}},
    "fields": FIELDS,
}


def tables(seed=1):
    draw = random.Random(seed)
    users = [
        {
            "uid": f"{n}.0" if n % 2 else str(n),  # the log writes 3, this file 3.0
            "age": draw.choice(["", "-", str(draw.randrange(15, 70))]),
            "cities": ";".join(draw.choices(["rome", "oslo", "bonn", "x"], k=draw.randrange(4))),
        }
        for n in range(USERS)
    ]
    items = [
        {"item_id": n % ITEMS, "genre": draw.choice("abcd"), "price": draw.random() * 10,
         "brand_id": f"b{draw.randrange(BRANDS + 1)}"}
        for n in range(ITEMS + 4)
    ]  # fmt: skip
    brands = [
        {"brand": f"b{n}", "country": draw.choice(["it", "no"]), "shop": f" s{n} "}
        for n in range(BRANDS)
    ]
    log = [
        {
            "user_id": draw.choice(["", str(draw.randrange(USERS + 3))]),
            "item_id": str(draw.randrange(ITEMS + 2)),
            "click": draw.randrange(2),
        }
        for _ in range(ROWS)
    ]
    return users, items, brands, log


def write_logs(folder):
    """Writes the log, the files that are joined to it, and the log with their columns."""
    folder.mkdir()
    users, items, brands, log = tables()
    pl.DataFrame(users[:10]).write_csv(folder / "users_a.csv", separator="|")
    pl.DataFrame(users[10:]).write_csv(folder / "users_b.csv", separator="|")
    pl.DataFrame(items).write_parquet(folder / "items.parquet")
    pl.DataFrame(brands).write_csv(folder / "brands.csv")
    pl.DataFrame(log).write_csv(folder / "log.csv")
    by_user = {row["uid"].removesuffix(".0"): row for row in users}
    by_item = {str(row["item_id"]): row for row in items}  # the last one of a key
    by_brand = {row["brand"]: row for row in brands}
    joined = []
    for row in log:
        user, item = by_user.get(row["user_id"], {}), by_item.get(row["item_id"], {})
        brand = by_brand.get(item.get("brand_id"), {})
        made = {**row, "age": user.get("age"), "cities": user.get("cities")}
        made |= {"genre": item.get("genre"), "price": item.get("price")}
        made |= {"country": brand.get("country"), "shop_name": brand.get("shop")}
        joined.append(made)
    pl.DataFrame(joined).write_csv(folder / "joined.csv")


@pytest.fixture
def folder(tmp_path):
    write_logs(tmp_path / "logs")
    return tmp_path / "logs"


def declared(entities=(), **changes):
    content = json.loads(json.dumps(DECLARATION)) | changes
    for name in entities:
        content["joins"][name]["entity"] = True
    return parse_declaration(content, pathlib.Path("shop.yaml"))


def batches(folder, **how):
    dataset = PreparedDataset(folder)
    return {
        split: [
            {name: column.numpy() for name, column in part.items()}
            for batch in dataset.batches(split, 64, **how)
            for part in batch
        ]
        for split in ("train", "test")
    }


def without_joins():
    content = {key: value for key, value in DECLARATION.items() if key != "joins"}
    content["split"] = {**content["split"], "files": "joined.csv"}
    return parse_declaration(content, pathlib.Path("shop.yaml"))


def test_rows_are_those_of_a_log_that_was_joined_outside(folder, tmp_path):
    outside = prepare(without_joins(), folder, tmp_path / "outside")
    schema = prepare(declared(), folder, tmp_path / "inside")
    np.testing.assert_equal(batches(tmp_path / "inside"), batches(tmp_path / "outside"))
    assert schema.fields == outside.fields
    for key in ("missing", "unknown_ids", "truncated_lists", "bad_rows"):
        assert schema.filters[key] == outside.filters[key]
    unmatched = sum(row["user_id"] in ("", *map(str, range(USERS, 99))) for row in tables()[-1])
    assert schema.filters["joins"]["users"] == {"rows": 23, "repeated": 0, "unmatched": unmatched}
    line = "  join items: 31 rows, 4 more with repeated keys left out, no partner of "
    assert line in summary(schema)


@pytest.mark.parametrize("entities", [("items",), ("users", "items", "brands")])
def test_entity_tables_give_the_joined_form_bit_for_bit(folder, tmp_path, monkeypatch, entities):
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 700)
    monkeypatch.setattr(encode_rows, "ENTITY_ROWS", 7)
    joined = prepare(declared(), folder, tmp_path / "joined")
    schema = prepare(declared(entities), folder, tmp_path / "apart")
    assert sorted(schema.entities) == sorted(entities)
    assert schema.entities["items"].rows == ITEMS + 1  # and one that lacks every value
    np.testing.assert_equal(batches(tmp_path / "apart", joined=True), batches(tmp_path / "joined"))
    assert [dataclasses.replace(field, entity=None) for field in schema.fields] == [*joined.fields]
    assert {field.entity for field in schema.fields} == {None, *entities}
    assert schema.filters == joined.filters
    assert "  join items: an entity table of 31 rows, 4 more" in summary(schema)
    for name in FIELDS:
        if FIELDS[name]["kind"] != "numeric":
            (one, two) = (
                (tmp_path / form / "vocabularies" / f"{name}.parquet").read_bytes()
                for form in ("apart", "joined")
            )
            assert one == two
    PreparedDataset(tmp_path / "apart").verify()


def test_a_model_reads_several_entity_tables(folder, tmp_path):
    schema = prepare(declared(("users", "items")), folder, tmp_path / "out")
    model = registry.build("mmoe", schema)
    dataset = PreparedDataset(tmp_path / "out")
    (apart, _), (joined, _) = (
        next(iter(dataset.batches("test", 64, joined=joined))) for joined in (False, True)
    )
    assert {"users_row", "items_row"} <= set(apart)
    assert len(apart["genre"]) < len(joined["genre"]) == 64
    np.testing.assert_allclose(model(apart)["click"], model(joined)["click"], atol=1e-6)


@pytest.mark.parametrize("entities", [(), ("users", "items", "brands")])
def test_raw_rows_are_looked_up_or_have_the_joined_columns(folder, tmp_path, entities):
    prepare(declared(entities), folder, tmp_path / "out")
    raw = pl.DataFrame(tables()[-1])
    joined = pl.read_csv(folder / "joined.csv", infer_schema=False)
    encoder = RowEncoder(tmp_path / "out")
    assert set(encoder.columns) == {
        "user_id",
        *(f.get("column", n) for n, f in FIELDS.items() if n != "cheap"),
    }
    expected = encoder(joined)
    looking_up = RowEncoder(tmp_path / "out", raw_dir=folder)
    assert set(looking_up.columns) == {"user_id", "item_id"}
    np.testing.assert_equal(looking_up(raw), expected)
    np.testing.assert_equal(looking_up(raw.cast({"item_id": pl.Int64})), expected)
    np.testing.assert_equal(looking_up(joined), expected)
    with pytest.raises(DatasetError, match=r"no column 'age', .* looks it up by 'user_id'"):
        encoder(raw)
    with pytest.raises(DatasetError, match="no column 'item_id', which join items reads"):
        looking_up(raw.drop("item_id"))
    of_training = {
        tuple(np.ravel(row).tolist())
        for part in batches(tmp_path / "out", joined=True).values()
        for features in part[::2]
        for row in zip(*(features[name] for name in ("user_id", "age", "genre")), strict=True)
    }
    assert of_training == set(
        zip(*(expected[name].tolist() for name in ("user_id", "age", "genre")), strict=True)
    )


def test_tfds_knows_the_columns_of_entity_tables(folder):
    content = json.loads(json.dumps(DECLARATION))
    content["joins"]["users"]["entity"] = True
    (folder / "shop.json").write_text(json.dumps(content))
    builder = OwnTable(config=TableConfig.of(folder / "shop.json"), data_dir=str(folder))
    columns = builder.columns()
    assert "users_row" in columns
    assert "age" not in columns


@pytest.mark.parametrize(
    ("join", "changes", "message"),
    [
        ("items", {"repeated": "refuse"}, "items.parquet, row 32: join items: an earlier row has "),
        ("users", {"unmatched": "refuse"}, "log.csv, line .*: join users: column 'user_id' "),
        ("users", {"files": "people.csv"}, "join users: .* holds no file people.csv"),
        (
            "users",
            {"key": "id"},
            r"join users: .*no column 'id' \(join users\); did you mean 'uid'",
        ),
        ("users", {"columns": {"age": "agee", "cities": "cities"}}, "join users: .*column 'agee'"),
        ("users", {"log_key": "user"}, r"no column 'user' \(join users\); did you mean 'user_id'"),
        ("items", {"columns": ["age"]}, "join items: join users gives a column 'age' too"),
        ("users", {"log_key": "brand"}, "log_key 'brand' is a column of join items, which must be"),
        ("users", {"columns": ["age", "cheap"]}, "derived column cheap, .*: join users gives a"),
        ("users", {"keys": "uid"}, "join users: 'keys' is not a key here; did you mean 'key'"),
        ("users", {"repeated": "both"}, "repeated is 'both', expected one of refuse, first, last"),
        ("users", {"columns": []}, "columns is \\[\\], expected a value or a list of values"),
        ("users", {"entity": "yes"}, "entity is 'yes', expected true or false"),
        ("users", {"log_key": "cheap"}, "join users: log_key 'cheap' is a derived column, which"),
        ("users", {"key": ["uid", "age"]}, "log_key is 'user_id', expected as many columns as key"),
        (
            "users",
            {"key": ["uid", "uid"]},
            "key is .*, expected columns of which none stands there",
        ),
    ],
)
def test_mistakes_are_named_before_anything_is_written(folder, tmp_path, join, changes, message):
    joins = json.loads(json.dumps(DECLARATION["joins"]))
    joins[join] |= changes
    with pytest.raises(DatasetError, match=message) as error:
        prepare(declared(joins=joins), folder, tmp_path / "out")
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_bad_rows_of_joined_files_are_counted(folder, tmp_path):
    with open(folder / "users_a.csv", "a") as file:
        file.write("77|old|rome\n|5|rome\n78|5\n")
    with pytest.raises(DatasetError, match=r"users_a.csv, line 14: 2 cells, expected 3"):
        prepare(declared(), folder, tmp_path / "out")
    schema = prepare(declared(), folder, tmp_path / "out", max_bad_rows=3)
    assert schema.filters["bad_rows"] == {
        "wrong number of cells": 1,
        "not a number": 1,
        "key missing": 1,
    }
    assert schema.filters["joins"]["users"]["rows"] == USERS


PAIRS = {
    "name": "shop",
    "split": {"by": "fraction", "files": "log.csv", "test_fraction": 0.5},
    "joins": {
        "prices": {
            "files": "prices.csv",
            "key": ["shop", "thing"],
            "log_key": ["store", "item"],
            "columns": ["price"],
            "unmatched": "missing",
        }
    },
    "tasks": {"click": {}},
    "fields": {"price": {"kind": "numeric", "scaling": "none"}},
}


def write_pairs(folder, *more):
    folder.mkdir()
    # Cells that would be one text if they were put side by side.
    prices = ["shop,thing,price", "a,bc,1", "ab,c,2", "1:a,b,3", "1,a1:b,4", "5.0,7,5", *more]
    (folder / "prices.csv").write_text("\n".join(prices))
    rows = ["store,item,click"]
    rows += [f"{pair},{n % 2}" for n, pair in enumerate(["a,bc", "ab,c", "1:a,b", "1,a1:b"] * 2)]
    rows += ["5,7.00,1", "5,8,1", "5,,0", ",7,0", "bc,a,1"]
    (folder / "log.csv").write_text("\n".join(rows))


def test_keys_of_several_columns_are_one_key_of_their_cells(tmp_path):
    write_pairs(tmp_path / "logs")
    declaration = parse_declaration(PAIRS, pathlib.Path("shop.yaml"))
    schema = prepare(declaration, tmp_path / "logs", tmp_path / "out")
    assert schema.filters["joins"]["prices"] == {"rows": 5, "repeated": 0, "unmatched": 4}
    parts = [part for split in batches(tmp_path / "out").values() for part in split]
    prices = [price for part in parts for price in part.get("price", ())]
    assert sorted(prices) == [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    frame = pl.DataFrame({"store": ["ab", "a", "5", None], "item": ["c", "c", "7", "7"]})
    rows = RowEncoder(tmp_path / "out", raw_dir=tmp_path / "logs")(frame)
    assert rows["price"].tolist() == [2, 0, 5, 0]
    with pytest.raises(DatasetError, match=r"looks it up by 'store' and 'item' in the files"):
        RowEncoder(tmp_path / "out")(frame)


@pytest.mark.slow
def test_beam_joins_by_several_columns(tmp_path):
    pytest.importorskip("apache_beam")
    from data_prep.beam.own_log.preparation import prepare as prepare_on_beam
    from tests.data_prep.beam.same import assert_same

    write_pairs(tmp_path / "logs")
    content = json.loads(json.dumps(PAIRS))
    content["joins"]["prices"]["entity"] = True
    declaration = parse_declaration(content, pathlib.Path("shop.yaml"))
    prepare(declaration, tmp_path / "logs", tmp_path / "out")
    prepare_on_beam(declaration, tmp_path / "logs", tmp_path / "beam")
    assert_same(tmp_path / "out", tmp_path / "beam")


def test_mistakes_in_keys_of_several_columns_are_named(tmp_path):
    write_pairs(tmp_path / "logs", "ab,c,9", "x,,1")
    declaration = parse_declaration(PAIRS, pathlib.Path("shop.yaml"))
    with pytest.raises(DatasetError, match=r"prices.csv, line 8: .*column 'thing' is empty"):
        prepare(declaration, tmp_path / "logs", tmp_path / "out")
    with pytest.raises(DatasetError, match=r"line 7: .* an earlier row has the key 'ab', 'c' too"):
        prepare(declaration, tmp_path / "logs", tmp_path / "out", max_bad_rows=1)
    content = json.loads(json.dumps(PAIRS))
    content["joins"]["prices"] |= {"unmatched": "refuse", "repeated": "last"}
    declaration = parse_declaration(content, pathlib.Path("shop.yaml"))
    said = "line 11: join prices: columns 'store', 'item' hold '5', '8', which is the shop and th"
    with pytest.raises(DatasetError, match=said):
        prepare(declaration, tmp_path / "logs", tmp_path / "out", max_bad_rows=1)
