"""What an export is asked before it gets its name, and how it is refused."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from data_prep.storage.writer import DatasetWriter
from dcrnn_tf import models
from dcrnn_tf.dataset.encodings import INTEGER, Ids
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import CATEGORICAL, DatasetError, Field, Task
from dcrnn_tf.layers.product import use_bfloat16_products
from dcrnn_tf.serving import export
from dcrnn_tf.serving.raw_rows import raw_rows
from dcrnn_tf.serving.serving_model import ServingModel
from dcrnn_tf.serving.trial import ExportError
from dcrnn_tf.training import losses
from tests.shop import MORE_FIELDS, prepare_shop

WEIGHTS = {"click": 3.0, "conversion": 7.0}


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return PreparedDataset(dataset_folder)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return PreparedDataset(prepare_shop(tmp_path_factory.mktemp("shop")))


def trained(dataset, **settings):
    """A small model whose probabilities differ from row to row."""
    model = models.build("mmoe", dataset.schema, embedding_dim=4, **settings)
    random = np.random.default_rng(1)
    for variable in model.weights:
        inputs = 1 if variable.path.endswith("table") else np.prod(variable.shape[-2:-1], dtype=int)
        variable.assign(random.normal(scale=(3 / inputs) ** 0.5, size=variable.shape))
    return model


def served(dataset, user_fields=(), weights=WEIGHTS, model=None):
    """The same as a server has it."""
    model = model or trained(dataset)
    weights = {task: weights[task] for task in dataset.schema.task_names}
    return ServingModel(model, dataset.schema, dataset.vocabularies(), weights, user_fields)


def answers(serving_model, trial):
    inputs = {name: tf.constant(array) for name, array in trial.inputs.items()}
    return serving_model.signatures()[trial.signature](**inputs)


def differences_of(serving_model, dataset):
    """The largest difference of a probability, and the largest that is tolerated."""
    trials = serving_model.trials(dataset)
    differences = []
    for trial in trials:
        found = answers(serving_model, trial)
        assert set(found) == set(trial.expected)
        for output, expected in trial.expected.items():
            assert len(expected) == 256
            assert np.std(expected) > 0.005  # rows are told apart
            differences.append(np.abs(found[output].numpy() - expected).max())
    return max(differences), max(trial.tolerance for trial in trials)


def test_rows_of_a_split_come_back_raw_and_encode_to_what_they_were(dataset, tmp_path):
    for source in (dataset, PreparedDataset(prepare_shop(tmp_path, **MORE_FIELDS))):
        vocabularies = source.vocabularies()
        features, _ = next(iter(source.batches("test", 256, joined=True)))
        features = {name: column.numpy() for name, column in features.items()}
        raw, known = raw_rows(source.schema, vocabularies, features)
        encode = served(source).raw_features.encode
        encoded = encode({name: tf.constant(column) for name, column in raw.items()})
        for name, column in features.items():
            np.testing.assert_array_equal(encoded[name], known[name], err_msg=name)
            if name.endswith("_hash"):  # any id stands for a row, but no other one for "missing"
                np.testing.assert_array_equal(known[name] == 0, column == 0, err_msg=name)
            elif column.dtype == np.int32:
                # A quantile bin that is rare has no number of its own: it is not among the ids.
                unlike = (known[name] != column) & (column != 1)
                assert not unlike.any(), name
            else:
                np.testing.assert_allclose(known[name], column, rtol=1e-5, atol=1e-6, err_msg=name)


def test_rows_of_a_dataset_have_the_probabilities_of_the_model_in_training(dataset, shop):
    difference, tolerance = differences_of(served(dataset, ("age", "history")), dataset)
    assert difference < 1e-6
    assert 1.5e-5 < tolerance < 2e-5
    # The shop's row numbers, up to 600, are not scaled: a logit has fewer digits.
    difference, tolerance = differences_of(served(shop, ("city",)), shop)
    assert difference < tolerance / 4
    assert tolerance < 1e-4


def test_a_model_of_a_keras_file_is_served_like_the_one_that_was_saved(dataset, tmp_path):
    model = trained(dataset)
    model.compile(optimizer="sgd", loss=losses.multi_task_losses(WEIGHTS))
    model.save(tmp_path / "model.keras")
    loaded = served(
        dataset, ("age", "history"), model=keras.saving.load_model(tmp_path / "model.keras")
    )
    difference, tolerance = differences_of(loaded, dataset)
    assert difference < tolerance / 4
    expected = served(dataset, model=model).trials(dataset)[0].expected
    for output, found in loaded.trials(dataset)[0].expected.items():
        np.testing.assert_array_equal(found, expected[output])


@pytest.mark.parametrize("precision", ["bfloat16", "bfloat16_products"])
def test_low_precision_is_within_its_own_tolerance(precision, dataset):
    try:
        keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
        use_bfloat16_products(precision == "bfloat16_products")
        serving_model = served(dataset, ("age", "history"))
        difference, tolerance = differences_of(serving_model, dataset)
        assert 1e-7 < difference < tolerance / 4
        assert tolerance < 0.06
    finally:
        keras.config.set_dtype_policy("float32")
        use_bfloat16_products(False)


def test_an_export_that_answers_otherwise_is_refused_and_leaves_nothing(dataset, tmp_path):
    serving_model = served(dataset)
    kernel = next(w for w in serving_model.weights if len(w.shape) > 1)
    kernel.assign(kernel + 0.01)
    with pytest.raises(ExportError, match=r"as probability of \w+, the model in training 0\.\d+,"):
        export.save(serving_model, tmp_path, dataset=dataset)
    assert [path.name for path in tmp_path.iterdir()] == []
    kernel.assign(np.nan * kernel)
    with pytest.raises(ExportError, match=r"gives nan as probability of click in row 0 \(counted"):
        export.save(serving_model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_field_may_have_the_name_of_the_users_row_numbers(tmp_path):
    fields = [
        Field(name, CATEGORICAL, 9, encoding=Ids(("-1",), INTEGER)) for name in ("user_row", "item")
    ]
    random = np.random.default_rng(1)
    with DatasetWriter(tmp_path / "data", "tiny", fields, [Task("click")], seed=1) as writer:
        for field in fields:
            writer.add_vocabulary(field.name, np.arange(100, 107), np.ones(7, int))
        for split in ("train", "test"):
            rows = {field.name: random.integers(0, 9, 300) for field in fields}
            writer.add_rows(split, rows | {"click": random.random(300) < 0.3})
        writer.finish({"simulated": True}, {}, {})
    dataset = PreparedDataset(tmp_path / "data")
    serving_model = served(dataset, ("user_row",))
    assert differences_of(serving_model, dataset)[0] < 1e-6
    found = serving_model.rank(user_row=tf.constant([103], tf.int64), item=[101, 102, 104])
    expected = serving_model.predict(user_row=[103, 103, 103], item=[101, 102, 104])
    np.testing.assert_allclose(found["click"], expected["click"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("weight", [-3.0, 0.0, float("nan"), float("inf"), "3", None])
def test_positive_weights_that_are_none_are_refused(weight, dataset):
    with pytest.raises(DatasetError, match="the positive weight of conversion is"):
        served(dataset, weights=WEIGHTS | {"conversion": weight})


def test_a_task_without_a_positive_weight_is_refused(dataset):
    model = models.build("dnn", dataset.schema, embedding_dim=2, hidden_units=(2,))
    with pytest.raises(DatasetError, match="the positive weight of conversion is nan"):
        ServingModel(model, dataset.schema, dataset.vocabularies(), {"click": 1.0})


def test_derived_outputs_are_tried_too(dataset):
    tasks = (Task("click"), Task("conversion", only_where="click"))
    sequence = PreparedDataset(dataset.folder)
    sequence.schema = dataclasses.replace(dataset.schema, tasks=tasks)
    serving_model = served(sequence)
    assert differences_of(serving_model, sequence)[0] < 1e-6
    assert "conversion_per_exposure" in serving_model.trials(sequence)[0].expected
