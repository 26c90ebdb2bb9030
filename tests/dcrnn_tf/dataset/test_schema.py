import dataclasses
import hashlib
import json

import pytest

from dcrnn_tf.dataset.encodings import INTEGER, QUANTILE, Bins, Ids, Scaling
from dcrnn_tf.dataset.schema import (
    CATEGORICAL,
    MULTI_CATEGORICAL,
    NUMERIC,
    DatasetError,
    Entity,
    Field,
    Schema,
    Shard,
    Split,
    Task,
    load_schema,
)


def make_schema(**changes):
    shard = Shard("d-train.tfrecord-00000-of-00001", rows=10, records=1, bytes=99, sha256="ab")
    parts = {
        "name": "d",
        "fields": (
            Field("field_205", CATEGORICAL, 12, raw_name="205", encoding=Ids(("-1",), INTEGER, 10)),
            Field("field_210", MULTI_CATEGORICAL, 7, 3, weighted=True, attended_by="field_205"),
            Field(
                "price",
                NUMERIC,
                encoding=Scaling(("",), QUANTILE, 0.0, 1.0, (1.0, 2.5), (0.0, 1.0)),
            ),
            Field("age", CATEGORICAL, 5, entity="user", encoding=Bins((), QUANTILE, (1.0, 7.0))),
        ),
        "tasks": (Task("click"), Task("conversion", only_where="click")),
        "splits": {
            "train": Split(
                "train", 10, {"click": 4, "conversion": 1}, {"click": 10, "conversion": 4}, (shard,)
            )
        },
        "entities": {"user": Entity("user", 3, (shard,))},
        "source": {"simulated": True},
        "settings": {"rows": 10},
        "filters": {"dropped": 2},
        "seed": 5,
    }
    return Schema(**(parts | changes))


def attended(name, attending=None):
    return Field(name, MULTI_CATEGORICAL, 5, max_values=3, attended_by=attending)


def test_written_and_read_again_it_is_the_same(tmp_path):
    schema = make_schema()
    schema.save(tmp_path)
    assert load_schema(tmp_path) == schema
    assert load_schema(tmp_path).fingerprint == schema.fingerprint


def test_what_a_folder_does_not_use_is_not_written(tmp_path):
    schema = make_schema()
    schema.save(tmp_path)
    content = json.loads((tmp_path / "schema.json").read_text())
    assert ["attended_by" in field for field in content["fields"]] == [False, True, False, False]
    assert "out_of_sequence" not in content["splits"][0]


@pytest.mark.parametrize("kept", [True, False])
def test_a_schema_that_spells_out_what_it_does_not_use_keeps_its_fingerprint(tmp_path, kept):
    schema = make_schema()
    schema.save(tmp_path)
    path = tmp_path / "schema.json"
    content = json.loads(path.read_text())
    del content["fingerprint"]
    content["fields"][0]["attended_by"] = None
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    stated = hashlib.sha256(canonical.encode()).hexdigest()
    assert stated != schema.fingerprint
    content["seed"] += 0 if kept else 1
    path.write_text(json.dumps(content | {"fingerprint": stated}))
    if kept:
        assert load_schema(tmp_path) == schema
        assert load_schema(tmp_path).fingerprint == stated
    else:
        with pytest.raises(DatasetError, match="was changed after it was written"):
            load_schema(tmp_path)


def test_columns_on_disk():
    schema = make_schema()
    assert schema.exposure_columns() == {
        "field_205": "int32",
        "field_210/values": "int32",
        "field_210/row_lengths": "uint16",
        "field_210/weights": "float32",
        "price": "float32",
        "user_row": "int32",
        "click": "uint8",
        "conversion": "uint8",
    }
    assert schema.entity_columns("user") == {"age": "int32"}


def test_fingerprint_depends_on_everything():
    schema = make_schema()
    assert make_schema().fingerprint == schema.fingerprint
    assert make_schema(seed=6).fingerprint != schema.fingerprint
    assert make_schema(filters={"dropped": 3}).fingerprint != schema.fingerprint
    assert make_schema(settings={"rows": 11}).fingerprint != schema.fingerprint
    for number, change in ((0, {"encoding": Ids()}), (1, {"attended_by": "age"})):
        fields = list(schema.fields)
        fields[number] = dataclasses.replace(fields[number], **change)
        assert make_schema(fields=tuple(fields)).fingerprint != schema.fingerprint


def test_a_task_is_not_called_as_an_output_that_models_add():
    tasks = (Task("click"), Task("buy", only_where="click"), Task("buy_per_exposure"))
    message = "task buy_per_exposure has the name of an output that models add for task buy"
    with pytest.raises(DatasetError, match=message):
        Schema("d", (), tasks, {})
    Schema("d", (), (Task("click"), Task("buy"), Task("buy_per_exposure")), {})


