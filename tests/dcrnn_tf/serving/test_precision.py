"""Embedding tables in fewer bytes: what a served model reads, and what is lost by it."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import layers, models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import Field
from dcrnn_tf.layers.embedding.compact_rows import CompactRows
from dcrnn_tf.serving import export, precision
from dcrnn_tf.serving.precision import PrecisionError
from dcrnn_tf.serving.serving_model import ServingModel
from tests.often import often

WEIGHTS = {"click": 3.0, "conversion": 7.0}
PRECISIONS = ("bfloat16", "int8")


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return PreparedDataset(dataset_folder)


def served(name, dataset, table_precision, scale=1.0):
    keras.utils.set_random_seed(1)
    model = models.build(name, dataset.schema)
    random = np.random.default_rng(1)
    for variable in model.embedding.weights:  # initial ones are near 0, and so all rows alike
        variable.assign(random.normal(scale=scale, size=variable.shape))
    user, vocabularies = ("age", "history"), dataset.vocabularies()
    return ServingModel(model, dataset.schema, vocabularies, WEIGHTS, user, table_precision)


def test_rows_are_rounded_to_what_their_type_holds():
    table = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    table[7] = 0.0
    table[8] *= 1e-30
    rows = np.array([[0, 7], [8, 299]])
    shards = [keras.Variable(table[shard::3]) for shard in range(3)]
    found = CompactRows(shards, "bfloat16")(rows)
    np.testing.assert_array_equal(found, tf.cast(tf.cast(table[rows], tf.bfloat16), tf.float32))
    found = CompactRows(shards, "int8")(rows).numpy()
    largest = np.abs(table[rows]).max(axis=2, keepdims=True)
    # Half of one of 127 steps from zero to a row's largest number, and rounding.
    assert (np.abs(found - table[rows]) <= largest / 127 * 0.5001).all()
    assert (found[1, 0] != 0).any()


@pytest.mark.parametrize(("kind", "bytes_of_row"), [("bfloat16", 2 * 6), ("int8", 6 + 4)])
def test_all_tables_of_a_layer_are_read_in_fewer_bytes(kind, bytes_of_row):
    fields = [Field("item", vocabulary_size=9), Field("shop", vocabulary_size=5, width=3)]
    layer = layers.FieldEmbedding(fields, embedding_dim=6, table_shards=2)
    features = {"item": tf.constant([0, 8, 3]), "shop": tf.constant([4, 1, 2])}
    whole = layer(features)
    stored = layer.compact(kind)
    assert [table.stored.shape[0] for table in stored] == [9, 5]
    first = next(iter(stored)).stored
    assert first.shape[1] * first.dtype.size == bytes_of_row
    assert {id(v) for shards in stored.values() for v in shards} == {id(v) for v in layer.tables}
    found = layer(features)
    np.testing.assert_allclose(found, whole, rtol=0, atol=1e-3)
    assert (found != whole).numpy().any(axis=(0, 2)).all()


CASES = [(kind, name) for kind in PRECISIONS for name in models.names()]


@pytest.mark.parametrize(("kind", "name"), often(CASES, lambda case: case == ("int8", "esmm")))
def test_every_model_is_exported_with_smaller_tables(kind, name, dataset, tmp_path):
    serving_model = served(name, dataset, kind)
    rows = sum(field.vocabulary_size for field in dataset.schema.fields if field.has_ids)
    whole = [w for w in serving_model.weights if w.dtype == tf.float32 and w.shape[:1] == rows]
    stored = [w for w in serving_model.weights if w.dtype.name == kind]
    assert (len(whole), [w.shape[0] for w in stored]) == (0, [rows])
    found = precision.measured(serving_model, dataset)
    assert {difference.output for difference in found.differences} == {*serving_model.outputs}
    for difference in found.differences:
        assert 0 < difference.mean <= difference.largest < 0.1
    assert all(abs(change.before - change.after) < 0.05 for change in found.changes)
    # What it gives is tried before the version gets its name.
    folder = export.save(serving_model, tmp_path / "shop", dataset=dataset)
    assert tf.saved_model.contains_saved_model(str(folder))


def test_what_is_lost_is_written_and_refused_above_a_limit(dataset, tmp_path):
    serving_model = served("fm", dataset, "int8", scale=0.3)  # no probability is 0 or 1
    found = precision.measured(serving_model, dataset)
    whole, stored, labels = [], [], []
    for features, of_batch in (
        ({n: c.numpy() for n, c in part.items()} for part in batch)
        for batch in dataset.batches("validation", 64, joined=True)
    ):
        both = serving_model.both(features)
        whole.append(both[0]["click"])
        stored.append(both[1]["click"])
        labels.append(of_batch["click"])
    whole, stored, labels = map(np.concatenate, (whole, stored, labels))
    assert found.rows == len(labels)
    (click,) = (d for d in found.differences if d.output == "click")
    distances = np.abs(whole - stored)
    np.testing.assert_allclose([click.largest, click.mean], [distances.max(), distances.mean()])
    (change,) = (c for c in found.changes if c.task == "click")
    positive, negative = stored[labels == 1], stored[labels == 0]
    pairs = np.sign(positive[:, None] - negative) / 2 + 0.5
    assert change.after == pytest.approx(pairs.mean(), abs=1e-6)
    found.write(tmp_path)
    written = json.loads((tmp_path / precision.FILE).read_text())
    assert written["table_precision"] == "int8"
    assert written["changes"][0]["before"] == change.before
    furthest = max(d.largest for d in found.differences)
    found.check(furthest)
    with pytest.raises(PrecisionError, match=r"with tables in int8 .* moves by .* at most"):
        found.check(furthest * 0.99)


def test_an_answer_that_is_no_number_is_refused():
    near, unknown = (precision.Difference("click", size, size) for size in (0.001, np.nan))
    for differences in ((near, unknown), (unknown, near)):
        with pytest.raises(PrecisionError, match="click moves by nan at most"):
            precision.Precision("int8", 1, differences, ()).check(1.0)
