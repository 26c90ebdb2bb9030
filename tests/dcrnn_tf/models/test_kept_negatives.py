"""Models of training rows with a share of the negatives give the probabilities of all rows."""

import pathlib

import keras
import numpy as np
import polars as pl
import pytest
import tensorflow as tf

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.preparation import prepare
from data_prep.own_log.row_encoder import RowEncoder
from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import Task
from dcrnn_tf.serving.serving_model import ServingModel
from dcrnn_tf.training import evaluation, losses
from dcrnn_tf.training.trainer import Trainer, TrainingSettings
from experiments.baselines import constant
from tests.conftest import write_dataset

KEEP = 0.1
TASKS = (Task("click", keep_negatives=KEEP), Task("conversion"))
WEIGHTS = {"click": 3.0, "conversion": 2.0}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return PreparedDataset(write_dataset(tmp_path_factory.mktemp("data") / "tiny", tasks=TASKS))


def built(name, dataset, **settings):
    keras.utils.set_random_seed(1)
    return models.build(name, dataset.schema, embedding_dim=4, **settings)


def test_the_correction_is_exact_everywhere(dataset, dataset_folder, tmp_path):
    model = built("mmoe", dataset, tasks_in_sequence=True)
    whole = PreparedDataset(dataset_folder)
    same = built("mmoe", whole, tasks_in_sequence=True)
    _, logits = evaluation.Predictor(model, WEIGHTS).predict(dataset, "test")
    _, plain = evaluation.Predictor(same, WEIGHTS).predict(whole, "test")
    corrected = plain["click"].astype(np.float64) + np.log(KEEP)
    np.testing.assert_allclose(logits["click"], corrected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(logits["conversion"], plain["conversion"])
    after = 1 / (1 + np.exp(-logits["conversion_after_click"].astype(np.float64)))
    quotient = (1 + np.exp(-corrected)) / (1 + np.exp(-plain["conversion"].astype(np.float64)))
    np.testing.assert_allclose(after, np.minimum(quotient, 1 - 1e-6), rtol=1e-4)

    # Loose rows, what is served, and what Keras has saved.
    served = ServingModel(model, dataset.schema, dataset.vocabularies(), WEIGHTS)
    trial = served.trials(dataset)[0]
    found = served({name: tf.constant(column) for name, column in trial.inputs.items()})
    features, _ = next(iter(dataset.batches("validation", 256, joined=True)))
    features = {name: column.numpy() for name, column in features.items()}
    raw = model({name: tf.constant(column) for name, column in features.items()})["click"].numpy()
    # odds / w of the share of the negatives, odds k / w of all
    odds = np.exp(raw.astype(np.float64)) * KEEP / WEIGHTS["click"]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for one in (model, again):
        rows = evaluation.Predictor(one, WEIGHTS).probabilities(features, dataset.schema.tasks)
        np.testing.assert_allclose(rows["click"], odds / (1 + odds), rtol=1e-5)
    assert trial.expected.keys() == {"click", "conversion", "conversion_after_click"}
    for output, expected in trial.expected.items():
        np.testing.assert_allclose(found[output].numpy(), expected, rtol=1e-4)
    np.testing.assert_allclose(trial.expected["click"], rows["click"], rtol=1e-4)


def test_models_whose_bounds_it_would_break_refuse_it(dataset):
    models.build("esmm", dataset.schema)
    models.build("aitm", dataset.schema)
    with pytest.raises(models.ModelError, match=r"model escm2: .* needs all negatives"):
        models.build("escm2", dataset.schema)
    later = (Task("click"), Task("conversion", keep_negatives=0.5))
    apart = (Task("click"), Task("conversion", "click", keep_negatives=0.5))
    sentence = "conversion has keep_negatives, .* declare keep_negatives at click"
    for name, tasks, settings in (
        ("esmm", later, {}),
        ("aitm", later, {}),
        ("mmoe", apart, {"tasks_in_sequence": True}),
    ):
        schema = with_tasks(dataset.schema, tasks)
        with pytest.raises(models.ModelError, match=sentence):
            models.build(name, schema, **settings)
    models.build("mmoe", with_tasks(dataset.schema, later), tasks_in_sequence=True)


def with_tasks(schema, tasks):
    import dataclasses

    return dataclasses.replace(schema, tasks=tasks)


ITEMS = 8
RATES = np.linspace(0.02, 0.3, ITEMS)  # of clicks, by item
LIKES = np.array([[0.1, 0.6], [0.5, 0.2]])  # of likes, by whether the item is odd, and by click


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """A log of known probabilities, of whose training negatives a tenth is kept."""
    folder = tmp_path_factory.mktemp("log")
    random = np.random.default_rng(4)
    for split in ("train", "test"):
        item = random.integers(ITEMS, size=100_000)
        click = (random.random(len(item)) < RATES[item]).astype(int)
        like = (random.random(len(item)) < LIKES[item % 2, click]).astype(int)
        frame = pl.DataFrame({"item": [f"i{n}" for n in item], "click": click, "like": like})
        frame.write_csv(folder / f"{split}.csv")
    content = {
        "name": "shop",
        "split": {"by": "file", "train": "train.csv", "test": "test.csv"},
        "fields": {"item": {"kind": "categorical", "min_count": 1}},
        "tasks": {"click": {"keep_negatives": KEEP}, "like": {}},
    }
    prepare(parse_declaration(content, pathlib.Path("shop.yaml")), folder, folder / "shop", 3)
    return PreparedDataset(folder / "shop")


@pytest.mark.parametrize("choice", ["none", pytest.param("auto", marks=pytest.mark.slow)])
def test_probabilities_are_those_of_all_rows(sampled, tmp_path, choice):
    train = sampled.schema.split("train")
    assert train.rows < 30_000
    settings = TrainingSettings(
        epochs=8, batch_size=256, learning_rate=0.02, optimizer="adam", log_every=1000
    )
    model = built("logistic_regression", sampled)
    weights = losses.positive_weights(sampled.schema, choice)
    trainer = Trainer(model, sampled, settings, weights, tmp_path)
    trainer.train()
    figures = trainer.evaluate("test")
    for task in ("click", "like"):
        assert figures[task]["rows"] == 100_000
        assert figures[task]["calibration"] == pytest.approx(1, abs=0.05)
    encoder = RowEncoder(sampled.folder)
    rows = encoder(pl.DataFrame({"item": [f"i{n}" for n in range(ITEMS)]}))
    probabilities = trainer.predictor.probabilities(rows, sampled.schema.tasks)
    np.testing.assert_allclose(probabilities["click"], RATES, rtol=0.25, atol=0.01)
    likes = [
        rate * of_item[1] + (1 - rate) * of_item[0]
        for rate, of_item in zip(RATES, LIKES[np.arange(ITEMS) % 2], strict=True)
    ]
    np.testing.assert_allclose(probabilities["like"], likes, rtol=0.15)


def test_the_constant_is_that_of_all_rows(sampled):
    logits = constant.fit(sampled).logits["test"]
    for task in ("click", "like"):
        test = sampled.schema.split("test")
        rate = 1 / (1 + np.exp(-logits[task][0]))
        assert rate == pytest.approx(test.positives[task] / test.rows, rel=0.05)
