"""Damaged schema files: the same schema, or a sentence; never another exception."""

import hashlib
import json
import pathlib
import tempfile

from dcrnn_tf.dataset.schema import SCHEMA_FILE, load_schema
from dcrnn_tf.dataset.vocabulary import vocabulary_path
from tests.dcrnn_tf.dataset.test_schema import make_schema
from tests.fuzzing import JSON_CHANGES, MUTATIONS, cases, changed, fuzz, mutate, result


def signed(content):
    """The content with a fingerprint that fits it, as whoever changes a schema could make it."""
    content = {name: value for name, value in content.items() if name != "fingerprint"}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return content | {"fingerprint": hashlib.sha256(canonical.encode()).hexdigest()}


def loaded(text):
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, SCHEMA_FILE).write_bytes(text)
        schema, message = result(lambda: load_schema(folder))
    assert message is None or folder in message
    return schema


def check_text(mutations):
    schema = make_schema()
    with tempfile.TemporaryDirectory() as folder:
        schema.save(folder)
        text = pathlib.Path(folder, SCHEMA_FILE).read_bytes()
    found = loaded(mutate(text, mutations, b'",:{}[]'))
    assert found is None or found == schema
    return "refused" if found is None else "equal"


def check_content(changes):
    schema = make_schema()
    with tempfile.TemporaryDirectory() as folder:
        schema.save(folder)
        content = json.loads(pathlib.Path(folder, SCHEMA_FILE).read_bytes())
    for change in changes:
        content = changed(content, *change)
    found = loaded(json.dumps(signed(content)).encode())
    if found is None:
        return "refused"
    # What is taken can be used: names, columns and paths.
    assert all(name.isidentifier() for name in (*found.splits, *found.entities))
    for name in (found.name, *found.task_names, *(field.name for field in found.fields)):
        assert name.strip()
        assert not set(name) & {"\0", "\n", "\ud800"}
        assert vocabulary_path("/data", name).resolve().parent == pathlib.Path("/data/vocabularies")
    assert set(found.exposure_columns().values()) <= {"int32", "float32", "uint16", "uint8"}
    for part in (*found.splits.values(), *found.entities.values()):
        for shard in part.shards:
            inside = pathlib.Path("/data", shard.file).resolve()
            assert inside.is_relative_to("/data")
            assert inside != pathlib.Path("/data")
            assert shard.rows + shard.records + shard.bytes >= 0
    for task in found.task_names:
        assert all(split.positives[task] >= 0 for split in found.splits.values())
    return "taken"


@cases(quick=10, slow=1000)
def test_damaged_text(examples):
    fuzz(check_text, examples, {"equal", "refused"}, mutations=MUTATIONS)


@cases(quick=12, slow=1000)
def test_changed_content_with_a_fitting_fingerprint(examples):
    fuzz(check_content, examples, {"taken", "refused"}, changes=JSON_CHANGES)


def test_a_number_that_no_float_holds_is_refused():
    assert check_content([(2516, 10**400, "replace")]) == "refused"


def test_half_a_character_is_refused():
    assert check_content([(75334878, "\ud800", "replace")]) == "refused"


def test_content_that_nests_deeply_is_refused():
    assert loaded(b"[" * 200_000) is None
    deep = b'{"format_version": 2, "filters": ' + b"[" * 5000 + b"]" * 5000 + b"}"
    assert loaded(deep) is None
