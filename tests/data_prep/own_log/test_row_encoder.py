"""Raw rows encoded after preparation, against what preparation wrote."""

import dataclasses
import datetime
import json
import re
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
import tensorflow as tf

from data_prep.own_log.declaration import load_declaration
from data_prep.own_log.preparation import prepare
from data_prep.own_log.row_encoder import RowEncoder
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError, load_schema
from dcrnn_tf.serving.raw_features import RawFeatures
from tests.conftest import write_dataset
from tests.shop import FIELDS, ROWS, prepare_shop, raw_rows


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepare_shop(tmp_path_factory.mktemp("encode"))


def test_rows_are_encoded_as_preparation_encoded_them(prepared):
    encoded = RowEncoder(prepared)(raw_rows())
    dataset = PreparedDataset(prepared)
    compared = 0
    for split in ("train", "test"):
        for features, _ in dataset.batches(split, 100):
            rows = features["row"].numpy().astype(int)
            assert set(features) == set(encoded) == set(FIELDS)
            for name, column in features.items():
                column = column.numpy()
                assert encoded[name].dtype == column.dtype
                np.testing.assert_array_equal(encoded[name][rows], column, err_msg=name)
            compared += len(rows)
    assert compared == ROWS
    for name in ("city", "price_bins", "tags"):
        assert {0, 1, 2} <= set(np.unique(encoded[name]))  # missing, rare and known ones
    edges = dataset.schema.fields[7].encoding.edges
    assert len(edges) > dataset.schema.fields[7].vocabulary_size - 2  # some bins are too rare


def test_typed_rows_give_what_text_gives(prepared):
    text = raw_rows()
    typed = text.with_columns(
        pl.col("row").cast(pl.Int32),
        pl.col("city").cast(pl.Categorical),
        pl.col("tags").str.split(";"),
        pl.col("price").cast(pl.Float64, strict=False).fill_null(float("nan")),
        pl.col("level").cast(pl.Int64),
    )
    encoder = RowEncoder(prepared)
    for name, column in encoder(typed).items():
        np.testing.assert_array_equal(column, encoder(text)[name], err_msg=name)


@pytest.mark.parametrize(
    ("zip_code", "refused"), [("02139", True), ("+5", True), ("3.0", False), ("17", False)]
)
def test_numbers_are_refused_where_ids_are_spelled_otherwise(tmp_path, zip_code, refused):
    lines = ["zip,click", *[f"{zip_code},{number % 2}" for number in range(20)], "5,1", "a,0"]
    (tmp_path / "log.csv").write_text("\n".join(lines))
    declaration = {
        "name": "shop",
        "split": {"by": "fraction", "files": "log.csv", "test_fraction": 0.1},
        "fields": {"zip": {"kind": "categorical", "min_count": 1}},
        "tasks": {"click": {}},
    }
    (tmp_path / "shop.json").write_text(json.dumps(declaration))
    prepare(load_declaration(tmp_path / "shop.json"), tmp_path, tmp_path / "out")
    encoder = RowEncoder(tmp_path / "out")
    (as_text,) = encoder(pl.DataFrame({"zip": [zip_code]})).values()
    assert as_text[0] > 1
    typed = pl.DataFrame({"zip": [float(zip_code)]})
    if refused:
        with pytest.raises(
            DatasetError, match=f"Float64, .* ids such as '{re.escape(zip_code)}', which no"
        ):
            encoder(typed)
    else:
        np.testing.assert_array_equal(encoder(typed)["zip"], as_text)


DAYS = [datetime.date(2024, 1, 1) + datetime.timedelta(days=n % 3) for n in range(12)]


