"""Histories: what rows see of their users' earlier rows, beside a reference of quadratic time."""

import collections
import contextlib
import dataclasses
import pathlib
import random
import tempfile

import numpy as np
import polars as pl
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.history import event_files, histories
from data_prep.own_log.history.dictionary import Dictionary
from data_prep.own_log.history.histories import open_histories
from data_prep.own_log.learning.field_learner import field_learners
from data_prep.own_log.parsing import csv_file
from data_prep.own_log.preparation import prepare
from data_prep.own_log.row_encoder import RowEncoder
from data_prep.own_log.rows.log_rows import LogRows
from data_prep.own_log.split_draw import TRAIN
from data_prep.storage.columns import cut, row_count
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.dataset.vocabulary import load_vocabulary
from dcrnn_tf.serving.raw_features import RawFeatures
from tests.data_prep.storage.test_writer import read
from tests.fuzzing import cases, fuzz

HISTORY = {"kind": "multi_categorical", "history_of": "item", "by": "user", "min_count": 1}
CONTENT = {
    "name": "shop",
    "time": {"column": "at", "unit": "s"},
    "split": {"by": "time", "files": "*.csv", "train_until": 5, "validation_until": 8},
    "tasks": {"click": {"may_be_missing": True}},
    "fields": {
        "number": {"kind": "numeric", "scaling": "none"},
        "seen": {**HISTORY, "last": 3},
        "clicked": {**HISTORY, "where": "click"},
        "clicked_late": {**HISTORY, "where": "click", "delay": "2s", "last": 2},
        "bought": {**HISTORY, "where": "buy", "history_of": "price"},
        "of_item": {**HISTORY, "history_of": "user", "by": "item", "last": 4},
    },
}


@dataclasses.dataclass
class Row:
    at: int
    user: str
    item: str
    price: str
    click: str
    buy: str
    bad: bool


ROWS = st.builds(
    Row,
    at=st.integers(0, 12),
    user=st.sampled_from(["u", "u", "v", "5", "5.0", ""]),
    item=st.sampled_from(["a", "b", "c", "7", "7.0", "", "NaN"]),
    price=st.sampled_from(["1", "2.50", ""]),
    click=st.sampled_from(["0", "1", "1", "true", ""]),
    buy=st.sampled_from(["0", "1", "True", ""]),
    bad=st.sampled_from([False, False, False, True]),
)
# In the beginning, each split and each label.
FIRST = [Row(at, "w", "d", "3", click, "1", False) for at in (0, 5, 8) for click in "01"]


def spelled(cell):
    return {"5.0": "5", "7.0": "7", "": None, "NaN": None}.get(cell, cell)


def reference(rows, field):
    """For each row, the values that its history has."""
    entry = {"last": 50, "delay": "0s", **CONTENT["fields"][field]}
    found = []
    for row in rows:
        user = spelled(getattr(row, entry["by"]))
        earlier = []
        for number, other in enumerate(rows):
            value = spelled(getattr(other, entry["history_of"]))
            if value is None or user is None or spelled(getattr(other, entry["by"])) != user:
                continue
            if entry.get("where") and getattr(other, entry["where"]) not in ("1", "true", "True"):
                continue
            if other.at + int(entry["delay"][:-1]) < row.at:
                earlier.append((other.at, number, value))
        found.append([value for _, _, value in sorted(earlier)][-entry["last"] :])
    return found


def write(folder, rows, files):
    """Writes rows as files, and returns those that are usable."""
    good = []
    for number, part in enumerate(np.array_split(np.arange(len(rows)), files)):
        lines = ["number,at,user,item,price,click,buy"]
        for position in part.tolist():
            row = rows[position]
            cells = [row.at, row.user, row.item, row.price, row.click, row.buy]
            if row.bad:
                lines.append(f"{position},soon," + ",".join(map(str, cells[1:])))
            else:
                lines.append(f"{len(good)}," + ",".join(map(str, cells)))
                good.append(row)
        (folder / f"{number}.csv").write_text("\n".join(lines) + "\n")
    return good


@contextlib.contextmanager
def small_files(block, buckets, slice_rows):
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file, "BLOCK_BYTES", block)
        patch.setattr(histories, "BUCKET_BYTES", buckets)
        patch.setattr(event_files, "SLICE_ROWS", slice_rows)
        yield pathlib.Path(name)


def lists_of(columns, field, ids):
    """The lists of a column as raw values; None of what the vocabulary does not know."""
    lists = []
    for row in cut(columns, np.arange(row_count(columns)) + 1):
        lists.append([ids[value - 2] if value > 1 else None for value in row[f"{field}/values"]])
    return lists


def expected_of(rows, field):
    """The lists of a field, and how often training rows hold each value."""
    lists = reference(rows, field)
    train = [values for row, values in zip(rows, lists, strict=True) if row.at < 5]
    counts = collections.Counter(value for values in train for value in values)
    return [[v if v in counts else None for v in values] for values in lists], counts


