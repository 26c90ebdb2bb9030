"""Outputs derived from those of two tasks in sequence: predicted, measured, logged, served."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import metrics, models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import NUMERIC, Task
from dcrnn_tf.dataset.targets import Target
from dcrnn_tf.dataset.vocabulary import load_vocabulary
from dcrnn_tf.models import derived_outputs
from dcrnn_tf.serving.serving_model import ServingModel
from dcrnn_tf.training import evaluation, metrics_log
from dcrnn_tf.training.trainer import Trainer, TrainingSettings
from tests.conftest import write_dataset

AFTER = "conversion_after_click"
WEIGHTS = {"click": 3.0, "conversion": 2.0}


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return PreparedDataset(dataset_folder)


def in_sequence(name, dataset, **settings):
    keras.utils.set_random_seed(1)
    settings = {"tasks_in_sequence": True, "embedding_dim": 4, "embedding_range": 1.0} | settings
    return models.build(name, dataset.schema, **settings)


def sigmoid(logits):
    return 1 / (1 + np.exp(-np.asarray(logits, np.float64)))


@pytest.mark.parametrize("name", ["mmoe", "esmm"])
def test_prediction_is_the_quotient_where_there_was_a_click(name, dataset):
    model = in_sequence(name, dataset)
    labels, logits = evaluation.Predictor(model, WEIGHTS).predict(dataset, "test")
    assert list(labels) == list(logits) == ["click", "conversion", AFTER]
    clicked = labels["click"] == 1
    np.testing.assert_array_equal(labels[AFTER][clicked], labels["conversion"][clicked])
    assert (labels[AFTER][~clicked] == -1).all()
    quotient = sigmoid(logits["conversion"]) / sigmoid(logits["click"])
    expected = np.minimum(quotient, 1 - 1e-6)
    np.testing.assert_allclose(sigmoid(logits[AFTER]), expected, rtol=1e-4)
    assert (quotient > 1).any() == (name == "mmoe")  # a product is no more than its factor

    outputs = model.derived_outputs(dataset.schema.tasks)
    figures = evaluation.evaluate(labels, logits, outputs)
    population = "exposures where click is positive"
    assert figures[AFTER].pop("population") == population
    alone = {"labels": labels["conversion"][clicked], "logits": logits[AFTER][clicked]}
    assert figures[AFTER] == metrics.compute(alone) | {
        "rows": clicked.sum(),
        "positives": labels["conversion"].sum(),
    }
    assert figures[AFTER]["rows"] == clicked.sum() < 700
    assert "population" not in figures["conversion"]
    assert set(evaluation.curves(labels, logits)) == set(labels)


def test_tasks_defined_on_some_exposures_have_their_product_on_all(tmp_path):
    tasks = (Task("click"), Task("conversion", only_where="click"))
    dataset = PreparedDataset(write_dataset(tmp_path / "tiny", {"test": 200}, tasks))
    model = in_sequence("mmoe", dataset, tasks_in_sequence=False)
    labels, logits = evaluation.Predictor(model, WEIGHTS).predict(dataset, "test")
    name = "conversion_per_exposure"
    assert list(labels) == list(logits) == ["click", "conversion", name]
    assert set(labels["conversion"]) == {-1, 0, 1}
    np.testing.assert_array_equal(labels[name], labels["conversion"] == 1)
    product = sigmoid(logits["click"]) * sigmoid(logits["conversion"])
    np.testing.assert_allclose(sigmoid(logits[name]), product, rtol=1e-5)
    figures = evaluation.evaluate(labels, logits, model.derived_outputs(tasks))
    assert figures[name].pop("population") == "all exposures"
    converted = labels["conversion"] == 1
    assert figures[name] == metrics.compute({"labels": converted, "logits": logits[name]}) | {
        "rows": 200,
        "positives": converted.sum(),
    }
    assert figures[name]["rows"] == 200


def test_products_go_on_along_a_chain():
    chain = (Task("a"), Task("b", only_where="a"), Task("c", only_where="b"))
    second, third = derived_outputs.per_exposure(chain)
    assert second == ("b_per_exposure", "b", "a", True, "binary")
    assert third == ("c_per_exposure", "c", "b_per_exposure", True, "binary")
    logits = {task: tf.constant([value]) for task, value in (("a", 0.5), ("b", -1.0), ("c", 0.2))}
    logits[second.name] = second.logit(logits)
    expected = np.prod([sigmoid(logits[task].numpy()) for task in "abc"])
    assert sigmoid(third.logit(logits)) == pytest.approx(expected, rel=1e-6)


def test_the_product_of_a_number_is_what_is_expected_of_all_exposures():
    tasks = (
        Task("click"),
        Task("watch", only_where="click", kind="regression", target=Target()),
        Task("genre", only_where="click", kind="multiclass", classes=("rock", "jazz")),
    )
    (output,) = derived_outputs.per_exposure(tasks)  # of classes there is none
    assert output == ("watch_per_exposure", "watch", "click", True, "regression")
    logits = {"click": tf.constant([0.0, 9.0]), "watch": tf.constant([5.0, 7.0])}
    np.testing.assert_allclose(output.logit(logits), [2.5, 7 * sigmoid(9.0)], rtol=1e-6)
    labels = {
        "click": np.array([1, 0, -1, 1], np.int8),
        "watch": np.array([5, np.nan, np.nan, np.nan], np.float32),
    }
    np.testing.assert_array_equal(output.labels(labels), [5, 0, np.nan, np.nan])


def test_scores_of_loose_rows_are_those_of_tasks_alone(dataset):
    predictor = evaluation.Predictor(in_sequence("mmoe", dataset), WEIGHTS)
    features, _ = next(iter(dataset.batches("test", 700)))
    rows = features.pop("user_row")
    features |= {name: tf.gather(features[name], rows) for name in ("age", "history")}
    scores = predictor.score({name: values.numpy() for name, values in features.items()})
    _, logits = predictor.predict(dataset, "test")
    assert list(scores) == ["click", "conversion"]
    for task, values in scores.items():
        np.testing.assert_allclose(values, logits[task], rtol=1e-5, atol=1e-5)


def test_labels_in_no_sequence_are_refused(tmp_path):
    tasks = (Task("conversion"), Task("click"))  # the wrong way round
    dataset = PreparedDataset(write_dataset(tmp_path / "tiny", {"test": 200}, tasks))
    test = dataset.schema.split("test")
    click, conversion = (test.positives[task] for task in ("click", "conversion"))
    alone = click - conversion
    assert test.out_of_sequence == {"conversion": 0, "click": alone}
    sentence = f"click is positive and conversion is not on {alone} rows of the test split, and"
    for name, settings in (("mmoe", {}), ("esmm", {"tasks_in_sequence": False})):
        with pytest.raises(models.ModelError, match=sentence):
            in_sequence(name, dataset, **settings)
    # Where the preparation has not counted them, the positives are compared.
    test = dataclasses.replace(test, out_of_sequence=None)
    schema = dataclasses.replace(dataset.schema, splits={"test": test})
    sentence = f"the test split has {click} positives of click and {conversion} of conversion, and"
    with pytest.raises(models.ModelError, match=sentence):
        models.build("esmm", schema)
    # Counts alone do not always show it.
    names = dataset.schema.task_names
    model = models.model_class("mmoe")(dataset.schema.fields, names, tasks_in_sequence=True)
    model.build()
    predictor = evaluation.Predictor(model, WEIGHTS)
    with pytest.raises(evaluation.EvaluationError) as refusal:
        predictor.predict(dataset, "test")
    assert str(refusal.value) == (
        f"click is positive where conversion is not in {click - conversion} rows of the test "
        "split, so click_after_conversion means nothing; set the model's tasks_in_sequence to false"
    )


def test_the_best_step_is_that_of_the_tasks(tmp_path):
    path = tmp_path / "metrics.jsonl"
    for step, task, derived in ((1, 0.6, 0.9), (2, 0.7, 0.5)):
        counts = {"rows": 9, "positives": 4}
        of_derived = {"auc": derived, "population": "few", **counts}
        figures = {"click": {"auc": task, **counts}, AFTER: of_derived}
        entry = {"kind": "evaluation", "epoch": 1, "step": step, "split": "validation"}
        entry |= {"metrics": figures}
        metrics_log.append(path, entry)
    assert metrics_log.best_step(metrics_log.read(path)) == 2


def test_training_logs_it_and_refuses_weights_that_contradict(dataset, tmp_path):
    settings = TrainingSettings(epochs=1, batch_size=512, learning_rate=0.01, log_every=2)
    model = in_sequence("esmm", dataset)
    with pytest.raises(models.ModelError, match=r"larger positive weight \(7 to 3\) contradicts"):
        Trainer(model, dataset, settings, WEIGHTS | {"conversion": 7.0}, tmp_path)
    Trainer(model, dataset, settings, WEIGHTS, tmp_path).train()
    entries = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    (evaluated,) = (entry["metrics"] for entry in entries if entry["kind"] == "evaluation")
    assert list(evaluated) == ["click", "conversion", AFTER]
    assert evaluated[AFTER]["population"] == "exposures where click is positive"
    assert evaluated[AFTER]["rows"] == evaluated["click"]["positives"]


@pytest.mark.parametrize("name", ["dcrnn", "escm2"])
def test_it_is_served(name, dataset):
    fields = [field for field in dataset.schema.fields if field.kind != NUMERIC]
    vocabularies = {field.name: load_vocabulary(dataset.folder, field).ids for field in fields}
    model = in_sequence(name, dataset)
    weights = {"click": 3.0, "conversion": 7.0}
    served = ServingModel(model, dataset.schema, vocabularies, weights)
    ids = np.arange(100, 118)
    raw = {"item": tf.constant(ids), "price": tf.constant(np.linspace(-2, 2, len(ids)))}
    found = {task: values.numpy() for task, values in served(raw | defaults(served, raw)).items()}
    assert set(found) == {"click", "conversion", AFTER}
    expected = np.minimum(found["conversion"] / found["click"], 1)
    assert np.std(found[AFTER]) > 1e-4
    np.testing.assert_allclose(found[AFTER], expected, rtol=1e-4)


def defaults(served, raw):
    """What is left out, with one row for all."""
    names = served.raw_features.specs()
    return {n: v for n, v in served.raw_features.defaults().items() if n in names and n not in raw}


def test_names_of_derived_outputs_are_no_tasks(dataset):
    tasks = (Task("click"), Task("conversion"), Task(AFTER))
    schema = dataclasses.replace(dataset.schema, tasks=tasks)
    with pytest.raises(models.ModelError, match=f"{AFTER} is a task and a derived output"):
        models.build("mmoe", schema, tasks_in_sequence=True)