def test_select_fields_keeps_the_schema_order():
    names = [f.name for f in make_schema().select_fields(["price", "field_205"]).fields]
    assert names == ["field_205", "price"]
    with pytest.raises(DatasetError, match="has no field colour"):
        make_schema().select_fields(["colour"])


def test_a_list_is_attended_as_long_as_the_attending_field_is_selected():
    schema = make_schema()
    with_it, without = (
        schema.select_fields(names).fields[-1]
        for names in (["field_205", "field_210"], ["field_210"])
    )
    assert with_it == schema.fields[1]
    assert without == dataclasses.replace(schema.fields[1], attended_by=None)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Field("\n", CATEGORICAL, 5), r"field name '\\n' has no visible character"),
        (lambda: Field("a", "text", 5), "kind 'text' is not one of"),
        (lambda: Field("a", CATEGORICAL, 1), "vocabulary_size 1 is below 2"),
        (
            lambda: Field("a", CATEGORICAL, 2**31),
            "field a: vocabulary_size is 2,147,483,648, expected 0 to 2,147,483,647",
        ),
        (lambda: Field("a", NUMERIC, 5), "field a: vocabulary_size is 5, expected 0 to 0"),
        (lambda: Field("a", MULTI_CATEGORICAL, 5, 65_536), "is 65,536, .* 65,535"),
        (lambda: Field("a", MULTI_CATEGORICAL, 5, 0), "field a: max_values is 0, expected 1 to"),
        (lambda: Entity("user", 2**31, ()), "entity table user: rows is 2,147,483,648, expected"),
        (lambda: Field("a", CATEGORICAL, 5, weighted=True), "only a multi_categorical field"),
        (lambda: Field("a", CATEGORICAL, 5, attended_by="b"), "field a: only a multi_categorical"),
        (lambda: make_schema(fields=(attended("a", "b"),)), "field a: .* 'b', which is no field"),
        (
            lambda: make_schema(fields=(attended("a", "b"), attended("b", "c"), attended("c"))),
            "field a: attended_by names 'b', a list that another field attends to",
        ),
        (lambda: make_schema(fields=(attended("a", "a"),)), "'a', a list that another field"),
        (lambda: Field("a", NUMERIC, encoding=Bins()), "encoding bins does not fit a numeric"),
        (lambda: Field("a", CATEGORICAL, 5, encoding=Scaling()), "scaling does not fit a cat"),
        (lambda: Task("a\tb"), r"'a\\tb' holds a control character \(U\+0009\); choose one of"),
        (
            lambda: make_schema(
                fields=(
                    Field("a", MULTI_CATEGORICAL, 5, weighted=True),
                    Field("a_weight", NUMERIC),
                )
            ),
            "used more than once .*: a_weight",
        ),
        (lambda: make_schema(tasks=(Task("user_row"),)), "used more than once .*: user_row"),
        (lambda: make_schema(entities={}), "no entity table 'user'"),
        (lambda: make_schema(tasks=(Task("price"),)), "used more than once in the schema: price"),
        (lambda: make_schema(tasks=(Task("b", "a"), Task("a"))), "is not an earlier task"),
        (lambda: make_schema().split("test"), "has no split 'test', only train"),
    ],
)
def test_bad_parts_are_refused(make, message):
    with pytest.raises(DatasetError, match=message):
        make()


def test_bad_files_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="is not a prepared dataset"):
        load_schema(tmp_path)
    path = tmp_path / "schema.json"
    path.write_text("{")
    with pytest.raises(DatasetError, match="is not JSON"):
        load_schema(tmp_path)
    make_schema().save(tmp_path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"format_version": 99}))
    with pytest.raises(DatasetError, match="format version 99, this program reads 1"):
        load_schema(tmp_path)
    path.write_text(json.dumps(content | {"seed": 6}))
    with pytest.raises(DatasetError, match="was changed after it was written"):
        load_schema(tmp_path)
    (split,) = content["splits"]
    for name, number, message in (
        ("rows", 2**63, r"rows of a Split is 9223372036854775808\)"),
        ("rows", -1, "rows of a Split is -1"),
        ("positives", {"click": 11, "conversion": 1}, "has 10 rows, of which 10 define task click"),
        (
            "defined",
            {"click": 10, "conversion": 11},
            "11 define task conversion and 1 are positive",
        ),
        ("shards", [split["shards"][0] | {"bytes": -1}], "bytes of a Shard is -1"),
    ):
        path.write_text(json.dumps(content | {"splits": [split | {name: number}]}))
        with pytest.raises(DatasetError, match=message):
            load_schema(tmp_path)
    del content["fields"]
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="lacks the key 'fields'; prepare the dataset again"):
        load_schema(tmp_path)