@cases(quick=15, slow=200)
def test_rows_see_what_a_reference_of_quadratic_time_says(examples):
    fuzz(
        check_rows,
        examples,
        {"checked"},
        rows=st.lists(ROWS, max_size=30),
        files=st.integers(1, 3),
        block=st.sampled_from([150, 1 << 20]),
        buckets=st.sampled_from([60, 1 << 20]),
        slice_rows=st.sampled_from([4, 1 << 20]),
    )


def check_rows(rows, files, block, buckets, slice_rows):
    with small_files(block, buckets, slice_rows) as folder:
        rows = write(folder, [*FIRST, *rows], files)
        declaration = parse_declaration(CONTENT, folder / "shop.yaml")
        log = LogRows(declaration, folder, 0, 1000)
        learners = field_learners(declaration, 0)
        with open_histories(declaration, log, folder / "out") as found:
            for frame, splits, labels in log.read(lambda done: None):
                found.add(frame, splits == TRAIN, labels)
            found.finish(learners)
            for learner in learners[1:]:
                encoder = found.encoder(*learner.finish())
                expected, counts = expected_of(rows, learner.declared.name)
                vocabulary = encoder.vocabulary
                counted = dict(zip(vocabulary.ids, vocabulary.counts.tolist(), strict=True))
                assert counted == counts
                lists = []
                for frame, _, _ in log.read(lambda done: None):
                    column = encoder(frame)
                    flat = {"x/values": column.values, "x/row_lengths": column.row_lengths}
                    lists += lists_of(flat, "x", vocabulary.ids)
                assert lists == expected, learner.declared.name
                assert learner.counts.missing == sum(not values for values in expected)
        assert not (folder / "out.work").exists()
    return "checked"


def random_rows(seed, count):
    draw = random.Random(seed)
    return [
        Row(
            draw.randrange(13),
            draw.choice(["u", "v", "5", "5.0", ""]),
            draw.choice(["a", "b", "c", "7", "7.0", "", "NaN"]),
            draw.choice(["1", "2.50", ""]),
            draw.choice(["0", "1", "1", "true", ""]),
            draw.choice(["0", "1", "True", ""]),
            draw.random() < 0.1,
        )
        for _ in range(count)
    ]


def test_a_prepared_dataset_has_the_histories(tmp_path):
    rows = write(tmp_path, [*FIRST, *random_rows(1, 200)], 3)
    declaration = parse_declaration(CONTENT, tmp_path / "shop.yaml")
    schema = prepare(declaration, tmp_path, tmp_path / "out", 0, 1000)
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".csv") == ["out"]
    for field in schema.fields[1:]:
        expected, _ = expected_of(rows, field.name)
        ids = load_vocabulary(tmp_path / "out", field).ids
        lists = {}
        for split in schema.splits:
            columns = read(tmp_path / "out", split)
            numbers = columns["number"].astype(int).tolist()
            lists |= dict(zip(numbers, lists_of(columns, field.name, ids), strict=True))
        assert [lists[number] for number in range(len(rows))] == expected
    # Rows that come later bring their lists with them, of which the last values are taken.
    encoder = RowEncoder(tmp_path / "out", ["seen"])
    later = pl.DataFrame({"seen": [["a", "b", "c", "7.0"], [], ["zz", None, "a"]]})
    ids = load_vocabulary(tmp_path / "out", schema.fields[1]).ids.tolist()
    b, c, seven, a = (ids.index(value) + 2 for value in ("b", "c", "7", "a"))
    assert encoder(later)["seen"].tolist() == [[b, c, seven], [0, 0, 0], [1, a, 0]]
    dataset = PreparedDataset(tmp_path / "out")
    served = RawFeatures(dataset.schema, dataset.vocabularies())
    padded = tf.constant([["a", "b", "c", "7.0"], ["", "", "", ""], ["zz", "", "a", ""]])
    rows_of_ids = served.encode({"seen": padded}, ["seen"])["seen"].numpy().tolist()
    assert [[row for row in rows if row] for rows in rows_of_ids] == [[b, c, seven], [], [1, a]]
    texts = pl.DataFrame({"seen": ["a;b;c;7.0", "", "zz;;a"]})
    assert encoder(texts)["seen"].tolist() == encoder(later)["seen"].tolist()


def test_hashed_ids_of_histories_are_those_of_the_lists_themselves(tmp_path):
    write(tmp_path, [*FIRST, *random_rows(3, 50)], 2)
    seen = {key: value for key, value in CONTENT["fields"]["seen"].items() if key != "min_count"}
    fields = {
        "number": CONTENT["fields"]["number"],
        "item": {"kind": "categorical", "hashed": 1000},
        "seen": seen | {"shares": "item"},
        "seen_again": seen | {"hashed": 7},
        "known": CONTENT["fields"]["seen"],
    }
    declaration = parse_declaration({**CONTENT, "fields": fields}, tmp_path / "shop.yaml")
    schema = prepare(declaration, tmp_path, tmp_path / "out", 0, 1000)
    ids = load_vocabulary(tmp_path / "out", schema.fields[-1]).ids
    encoder = RowEncoder(tmp_path / "out", ["seen", "seen_again"])
    columns = read(tmp_path / "out", "train")
    texts = pl.Series(lists_of(columns, "known", ids), dtype=pl.List(pl.String))
    found = encoder(pl.DataFrame({"seen": texts, "seen_again": texts}))
    for field in ("seen", "seen_again"):
        rows = [row[row > 0].tolist() for row in found[field]]
        ends = np.cumsum(columns[f"{field}/row_lengths"])[:-1]
        assert rows == [part.tolist() for part in np.split(columns[f"{field}/values"], ends)]
        assert any(rows)


