"""A table spread over several variables does what one does, to the bit."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import NUMERIC
from dcrnn_tf.dataset.vocabulary import load_vocabulary
from dcrnn_tf.layers import FieldEmbedding
from dcrnn_tf.layers.embedding import row_shards
from dcrnn_tf.serving import export
from dcrnn_tf.serving.serving_model import ServingModel
from tests.dcrnn_tf.layers.embedding.test_field_embedding import DIM, FEATURES, FIELDS
from tests.dcrnn_tf.training.test_trainer import SETTINGS, make_trainer, read_metrics

SHARDS = 3


def whole_table(tables):
    """Rows in their order, put together one by one."""
    rows = sum(table.shape[0] for table in tables)
    return np.stack([np.array(tables[r % len(tables)])[r // len(tables)] for r in range(rows)])


def layers():
    made = []
    for shards in (1, SHARDS):
        keras.utils.set_random_seed(3)
        layer = FieldEmbedding(FIELDS, DIM, table_shards=shards)
        layer.build()
        made.append(layer)
    return made


def test_values_and_gradients_are_the_same_bits():
    one, several = layers()
    assert [table.shape for table in several.tables] == [(8, DIM), (7, DIM), (7, DIM)]
    np.testing.assert_array_equal(whole_table(several.tables), one.table)
    upstream = np.random.default_rng(1).normal(size=(3, len(FIELDS), DIM)).astype("float32")
    gradients = []
    for layer in (one, several):
        with tf.GradientTape() as tape:
            embedded = layer(FEATURES)
            loss = tf.reduce_sum(embedded * upstream)
        gradients.append(tape.gradient(loss, [table.value for table in layer.tables]))
    np.testing.assert_array_equal(several(FEATURES), one(FEATURES))
    assert all(isinstance(gradient, tf.IndexedSlices) for gradient in gradients[1])
    dense = [tf.convert_to_tensor(gradient).numpy() for gradient in gradients[1]]
    np.testing.assert_array_equal(whole_table(dense), tf.convert_to_tensor(gradients[0][0]))
    assert len(gradients[1][1].indices) < len(gradients[0][0].indices)  # its own rows alone


def test_rows_of_each_shard():
    one, several = layers()
    (whole,) = one.rows_of_tables(FEATURES)
    found = [
        int(row) * SHARDS + shard
        for shard, rows in enumerate(several.rows_of_tables(FEATURES))
        for row in rows
    ]
    assert sorted(found) == sorted(whole.numpy().tolist())
    assert [row_shards.size(22, shard, 4) for shard in range(4)] == [6, 6, 5, 5]


def test_a_layer_is_made_again_of_its_config():
    _, several = layers()
    again = FieldEmbedding.from_config(several.get_config())
    assert (again.table_shards, again.table_devices) == (SHARDS, None)
    with pytest.raises(ValueError, match="table_shards=3 has no form that XLA compiles"):
        FieldEmbedding(FIELDS, DIM, static_shapes=True, table_shards=SHARDS)


@pytest.mark.parametrize("devices", [["GPU:7"], "CPU:0", [], ["CPU:0", 3], ["/job:ps/task:0"]])
def test_devices_that_are_not_there_are_refused(devices):
    with pytest.raises(
        ValueError, match=r"table_devices=.* must be a list of some of /.*device:CPU:0"
    ):
        FieldEmbedding(FIELDS, DIM, table_shards=2, table_devices=devices)


@pytest.mark.parametrize(
    "optimizer",
    [
        "lazy_adam",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("adam_deferred", "adam", "adagrad", "sgd")
        ),
    ],
)
def test_trained_it_is_the_same_table(dataset_folder, tmp_path, optimizer):
    dataset = PreparedDataset(dataset_folder)
    settings = dataclasses.replace(SETTINGS, epochs=1, embedding_optimizer=optimizer)
    trainers = []
    for shards in (1, SHARDS):
        run_dir = tmp_path / str(shards)
        trainer = make_trainer(dataset, run_dir, settings, table_shards=shards)
        trainer.train()
        trainers.append(trainer)
    one, several = trainers
    assert read_metrics(tmp_path / "3") == read_metrics(tmp_path / "1")
    tables = [table.numpy() for table in several.model.embedding_variables]
    np.testing.assert_array_equal(whole_table(tables), one.model.embedding.table)
    others = zip(several.model.other_variables, one.model.other_variables, strict=True)
    for mine, other in others:
        np.testing.assert_array_equal(mine.numpy(), other.numpy())
    assert several.model.parameter_counts() == one.model.parameter_counts()

    again = make_trainer(dataset, tmp_path / "3", settings, table_shards=SHARDS)
    assert again.restore() == 12
    for mine, other in zip(again._state().values(), several._state().values(), strict=True):
        np.testing.assert_array_equal(mine.numpy(), other.numpy())


@pytest.mark.slow
def test_exported_it_takes_raw_ids_and_says_the_same(dataset_folder, tmp_path):
    dataset = PreparedDataset(dataset_folder)
    vocabularies = {
        field.name: load_vocabulary(dataset.folder, field).ids
        for field in dataset.schema.fields
        if field.kind != NUMERIC
    }
    found = []
    for shards in (1, SHARDS):
        keras.utils.set_random_seed(1)
        model = models.build("dcrnn", dataset.schema, units=8, table_shards=shards)
        weights = {"click": 3.0, "conversion": 7.0}
        served = ServingModel(model, dataset.schema, vocabularies, weights, ("age",))
        folder = export.save(served, tmp_path / str(shards))
        loaded = tf.saved_model.load(str(folder))
        for name, sample in served.samples(candidates=5).items():
            tensors = {key: tf.constant(value) for key, value in sample.items()}
            found.append((name, loaded.signatures[name](**tensors)))
    half = len(found) // 2
    assert [name for name, _ in found[:half]] == [
        "serving_default",
        "serve_examples",
        "encoded_features",
        "rank",
    ]
    for (_, whole), (_, several) in zip(found[:half], found[half:], strict=True):
        for task, probabilities in whole.items():
            np.testing.assert_array_equal(several[task], probabilities)


def test_a_model_keeps_its_shards(dataset_folder, tmp_path):
    dataset = PreparedDataset(dataset_folder)
    model = models.build("mtphn", dataset.schema, embedding_dim=4, table_shards=2)
    features, _ = next(iter(dataset.batches("test", 32)))
    logits = model(features)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert len(again.embedding_variables) == 2
    for task, logit in again(features).items():
        np.testing.assert_array_equal(logit, logits[task])
    assert "gate" in model.explain(features)
