"""Derived columns: values against Polars' own SQL, kinds of cells, refusals, and prepared rows."""

import datetime
import json
import pathlib
import pickle

import numpy as np
import polars as pl
import pytest

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.derived.columns import DeriveColumns, derived_columns, needed, sources_of
from data_prep.own_log.preparation import prepare
from data_prep.own_log.row_encoder import RowEncoder
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError

CELLS = {
    "rating": ["5", "3.5", None, "x", "-2", "1e2"],
    "shown": ["10", "0", "7", "9", "1", "3"],
    "city": ["Rome", "oslo", None, "Bonn", "São Paulo", "a-b-c"],
    "at": ["2024-01-02 10:30:00", "2024-01-07", "2023-12-31T23:59:58.5Z", None, "no", "2024-02-29"],
    "is_new": ["true", "0", None, "1", "yes", "False"],
}
TYPED = pl.DataFrame(CELLS).with_columns(
    pl.col("rating", "shown").cast(pl.Float64, strict=False),
    pl.Series(
        "at",
        [
            datetime.datetime(2024, 1, 2, 10, 30),
            datetime.datetime(2024, 1, 7),
            datetime.datetime(2023, 12, 31, 23, 59, 58, 500_000),
            None,
            None,
            datetime.datetime(2024, 2, 29),
        ],
    ),
    pl.Series("is_new", [True, False, None, True, None, False]),
)


def derived(expression, cells=CELLS):
    """The values of an expression on rows of text, or of other cells."""
    columns = derived_columns({"made": expression})
    return DeriveColumns(columns, ("",))(pl.DataFrame(cells))["made"]


