"""Models in sequence on tasks that are declared only where another one is positive."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import Schema, Split, Task
from dcrnn_tf.models import every_exposure
from dcrnn_tf.serving.serving_model import ServingModel
from dcrnn_tf.training import evaluation, losses
from dcrnn_tf.training.trainer import Trainer, TrainingSettings
from tests.conftest import FIELDS, write_dataset

APART = (Task("click"), Task("conversion", only_where="click"))
PRODUCT, AFTER = "conversion_per_exposure", "conversion_after_click"
EQUAL = {"click": 1.0, "conversion": 1.0}
SETTINGS = TrainingSettings(epochs=1, batch_size=512, learning_rate=0.01)
NAMES = {
    "esmm": {},
    "escm2": {"risk": "dr", "global_weight": 0.5},
    "aitm": {},
    "mmoe": {"tasks_in_sequence": True},
}


@pytest.fixture(scope="module")
def everywhere(dataset_folder):
    """A dataset whose conversions are declared on every exposure."""
    return PreparedDataset(dataset_folder)


@pytest.fixture(scope="module")
def apart(tmp_path_factory):
    """The same rows, conversions declared where there was a click."""
    return PreparedDataset(write_dataset(tmp_path_factory.mktemp("data") / "tiny", tasks=APART))


def built(name, dataset):
    keras.utils.set_random_seed(1)
    return models.build(name, dataset.schema, embedding_dim=4, **NAMES[name])


def trained(name, dataset, folder):
    model = built(name, dataset)
    Trainer(model, dataset, SETTINGS, EQUAL, folder).train()
    return model


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n == "esmm" else pytest.mark.slow) for n in NAMES],
)
def test_they_train_as_on_labels_of_every_exposure(name, everywhere, apart, tmp_path):
    expected, model = (
        trained(name, dataset, tmp_path / dataset.folder.parent.name)
        for dataset in (everywhere, apart)
    )
    for variable, wanted in zip(model.variables, expected.variables, strict=True):
        np.testing.assert_array_equal(variable, wanted)
    # A name is the same probability as in models that train where a task is defined.
    labels, logits = evaluation.Predictor(model, EQUAL).predict(apart, "test")
    plain, known = evaluation.Predictor(expected, EQUAL).predict(everywhere, "test")
    assert list(labels) == list(logits) == ["click", "conversion", PRODUCT]
    for output, same in (("click", "click"), ("conversion", AFTER), (PRODUCT, "conversion")):
        np.testing.assert_array_equal(labels[output], plain[same])
        np.testing.assert_array_equal(logits[output], known[same])


def test_evaluations_say_on_which_rows(apart, tmp_path, capsys):
    trained("esmm", apart, tmp_path)
    entries = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    (figures,) = (entry["metrics"] for entry in entries if entry["kind"] == "evaluation")
    clicks = figures["click"]["positives"]
    assert "measured_on" not in figures["click"]
    assert figures["conversion"]["measured_on"] == "exposures where click is positive"
    assert figures["conversion"]["rows"] == clicks < 500
    assert figures[PRODUCT]["population"] == "all exposures"
    assert figures[PRODUCT]["rows"] == 500
    sentence = evaluation.sentence(figures["conversion"])
    assert f" in {clicks} rows (exposures where click is positive)" in sentence


def test_fit_and_files_of_keras_know_it_too(everywhere, apart, tmp_path):
    fitted = []
    for dataset in (everywhere, apart):
        model = built("esmm", dataset)
        model.compile(keras.optimizers.SGD(0.1), losses.multi_task_losses(EQUAL))
        model.fit(dataset.batches("train", 512, 1), verbose=0)
        fitted.append(model)
    for variable, wanted in zip(fitted[1].variables, fitted[0].variables, strict=True):
        np.testing.assert_array_equal(variable, wanted)
    fitted[1].save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.tasks_on_every_exposure == ("conversion",)
    found, expected = (
        evaluation.Predictor(model, EQUAL).predict(apart, "test")[1] for model in (again, fitted[1])
    )
    for output, values in expected.items():
        np.testing.assert_array_equal(found[output], values)


def test_what_is_served_is_what_is_evaluated(apart):
    model = built("esmm", apart)
    weights = {"click": 4.0, "conversion": 2.0}
    served = ServingModel(model, apart.schema, apart.vocabularies(), weights)
    raw = {"item": tf.constant(np.arange(100, 118)), "price": tf.constant(np.linspace(-2, 2, 18))}
    defaults = served.raw_features.defaults()
    raw |= {name: defaults[name] for name in served.raw_features.specs() if name not in raw}
    found = {name: value.numpy() for name, value in served(raw).items()}
    features = {name: value.numpy() for name, value in served.raw_features.encode(raw).items()}
    rows = max(len(value) for value in features.values())
    features = {
        name: np.broadcast_to(value, (rows, *value.shape[1:])) for name, value in features.items()
    }
    expected = evaluation.Predictor(model, weights).probabilities(features)  # tasks not given
    assert set(found) == set(expected) == {"click", "conversion", PRODUCT}
    for output, values in expected.items():
        np.testing.assert_allclose(found[output], values, rtol=1e-5)
    np.testing.assert_allclose(found[PRODUCT], found["click"] * found["conversion"], rtol=1e-4)


def test_counts_are_those_of_every_exposure(everywhere, apart):
    schema = built("esmm", apart).training_schema(apart.schema)
    assert schema.tasks == everywhere.schema.tasks
    for name, split in everywhere.schema.splits.items():
        assert schema.split(name).defined == split.defined
        assert schema.split(name).positives == split.positives
    assert losses.positive_weights(schema) == losses.positive_weights(everywhere.schema)
    assert built("mmoe", everywhere).training_schema(everywhere.schema) is everywhere.schema


def test_labels_that_are_missing_stay_so():
    """Cart where there was a click, buy where there was one in the cart; some are not known."""
    rows = {
        "click": [0.0, 1, 1, 1, 1, -1, 1],
        "cart": [-1.0, 0, 1, 1, -1, -1, 1],
        "buy": [-1.0, -1, 0, 1, -1, -1, -1],
    }
    only_where = {"cart": "click", "buy": "cart"}
    found = every_exposure.labels({t: tf.constant(row) for t, row in rows.items()}, only_where)
    assert found["cart"].numpy().tolist() == [0, 0, 1, 1, -1, -1, 1]
    assert found["buy"].numpy().tolist() == [0, 0, 0, 1, -1, -1, -1]
    names = list(rows)
    defined = {"click": 6, "cart": 4, "buy": 2}
    positives = {task: row.count(1) for task, row in rows.items()}
    split = Split("train", 7, positives, defined, ())
    tasks = [Task(name, only_where.get(name), may_be_missing=True) for name in names]
    schema = every_exposure.schema(Schema("shop", FIELDS[:1], tuple(tasks), {"train": split}))
    counts = {task: int(np.sum(label.numpy() >= 0)) for task, label in found.items()}
    assert schema.split("train").defined == counts
    assert schema.tasks == tuple(dataclasses.replace(task, only_where=None) for task in tasks)


def test_out_of_sequence_is_refused_still(apart):
    test = dataclasses.replace(
        apart.schema.split("test"), out_of_sequence={"click": 0, "conversion": 2}
    )
    schema = dataclasses.replace(apart.schema, splits={"test": test})
    with pytest.raises(models.ModelError, match="conversion is positive and click is not on 2 row"):
        models.build("esmm", schema)
