"""Datasets that extend others: ids keep their rows, scalings, bins and classes stay."""

import pathlib

import numpy as np
import polars as pl
import pytest

from data_prep.own_log.__main__ import Settings, main
from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.extending import ExtendedDataset
from data_prep.own_log.preparation import prepare
from data_prep.own_log.row_encoder import RowEncoder
from data_prep.own_log.statistics import summary
from dcrnn_tf.dataset import verification
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError, load_schema
from dcrnn_tf.dataset.vocabulary import load_vocabularies
from dcrnn_tf.system.errors import UsageError

FIELDS = {
    "item": {"kind": "categorical", "min_count": 2},
    "history": {"kind": "multi_categorical", "shares": "item"},
    "price": {"kind": "numeric"},
    "level": {"kind": "categorical", "bins": "quantile", "min_count": 1},
    "size": {"kind": "categorical", "bins": "log", "min_count": 1},
}
TASKS = {
    "click": {},
    "mood": {"kind": "multiclass"},
    "spend": {"kind": "regression"},
}
COLUMNS = ["item", "history", "price", "level", "size", "city", "click", "mood", "spend"]
DAYS = [
    [  # a 3 times, b twice, c once; price has mean 2 and deviation 1
        ("a", "b", 1, 10, 1, "rome", 1, "good", 1),
        ("a", "b", 3, 20, 2, "oslo", 0, "good", 3),
        ("a", "", 1, 10, 1, "rome", 1, "bad", 1),
        ("c", "", 3, 20, 2, "oslo", 0, "good", 3),
    ],
    [  # e 3 times, d twice, b once, f once; a in no row
        ("e", "e;d", 7, 15, 1, "rome", 1, "new", 8),
        ("e", "b", 9, 30, 4, "bonn", 0, "bad", 9),
        ("d", "f", 7, 5, 2, "rome", 1, "new", 8),
        ("", "", 9, 99, 4, "oslo", 0, "bad", 9),
    ],
    [  # g twice, h twice, i twice; d once
        ("g", "g;h", 1, 10, 1, "rome", 1, "good", 1),
        ("h", "i;i", 3, 20, 2, "oslo", 0, "bad", 3),
        ("d", "", 3, 20, 2, "oslo", 0, "bad", 3),
    ],
]