@pytest.mark.parametrize(
    "expression",
    [
        "rating >= 4",
        "rating + shown * 2 - 1",
        "(rating + shown) * 2 % 7",
        "-rating",
        "ABS(rating) + FLOOR(rating / 3) + CEIL(rating) + SIGN(rating)",
        "ROUND(rating / 4)",
        "POWER(shown, 2) + SQRT(shown) + EXP(rating / 100)",
        "rating BETWEEN -2 AND 5 AND shown NOT BETWEEN 1 AND 3",
        "shown IN (1, 3) OR NOT rating > 0",
        "shown NOT IN (1, 3)",
        "shown / rating IS NULL",
        "rating + 0 IS NOT NULL AND city <> 'Rome'",
        "CASE WHEN shown > 8 THEN 'many' WHEN shown > 2 THEN 'some' ELSE city END",
        "CASE WHEN shown > 8 THEN 1 END",
        "CASE city WHEN 'Rome' THEN rating ELSE 0 END",
        "COALESCE(rating, shown * 1)",
        "COALESCE(city, 'none')",
        "NULLIF(shown, 0)",
        "GREATEST(shown, 5) - LEAST(shown, 5)",
        "LOWER(city) || '/' || UPPER(city)",
        "CONCAT(city, '-', 'x')",
        "LENGTH(city)",
        "SUBSTR(city, 2, 2)",
        "SUBSTR(city, 3)",
        "LEFT(city, 2) || RIGHT(city, 1)",
        "REPLACE(city, 'o', '0')",
        "STARTS_WITH(city, 'R') OR ENDS_WITH(city, 'o')",
        "city LIKE '%o_' OR city LIKE 'a-%' OR city ILIKE 'ROM_'",
        "REGEXP_LIKE(city, '^[A-Z]')",
        "city >= 'a'",
        "EXTRACT(HOUR FROM at) + EXTRACT(MINUTE FROM at) / 60",
        "DATE_PART('year', at) * 100 + DATE_PART('month', at)",
        "HOUR(at) >= 10",
        "EXTRACT(DOY FROM at)",
        "EXTRACT(ISODOW FROM at)",
        "STRFTIME(at, '%m/%d')",
        "CAST(rating * 1.5 AS BIGINT)",
        "shown::INT % 2 = 0",
        "NOT is_new",
        "is_new AND shown > 5",
        "true",
        "1.5",
        "'x'",
    ],
)
def test_values_are_those_of_polars_sql_on_typed_columns(expression):
    made = pl.sql_expr(expression.replace("BIGINT", "INT")).alias("made")
    expected, values = TYPED.with_columns(made)["made"], derived(expression)
    if expected.dtype.is_numeric():
        expected, values = expected.cast(pl.Float64), values.cast(pl.Float64)
        expected = expected.set(~expected.is_finite(), None)
        np.testing.assert_allclose(values.to_numpy(), expected.to_numpy(), rtol=1e-12)
        assert values.is_null().to_list() == expected.is_null().to_list()
    else:
        assert values.to_list() == expected.to_list()
    # Typed cells are worth what their text is worth.
    assert derived(expression, TYPED).to_list() == values.to_list()


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("rating / shown", [0.5, None, None, None, -2.0, 100 / 3]),  # 3.5 / 0 has no value
        ("rating || 'x'", ["5x", "3.5x", None, "xx", "-2x", "1e2x"]),  # text as it is written
        ("rating = shown", [False, False, None, False, False, False]),
        ("CAST(rating AS DOUBLE) < CAST(shown AS DOUBLE)", [True, False, None, None, True, False]),
        ("is_new IS TRUE", [True, False, False, True, False, False]),
        ("is_new IS NOT FALSE", [True, False, True, True, True, False]),
        ("rating IS NULL", [False, False, True, False, False, False]),  # x is something
        ("NULLIF(rating, '5')", [None, "3.5", None, "x", "-2", "1e2"]),
        ("CAST(rating AS INT)", [5, 3, None, None, -2, 100]),
        ("at >= '2024-01-02'", [True, True, False, None, True, True]),  # texts in order of letters
        ("DATE(at) = '2024-01-02'", [True, False, False, None, None, False]),
        (
            "CAST(at AS DATE) || ''",
            ["2024-01-02", "2024-01-07", "2023-12-31", *[None] * 2, "2024-02-29"],
        ),
        ("EPOCH(at)", [1704191400.0, 1704585600.0, 1704067198.5, None, None, 1709164800.0]),
        ("HOUR(TO_TIMESTAMP(shown * 3600))", [10, 0, 7, 9, 1, 3]),
        ("DOW(at)", [2, 0, 0, None, None, 4]),
        ("DOY(STRPTIME(REPLACE(city, 'Rome', '3.2.2024'), '%d.%m.%Y'))", [34, *[None] * 5]),
        ("SPLIT_PART(city, '-', 2)", [None, None, None, None, None, "b"]),
        ("is_new", ["true", "0", None, "1", "yes", "False"]),
        ("IF(is_new, 1, 0)", [1, 0, 0, 1, 0, 0]),
        ("MOD(shown, 4) // 2", [1, 0, 1, 0, 0, 1]),
        ("LENGTH(' Rome') + LENGTH(city)", [9, 9, None, 9, 14, 10]),
        (
            "SUBSTR(city, 0, 3)",
            ["Ro", "os", None, "Bo", "Sã", "a-"],
        ),  # one place is before the text
        ('"rating" > .5', [True, True, None, None, False, True]),
        ("CASE WHEN NULL THEN 'a' ELSE NULL END", [None] * 6),
        # No city is a number, so nothing but the constant differs from null.
        ("CAST(1 AS BIGINT) = CAST(city AS BIGINT)", [None] * 6),
        ("CAST(1 AS BIGINT) NOT IN (CAST(city AS BIGINT), 1)", [False] * 6),
    ],
)
def test_kinds_follow_from_the_expression(expression, values):
    assert derived(expression).to_list() == pytest.approx(values)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("rating >", "the end stands where a column or a value is expected"),
        ("EXTRACT(", "the end stands where 'FROM' is expected"),
        ("rating 4", "'4' at character 8 is not expected"),
        ("rating; city", "';' at character 7 is no word"),
        ("items.genre", "'.' at character 6 is no word; put names with other characters in quotes"),
        ("lowr(city)", "there is no function 'lowr'; did you mean 'LOWER'?"),
        ("LOWER(city, 1)", "LOWER has 2 arguments, expected 1"),
        ("SUM(rating)", "SUM needs all rows, and an expression has one row"),
        ("ROW_NUMBER() OVER (ORDER BY at)", "ROW_NUMBER needs other rows than its own"),
        ("ABS(rating) OVER (PARTITION BY city)", "a window function (OVER) needs other rows"),
        ("(SELECT 1)", "a query (SELECT) cannot stand in an expression"),
        ("rating IN (SELECT a FROM b)", "a query (SELECT) cannot stand in an expression"),
        ("SELECT rating", "a query (SELECT) cannot stand in an expression"),
        ("read_csv('x')", "there is no function 'read_csv'"),
        ("LOWER(city) > 4", "LOWER(...) is a text and 4 a number"),
        ("LOWER(city) + 1", "LOWER(...) is a text, expected a number"),
        ("rating < shown", "may compare numbers or texts; write CAST(rating AS DOUBLE)"),
        ("REGEXP_LIKE(city, '(')", "regex"),
        ("REGEXP_LIKE(city, at)", "REGEXP_LIKE: at must be a text in quotes"),
        ("EXTRACT(HOURS FROM at)", "'HOURS' is no part of a moment; did you mean 'HOUR'?"),
        ("CAST(rating AS INTEGR)", "did you mean 'INTEGER'?"),
        ("CAST(HOUR(at) AS DATE)", "is a number, which cannot become DATE"),
        ("city -- comment", "would begin a comment"),
        ("'open", '"\'" at character 1 is no word'),
        ("(" * 100 + "1" + ")" * 100, "more than 60 parts stand within each other"),
        ("1" + " + 1" * 3000, "characters, allowed are 10,000"),
        ("made + 1", "it reads itself; choose another name or order"),
        ("", "expected text"),
    ],
)
def test_what_no_row_can_have_is_refused(expression, message):
    with pytest.raises(DatasetError) as error:
        derived_columns({"made": expression})
    assert message in str(error.value)
    assert "made" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_expression_opens_no_file(tmp_path, monkeypatch):
    path = tmp_path / "secret.csv"
    path.write_text("a\n1\n")
    seen = []
    monkeypatch.setattr("builtins.open", lambda *args, **kwargs: seen.append(args))
    for text in (f"a IN (SELECT a FROM read_csv('{path}'))", f"read_csv('{path}')"):
        with pytest.raises(DatasetError, match=r"query|no function"):
            derived_columns({"made": text})
    assert not seen


