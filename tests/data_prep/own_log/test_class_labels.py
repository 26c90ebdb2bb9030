"""Tasks of several classes: learned from training rows or declared, stored by their numbers."""

import pathlib

import pytest

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.preparation import prepare
from data_prep.own_log.statistics import summary
from dcrnn_tf.dataset import verification
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError, Field, Schema, Task, load_schema

TRAIN = """user,click,genre
a,1,rock
b,0,5
c,1,jazz
d,1,5.0
e,0,5
f,1,rock
"""
TEST = "user,click,genre\na,1,jazz\nb,0,rock\nc,1,folk\n"


def declared(**genre):
    content = {
        "name": "music",
        "split": {"by": "file", "train": "train.csv", "test": "test.csv"},
        "tasks": {"click": {}, "genre": {"kind": "multiclass", **genre}},
        "fields": {"user": {"kind": "categorical", "min_count": 1}},
    }
    return parse_declaration(content, pathlib.Path("music.yaml"))


@pytest.fixture
def prepared(tmp_path):
    """A function that prepares the log, and returns the schema."""

    def prepared(train=TRAIN, test=TEST, max_bad_rows=0, **genre):
        (tmp_path / "train.csv").write_text(train)
        (tmp_path / "test.csv").write_text(test)
        declaration = declared(**genre)
        return prepare(declaration, tmp_path, tmp_path / "out", max_bad_rows=max_bad_rows)

    return prepared


def labels(folder, split):
    """Pairs of the row of the user and the class, in the order of users."""
    ((features, labels),) = PreparedDataset(folder).batches(split, 16)
    pairs = zip(features["user"].numpy().tolist(), labels["genre"].numpy().tolist(), strict=True)
    return [label for _, label in sorted(pairs)]


def test_classes_are_learned_from_training_rows_the_most_frequent_first(prepared, tmp_path):
    schema = prepared()
    assert schema.tasks[1] == Task("genre", kind="multiclass", classes=("5", "rock", "jazz"))
    assert load_schema(tmp_path / "out") == schema
    assert labels(tmp_path / "out", "train") == [1, 0, 2, 0, 0, 1]
    assert labels(tmp_path / "out", "test") == [2, 1, -1]
    assert schema.split("train").defined["genre"] == 6
    assert schema.split("train").positives["genre"] == 3
    assert schema.split("test").defined["genre"] == 2
    assert (
        "note: test: 1 of 3 rows have a class of task genre that no training row has, and are no "
        "part of its metrics" in summary(schema)
    )
    assert list(verification.findings(tmp_path / "out", schema)) == []


def test_declared_classes_keep_their_order_and_no_other_is_taken(prepared, tmp_path):
    with pytest.raises(DatasetError) as error:
        prepared(classes=["jazz", "rock", 5])
    message = "task genre: column 'genre' holds 'folk', expected one of jazz, rock, 5"
    assert "test.csv, line 4" in str(error.value)
    assert message in str(error.value)
    schema = prepared(max_bad_rows=1, classes=["jazz", "rock", 5])
    assert schema.tasks[1].classes == ("jazz", "rock", "5")
    assert labels(tmp_path / "out", "train") == [1, 2, 0, 2, 2, 1]
    assert schema.filters["bad_rows"] == {"label not allowed": 1}


def test_a_class_may_be_defined_where_another_task_is_positive(prepared, tmp_path):
    train = TRAIN.replace("b,0,5", "b,0,")
    with pytest.raises(DatasetError, match="line 3: task genre: column 'genre' has no label"):
        prepared(train)
    schema = prepared(train, only_where="click")
    assert schema.tasks[1].classes == ("rock", "5", "jazz")  # of the clicked rows
    assert labels(tmp_path / "out", "train") == [0, -1, 2, 1, -1, 0]


@pytest.mark.parametrize(
    ("genre", "message"),
    [
        (
            {"classes": ["rock"]},
            "classes is ['rock'], expected two or more, no two of them the same",
        ),
        ({"classes": [5, "5.0"]}, "expected two or more, no two of them the same"),
        ({"positive": "rock"}, "'positive' is not a key of a multiclass task"),
        ({"loss": "huber"}, "'loss' is not a key of a multiclass task"),
    ],
)
def test_what_cannot_be_is_refused(genre, message):
    with pytest.raises(DatasetError) as error:
        declared(**genre)
    assert message in str(error.value)


def test_one_class_alone_is_refused(prepared):
    train = "user,click,genre\na,1,rock\nb,0,rock\n"
    with pytest.raises(DatasetError, match="task genre has 1 classes in its training rows"):
        prepared(train)


def test_a_schema_with_impossible_classes_is_refused():
    field = (Field("user", vocabulary_size=9),)
    for task, message in (
        ({"kind": "multiclass", "classes": ("a", "a")}, "no two of them the same"),
        ({"classes": ("a", "b")}, "only a multiclass task has classes"),
    ):
        with pytest.raises(DatasetError, match=message):
            Schema("music", field, (Task("genre", **task),), {})