def declared(day, **fields):
    content = {
        "name": "shop",
        "split": {"by": "file", "train": f"day{day}.csv", "test": "test.csv"},
        "fields": {name: entry for name, entry in (FIELDS | fields).items() if entry},
        "tasks": TASKS,
    }
    return parse_declaration(content, pathlib.Path("shop.yaml"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three datasets, each extending the one before it; in the last ids are forgotten."""
    folder = tmp_path_factory.mktemp("log")
    for day, rows in enumerate(DAYS):
        pl.DataFrame(rows, COLUMNS, orient="row").write_csv(folder / f"day{day}.csv")
    pl.DataFrame(DAYS[1], COLUMNS, orient="row").write_csv(folder / "test.csv")
    prepare(declared(0), folder, folder / "0")
    city = {"city": {"kind": "categorical", "min_count": 2}}
    for day, forget_after, more in ((1, None, city), (2, 1, city)):
        declaration = declared(day, **more)
        extended = ExtendedDataset.load(folder / str(day - 1), declaration, forget_after)
        prepare(declaration, folder, folder / str(day), extended=extended)
    return folder


def ids_of(folder, day, field):
    vocabularies = load_vocabularies(folder / day, load_schema(folder / day).fields)
    vocabulary = vocabularies[field]
    columns = (vocabulary.ids, vocabulary.counts, vocabulary.unseen)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_new_ids_come_behind_the_old_ones(folder):
    assert ids_of(folder, "0", "item") == [("a", 3, 0), ("b", 2, 0)]
    assert ids_of(folder, "1", "item") == [("a", 0, 1), ("b", 1, 0), ("e", 3, 0), ("d", 2, 0)]
    assert ids_of(folder, "1", "history") == ids_of(folder, "1", "item")
    assert ids_of(folder, "1", "city") == [("rome", 2, 0)]  # of a field that was added
    rows = RowEncoder(folder / "1")(
        pl.DataFrame(DAYS[1], COLUMNS, orient="row").with_columns(item=pl.Series(list("eabf")))
    )
    assert rows["item"].tolist() == [4, 2, 3, 1]
    assert rows["history"][:2, :2].tolist() == [[4, 5], [3, 0]]


def test_rows_of_ids_that_were_not_seen_for_long_are_given_to_new_ones(folder):
    # a was in neither of the last two datasets, b and e not in the last: g, h and i come as they
    # are counted, a's row goes first.
    assert ids_of(folder, "2", "item") == [("g", 2, 0), ("h", 2, 0), ("i", 2, 0), ("d", 1, 0)]
    counts = load_schema(folder / "2").filters["extends"]["ids"]["item"]
    assert counts == {"kept": 1, "unseen": 0, "added": 3, "reused": 3}
    assert load_schema(folder / "1").filters["extends"]["ids"]["item"] == {
        **{"kept": 2, "unseen": 1, "added": 2, "reused": 0}
    }


def test_scalings_bins_and_classes_stay(folder):
    before, after = (load_schema(folder / day) for day in "01")
    fields = [{field.name: field for field in schema.fields} for schema in (before, after)]
    assert fields[0]["price"].encoding == fields[1]["price"].encoding
    assert fields[1]["price"].encoding.mean == 2
    assert fields[0]["level"].encoding == fields[1]["level"].encoding
    assert ids_of(folder, "1", "level") == [(10.0, 2, 0), (20.0, 2, 0)]
    assert [i for i, *_ in ids_of(folder, "1", "size")] == [1, 2, 4]  # floor(ln(4)^2) + 3
    _, mood, spend = after.tasks
    assert before.tasks[1].classes == ("good", "bad")
    assert mood.classes == ("good", "bad", "new")
    assert (spend.target.mean, spend.target.deviation) == (2, 1)
    assert spend.target.average == 8.5  # of the constant predictor, which has no ids
    ((features, labels),) = PreparedDataset(folder / "1").batches("test", 9)
    by_item = np.argsort(features["level"].numpy() * 10 + features["price"].numpy())
    assert sorted(features["price"].numpy().tolist()) == [5, 5, 7, 7]
    assert sorted(features["level"].numpy().tolist()) == [2, 2, 3, 3]  # 5 and 15; 30 and 99
    assert sorted(labels["mood"].numpy()[by_item].tolist()) == [1, 1, 2, 2]


def test_the_summary_says_what_has_grown(folder):
    text = summary(load_schema(folder / "2"))
    assert "extends shop, of the fingerprint " in text
    assert (
        "ids of item: 1 ids kept, 0 of them in no training row; 3 added, 3 of them in the rows of "
        "forgotten ids" in text
    )
    assert "fields added: city" in summary(load_schema(folder / "1"))


def test_an_extended_dataset_is_sound(folder):
    assert list(verification.findings(folder / "2", load_schema(folder / "2"))) == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"item": {"kind": "categorical", "column": "city"}}, "field item: column is 'city', and"),
        ({"price": {"kind": "numeric", "scaling": "log"}}, "field price: method is 'log', and 'st"),
        ({"level": {"kind": "categorical", "bins": "log"}}, "field level: method is 'log', and 'q"),
        ({"size": {"kind": "categorical", "hashed": 9}}, "field size: encoding is 'ids', and 'bin"),
        ({"history": {"kind": "multi_categorical"}}, "field history: shares is None, and 'item'"),
    ],
)
def test_a_field_that_is_declared_otherwise_is_refused(folder, fields, message):
    with pytest.raises(DatasetError, match=message):
        ExtendedDataset.load(folder / "0", declared(1, **fields))


def test_a_field_may_be_left_out(folder):
    fields = ExtendedDataset.load(folder / "0", declared(1, size=None)).fields
    assert set(fields) == {"item", "history", "price", "level"}


def test_the_program_refuses_what_cannot_be(folder, tmp_path):
    settings = Settings("shop.yaml", str(tmp_path / "new"), forget_after=3)
    with pytest.raises(UsageError, match="--forget_after belongs to --extends=FOLDER"):
        main(settings)


def test_rows_before_the_first_training_row_count_for_histories_alone(tmp_path):
    rows = [(at, "u", f"i{at}", at % 2) for at in range(8)]
    pl.DataFrame(rows, ["at", "user", "item", "click"], orient="row").write_csv(tmp_path / "0.csv")
    seen = {"kind": "multi_categorical", "history_of": "item", "by": "user"}
    declaration = parse_declaration(
        {
            "name": "shop",
            "time": {"column": "at", "unit": "s"},
            "split": {
                **{"by": "time", "files": "0.csv"},
                **{"train_from": 2, "train_until": 4, "test_until": 6},
            },
            "fields": {
                "item": {"kind": "categorical", "min_count": 1},
                "seen": {**seen, "shares": "item", "last": 2},
            },
            "tasks": {"click": {}},
        },
        pathlib.Path("shop.yaml"),
    )
    schema = prepare(declaration, tmp_path, tmp_path / "out")
    assert {name: split.rows for name, split in schema.splits.items()} == {"train": 2, "test": 2}
    assert schema.filters["rows_in_no_split"] == 4
    assert "rows before or after those of the splits: 4" in summary(schema)
    ids = np.array(["", "?", *PreparedDataset(tmp_path / "out").vocabularies()["item"]])
    ((features, _),) = PreparedDataset(tmp_path / "out").batches("train", 9)
    seen_of = {
        ids[item]: ids[seen].tolist()
        for item, seen in zip(features["item"], features["seen"].numpy(), strict=True)
    }
    assert seen_of == {"i2": ["i0", "i1"], "i3": ["i1", "i2"]}
    if pytest.importorskip("apache_beam"):
        from data_prep.beam.own_log.preparation import prepare as prepare_on_beam

        on_beam = prepare_on_beam(declaration, tmp_path, tmp_path / "beam")
        assert on_beam.filters["rows_in_no_split"] == 4
        assert {name: split.rows for name, split in on_beam.splits.items()} == {
            **{"train": 2, "test": 2}
        }