@pytest.mark.parametrize(
    ("expression", "cells", "message"),
    [
        ("id % 10", ["9007199254740993"], "holds 9007199254740993, which a number would round"),
        ("id % 10", [2**53 + 1], "holds 9007199254740993, which a number would round"),
        ("id % 10", [datetime.date(2024, 1, 2)], "holds Date, expected numbers; write EPOCH"),
        ("HOUR(id)", [1704191400], "holds Int64, expected moments; write TO_TIMESTAMP"),
    ],
)
def test_cells_that_would_be_read_otherwise_than_written_are_refused(expression, cells, message):
    with pytest.raises(DatasetError, match=message):
        derived(expression, {"id": cells})


def test_long_ids_stay_whole_by_a_cast():
    cells = {"id": ["9007199254740993", "9007199254740992", "x"]}
    assert derived("CAST(id AS BIGINT) % 10", cells).to_list() == [3, 2, None]
    assert derived("id % 10", {"id": ["9007199254740992"]}).to_list() == [2]


def test_columns_may_be_derived_of_derived_ones_before_them():
    columns = derived_columns({"a": "x + 1", "b": "a * 2", "c": "y", "d": "b > 4"})
    assert sources_of(columns) == {"x": "derived column a, 'x + 1'", "y": "derived column c, 'y'"}
    assert [column.name for column in needed(columns, ["d"])] == ["a", "b", "d"]
    derive = pickle.loads(pickle.dumps(DeriveColumns(columns, ("",))))
    frame = derive(pl.DataFrame({"x": ["1", "2"], "y": ["p", "q"]}))
    assert frame.to_dict(as_series=False) == {
        "x": ["1", "2"], "y": ["p", "q"],
        "a": [2.0, 3.0], "b": [4.0, 6.0], "c": ["p", "q"], "d": [False, True],
    }  # fmt: skip
    with pytest.raises(DatasetError, match="reads 'b', which is derived after it"):
        derived_columns({"a": "b", "b": "x"})