@pytest.mark.parametrize("label", ["click", "buy"])
def test_no_row_sees_its_own_label_or_one_of_the_same_moment(tmp_path, label):
    """Whatever labels become, rows that are not later than theirs keep their histories."""
    content = {**CONTENT, "fields": {"seen": CONTENT["fields"]["clicked"] | {"where": label}}}
    declaration = parse_declaration(content, tmp_path / "shop.yaml")

    def seen(rows):
        write(tmp_path, rows, 2)
        log = LogRows(declaration, tmp_path, 0, 1000)
        with open_histories(declaration, log, tmp_path / "out") as found:
            for frame, _, labels in log.read(lambda done: None):
                found.add(frame, np.ones(frame.height, bool), labels)
            (learner,) = field_learners(declaration, 0)
            found.finish([learner])
            encoder = found.encoder(*learner.finish())
            columns = [encoder(frame) for frame, _, _ in log.read(lambda done: None)]
        flat = {
            f"x/{part}": np.concatenate([getattr(column, part) for column in columns])
            for part in ("values", "row_lengths")
        }
        return lists_of(flat, "x", encoder.vocabulary.ids)

    rows = [row for row in random_rows(2, 60) if not row.bad]
    before, changed = seen(rows), 0
    for number, row in enumerate(rows):
        other = "0" if getattr(row, label) in ("1", "true", "True") else "1"
        after = seen(
            [*rows[:number], dataclasses.replace(row, **{label: other}), *rows[number + 1 :]]
        )
        for one, (first, second) in enumerate(zip(before, after, strict=True)):
            same = first == second
            changed += not same
            assert same or (rows[one].at > row.at and rows[one].user != ""), (number, one)
    assert changed


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"by": None}, "field seen: by is None, expected text"),
        ({"last": 0}, "field seen: last is 0, expected a whole number from 1 to 65535"),
        ({"delay": "soon"}, "field seen: delay is 'soon', expected a duration such as 30s, 15m"),
        ({"delay": 5}, "field seen: delay is 5, expected text"),
        ({"separator": ","}, "field seen: 'separator' is not a key of a field with history_of"),
        ({"history_of": "seen"}, "field seen: a column of that name is used as well"),
        (
            {"where": "watched"},
            "field seen: where is 'watched', a regression task, expected a bina",
        ),
        ({"min_count": 2, "shares": "clicked"}, "field seen: give either shares or min_count"),
    ],
)
def test_a_history_that_cannot_be_is_refused(entry, message):
    content = {
        **CONTENT,
        "tasks": {**CONTENT["tasks"], "watched": {"kind": "regression"}},
        "fields": {**CONTENT["fields"], "seen": {**CONTENT["fields"]["seen"], **entry}},
    }
    with pytest.raises(DatasetError) as error:
        parse_declaration(content, pathlib.Path("shop.yaml"))
    assert f"shop.yaml: {message}" in str(error.value)


def test_a_history_needs_times():
    content = {key: value for key, value in CONTENT.items() if key != "time"}
    content["split"] = {"by": "file", "train": "a.csv", "test": "b.csv"}
    with pytest.raises(DatasetError, match="field seen: a history needs the column of times"):
        parse_declaration(content, pathlib.Path("shop.yaml"))


def test_what_is_missing_in_the_files_is_named(tmp_path):
    (tmp_path / "0.csv").write_text("number,at,item,price,click,buy\n")
    with pytest.raises(DatasetError, match=r"there is no column 'user' \(field of_item\)"):
        prepare(parse_declaration(CONTENT, tmp_path / "shop.yaml"), tmp_path, tmp_path / "out")


def test_ids_are_numbered_apart_though_their_hashes_are_one(monkeypatch):
    hashed = pl.Series.hash

    def few_hashes(series, seed=0):
        return hashed(series, seed) % (3 + 20 * seed)

    monkeypatch.setattr(pl.Series, "hash", few_hashes)
    draw, known, numbers = random.Random(0), Dictionary(), {}
    for _ in range(20):
        cells = [draw.choice([None, "5", "5.0", "a", *map(str, range(30))]) for _ in range(12)]
        found = known.numbers(pl.Series(cells, dtype=pl.String)).tolist()
        for cell, number in zip(cells, found, strict=True):
            assert numbers.setdefault(spelled(cell), number) == number
    assert numbers.pop(None, -1) == -1
    assert sorted(numbers.values()) == [*range(len(numbers))]
    assert {cell: known.ids[number] for cell, number in numbers.items()} == {c: c for c in numbers}
    assert Dictionary().numbers(pl.Series([5, None, 7, 5])).tolist() in (
        [0, -1, 1, 0],
        [1, -1, 0, 1],
    )