def prepare_ids(folder, ids, former=False, **field):
    """Prepares a log of one field; `former` as preparations once described it."""
    pl.DataFrame({"x": ids, "click": [0, 1, 1] * (len(ids) // 3)}).write_csv(folder / "log.csv")
    declaration = {
        "name": "log",
        "split": {"by": "fraction", "files": "log.csv", "test_fraction": 0.2},
        "fields": {"x": {"kind": "categorical", "min_count": 1} | field},
        "tasks": {"click": {}},
        "missing_values": [-1],
    }
    path = folder / "log.json"
    path.write_text(json.dumps(declaration))
    prepare(load_declaration(path), folder, folder / "out")
    if former:
        schema = load_schema(folder / "out")
        encoding = dataclasses.replace(schema.fields[0].encoding, values="text")
        fields = (dataclasses.replace(schema.fields[0], encoding=encoding),)
        dataclasses.replace(schema, fields=fields).save(folder / "out")
    return folder / "out"


@pytest.mark.parametrize(
    ("texts", "typed"),
    [
        (["True", "False", "TRUE"] * 4, [True, False, True] * 4),
        ([str(day) for day in DAYS], DAYS),
        (
            [f"{day}T10:00:00.000" for day in DAYS],
            [datetime.datetime.combine(day, datetime.time(10)) for day in DAYS],
        ),
        (["7.0", "8", "9.00"] * 4, pl.Series([7, 8, 9] * 4, dtype=pl.UInt8)),
        (["2.5", "0", "0.00000001"] * 4, [Decimal(x) for x in ("2.50", "0", "0.00000001")] * 4),
        (["18446744073709551615", "5", "5.0"] * 4, pl.Series([2**64 - 1, 5, 5] * 4)),
    ],
)
def test_typed_values_are_the_ids_of_their_texts(texts, typed, tmp_path):
    encoder = RowEncoder(prepare_ids(tmp_path, texts))
    found = encoder(pl.DataFrame({"x": typed}))["x"]
    np.testing.assert_array_equal(found, encoder(pl.DataFrame({"x": texts}))["x"])
    assert set(found) <= {2, 3, 4}


@pytest.mark.parametrize(
    ("texts", "typed", "message"),
    [
        (["yes", "no", "no"] * 4, [True] * 3, "type Boolean, and the dataset has ids such as 'no'"),
        ([f"{day:%d.%m.%Y}" for day in DAYS], DAYS, r"type Date, .* ids such as '0.\.01\.2024'"),
        (["02139", "b", "c"] * 4, [Decimal("2139.0")], r"type Decimal.*, .* ids such as '02139'"),
        (["a", "b", "c"] * 4, DAYS, "column 'x' holds values of type Date, .* as text"),
        (["a", "b", "c"] * 4, [[1], [2]], r"type List\(Int64\), which have no text"),
        (["a", "b", "c"] * 4, [b"a"], "type Binary, which have no text; give that column as text"),
        (["a", "b", "c"] * 4, [DAYS[1] - DAYS[0]], "type Duration.* which have no text"),
    ],
)
def test_typed_values_that_no_id_is_spelled_as_are_refused(texts, typed, message, tmp_path):
    encoder = RowEncoder(prepare_ids(tmp_path, texts))
    with pytest.raises(DatasetError, match=message):
        encoder(pl.DataFrame({"x": typed}))


def test_datasets_of_before_keep_their_ids_as_they_were_spelled(tmp_path):
    folder = prepare_ids(tmp_path, ["5", "6", "7"] * 4, former=True)
    encoder = RowEncoder(folder)
    texts = ["5", "5.0", " 5 ", "-1", "-1.0"]
    found = encoder(pl.DataFrame({"x": texts}))["x"]
    assert (found > 1).tolist() == [True, False, True, False, False]
    assert found[3:].tolist() == [0, 1]
    dataset = PreparedDataset(folder)
    served = RawFeatures(dataset.schema, dataset.vocabularies())
    np.testing.assert_array_equal(served.encode({"x": tf.constant(texts)})["x"], found)
    with pytest.raises(DatasetError, match="type Boolean"):
        encoder(pl.DataFrame({"x": [True]}))


def test_lists_in_brackets_are_lists(tmp_path):
    cells = ["[1, 2]", "['1', '2.0']", "[1 2]"] * 4
    folder = prepare_ids(tmp_path, cells, kind="multi_categorical", max_values=5)
    encoder = RowEncoder(folder)
    found = encoder(pl.DataFrame({"x": [*cells[:3], "[]", "2"]}))["x"]
    assert found.tolist() == [[2, 3, 0, 0, 0]] * 3 + [[0] * 5, [3, 0, 0, 0, 0]]
    assert encoder(pl.DataFrame({"x": [[1.0, 2.0]]}))["x"].tolist() == [[2, 3, 0, 0, 0]]


def test_some_fields_alone_are_encoded_as_with_the_others(prepared):
    some = RowEncoder(prepared, ["level", "tags"])
    assert some.columns == ("tags", "level")
    found = some(raw_rows())
    assert list(found) == ["tags", "level"]
    for name, column in found.items():
        np.testing.assert_array_equal(column, RowEncoder(prepared)(raw_rows())[name])


def test_unknown_ids_and_a_frame_without_rows(prepared):
    encoder = RowEncoder(prepared)
    found = encoder(raw_rows().head(1).with_columns(city=pl.lit("paris"), tags=pl.lit("z;;z;a")))
    assert found["city"].tolist() == [1]
    assert found["tags"].tolist() == [[1, 1]]
    empty = encoder(raw_rows().clear())
    assert {name: column.shape for name, column in empty.items()} == {
        name: (0, 2) if name == "tags" else (0,) for name in FIELDS
    }


def test_mistakes_get_one_sentence(prepared, tmp_path):
    encoder = RowEncoder(prepared)
    with pytest.raises(
        DatasetError, match=r"no column 'city', which field city is made of; .* row"
    ):
        encoder(raw_rows().drop("city"))
    wrong = raw_rows().with_columns(
        price=pl.when(pl.col("row") == "7").then(pl.lit("dear")).otherwise("price")
    )
    with pytest.raises(DatasetError, match="column 'price' holds 'dear' in row 7"):
        encoder(wrong)
    for values in (DAYS, [datetime.datetime(2024, 1, 2)], [DAYS[1] - DAYS[0]], [b"1"], [[1.0]]):
        typed = raw_rows().head(len(values)).with_columns(price=pl.Series(values))
        with pytest.raises(DatasetError, match=r"column 'price' holds values of type .* numbers"):
            encoder(typed)
    for rows in (raw_rows().lazy(), raw_rows().to_dict(), raw_rows().to_arrow()):
        with pytest.raises(DatasetError, match=r"expected a frame of Polars; make one with pl\.fr"):
            encoder(rows)
    with pytest.raises(DatasetError, match="no field colour"):
        RowEncoder(prepared, ["colour"])
    other = write_dataset(tmp_path / "other", rows={"train": 20})
    with pytest.raises(DatasetError, match="integers as ids of field item, which are no cells"):
        RowEncoder(other)


def test_damaged_folders_get_one_sentence(prepared, tmp_path):
    def copy(name):
        folder = tmp_path / name
        (folder / "vocabularies").mkdir(parents=True)
        for file in [prepared / "schema.json", *(prepared / "vocabularies").iterdir()]:
            (folder / file.relative_to(prepared)).write_bytes(file.read_bytes())
        return folder

    missing = copy("missing")
    (missing / "vocabularies" / "city.parquet").unlink()
    with pytest.raises(DatasetError, match=r"city\.parquet cannot be read"):
        RowEncoder(missing)
    cut = copy("cut")
    vocabulary = cut / "vocabularies" / "city.parquet"
    pl.read_parquet(vocabulary).head(1).write_parquet(vocabulary)
    with pytest.raises(DatasetError, match=r"city\.parquet has 1 ids, the schema says"):
        RowEncoder(cut)
    old = copy("old")
    schema = load_schema(old)
    fields = [
        dataclasses.replace(field, encoding=None if field.name == "price_bins" else field.encoding)
        for field in schema.fields
    ]
    dataclasses.replace(schema, fields=tuple(fields)).save(old)
    assert RowEncoder(old, ["city"]).columns == ("city",)
    with pytest.raises(DatasetError, match="does not say how field price_bins was encoded"):
        RowEncoder(old)