LOG = {
    "user": [f"u{n % 7}" for n in range(300)],
    "rating": [("5", "2", "", "4.0")[n % 4] for n in range(300)],
    "shown_ms": [str(n % 11 * 1000) for n in range(300)],
    "played_ms": [str(n * 37 % 900) for n in range(300)],
    "at": [f"2024-01-{n % 28 + 1:02}T{n % 24:02}:00:00" for n in range(300)],
    "day": [str(n % 10) for n in range(300)],
}
DECLARATION = {
    "name": "films",
    "split": {"by": "column", "files": "log.csv", "column": "part", "test": ["test"]},
    "derived": {
        "liked": "COALESCE(rating, 0) >= 4",
        "share": "played_ms / shown_ms",
        "share_percent": "ROUND(share * 100)",
        "hour": "HOUR(at)",
        "user_hour": "user || '@' || hour",
        "part": "IF(day >= 8, 'test', 'train')",
    },
    "tasks": {"liked": {}},
    "fields": {
        "share": {"kind": "numeric"},
        "percent": {"kind": "categorical", "column": "share_percent", "min_count": 1},
        "hour": {"kind": "categorical", "min_count": 1},
        "hour_bins": {"kind": "categorical", "bins": "quantile", "column": "hour", "min_count": 1},
        "user_hour": {"kind": "categorical", "min_count": 2},
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("derived")
    pl.DataFrame(LOG).write_csv(folder / "log.csv")
    made = pl.DataFrame(LOG).with_columns(
        pl.Series("liked", [rating in ("5", "4.0") for rating in LOG["rating"]]),
        hour=pl.Series([n % 24 for n in range(300)]),
        part=pl.Series(["test" if n % 10 >= 8 else "train" for n in range(300)]),
        share=pl.Series([n * 37 % 900 / (n % 11 * 1000) if n % 11 else None for n in range(300)]),
    )
    made = made.with_columns(
        share_percent=(pl.col("share") * 100).round(),
        user_hour=pl.col("user") + "@" + pl.col("hour").cast(pl.String),
    )
    made.write_csv(folder / "made.csv")
    made.select("user", "rating", "at", "day").with_columns(
        pl.col("rating").cast(pl.Float32, strict=False),
        pl.col("at").str.to_datetime(),
        *(pl.Series(name, LOG[name]).cast(pl.Int32) for name in ("shown_ms", "played_ms")),
    ).write_parquet(folder / "log.parquet")
    return folder


def declared(**changes):
    content = json.loads(json.dumps(DECLARATION)) | changes
    return parse_declaration(content, pathlib.Path("films.yaml"))


def rows(folder):
    dataset = PreparedDataset(folder)
    return {
        split: [
            {name: column.numpy() for name, column in part.items()}
            for batch in dataset.batches(split, 1000)
            for part in batch
        ]
        for split in ("train", "test")
    }


@pytest.mark.parametrize("files", ["log.csv", "log.parquet"])
def test_prepared_rows_are_those_of_columns_made_outside(folder, tmp_path, files):
    prepare(
        declared(derived=DECLARATION["derived"], split={**DECLARATION["split"], "files": files}),
        folder,
        tmp_path / "a",
    )
    content = {key: value for key, value in DECLARATION.items() if key != "derived"}
    content["split"] = {**content["split"], "files": "made.csv"}
    prepare(parse_declaration(content, pathlib.Path("films.yaml")), folder, tmp_path / "b")
    np.testing.assert_equal(rows(tmp_path / "a"), rows(tmp_path / "b"))


def test_raw_rows_carry_the_source_columns(folder, tmp_path):
    prepare(declared(), folder, tmp_path / "out")
    encoder = RowEncoder(tmp_path / "out")
    assert set(encoder.columns) == {"user", "shown_ms", "played_ms", "at"}
    raw = pl.DataFrame(LOG)
    encoded = encoder(raw)
    test = raw["day"].cast(pl.Int32).to_numpy() >= 8
    ((features, _),) = [rows(tmp_path / "out")["test"]]
    for name, column in features.items():
        np.testing.assert_array_equal(np.sort(encoded[name][test]), np.sort(column), err_msg=name)
    assert set(RowEncoder(tmp_path / "out", ["share"]).columns) == {"shown_ms", "played_ms"}
    with pytest.raises(
        DatasetError, match=r"no column 'at', which derived column hour, 'HOUR\(at\)'"
    ):
        encoder(raw.drop("at"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"liked": "ratng >= 4"}, r"no column 'ratng' \(derived column liked, 'ratng >= 4'\); did"),
        ({"share": "DATE(at)"}, "field share: derived column share, .* gives moments, expected nu"),
    ],
)
def test_columns_are_checked_before_a_row_is_read(folder, tmp_path, changes, message):
    with pytest.raises(DatasetError, match=message):
        prepare(declared(derived=DECLARATION["derived"] | changes), folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
