"""Tasks of several kinds from raw files to an exported model, and what pages say of them."""

import json
import pathlib

import numpy as np
import polars as pl
import pytest
import tensorflow as tf

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.preparation import prepare
from data_prep.own_log.row_encoder import RowEncoder
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.serving import export
from dcrnn_tf.serving.serving_model import ServingModel
from dcrnn_tf.training import metrics_log
from dcrnn_tf.training.settings import TrainingSettings
from experiments import evaluate, train
from experiments.baselines import boosted_trees, constant, logistic_regression
from experiments.runs import findings, trained_runs
from experiments.runs.pages import model_card, report
from experiments.runs.run import load_run

ROWS = 4000


def raw_rows() -> pl.DataFrame:
    """Watch times by user and item, of clicked items alone; spending by item, most often none."""
    random = np.random.default_rng(5)
    user, item = random.integers(0, 12, ROWS), random.integers(0, 9, ROWS)
    click = random.random(ROWS) < 0.6
    watch = np.exp(1 + 0.3 * user + 0.2 * (item % 3) + 0.2 * random.normal(size=ROWS))
    buys = random.random(ROWS) < 0.1 + 0.05 * item
    spend = np.where(buys, np.exp(0.4 * item + 0.3 * random.normal(size=ROWS)), 0.0)
    noise = random.random(ROWS) < 0.2
    genre = np.where(noise, random.integers(0, 3, ROWS), (user + item) % 3)
    return pl.DataFrame(
        {
            "genre": [("rock", "jazz", "folk")[n] for n in genre],
            "user": user,
            "item": item,
            "click": click.astype(int),
            "watch": np.where(click, watch, 0.0),
            "spend": spend,
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder of the log, of the dataset `prepared` and of the run `run`."""
    folder = tmp_path_factory.mktemp("kinds")
    raw_rows().write_csv(folder / "log.csv")
    content = {
        "name": "video",
        "split": {
            "by": "fraction",
            "files": "log.csv",
            "test_fraction": 0.25,
            "validation_fraction": 0.2,
        },
        "tasks": {
            "click": {},
            "watch": {"kind": "regression", "scaling": "log", "only_where": "click"},
            "spend": {"kind": "regression", "loss": "zero_inflated_lognormal"},
            "genre": {"kind": "multiclass", "classes": ["rock", "jazz", "folk"]},
        },
        "fields": {name: {"kind": "categorical", "min_count": 1} for name in ("user", "item")},
    }
    declaration = parse_declaration(content, pathlib.Path("video.yaml"))
    prepare(declaration, folder, folder / "prepared")
    settings = train.Settings(
        data_dir=str(folder / "prepared"),
        run_dir=str(folder / "run"),
        model="shared_bottom",
        set={"embedding_dim": 8, "bottom_units": [32], "tower_units": [16]},
        positive_weights=("none",),
    )
    train.main(settings, TrainingSettings(epochs=12, batch_size=128, learning_rate=0.01))
    return folder


def test_numbers_are_learned_and_evaluated_by_metrics_of_their_own(folder):
    result = load_run(folder / "run").result["metrics"]["test"]
    assert set(result) == {"click", "watch", "spend", "genre", "watch_per_exposure"}
    assert result["genre"]["macro_auc"] > 0.8
    assert result["genre"]["accuracy"] > 0.6 > result["genre"]["constant_accuracy"]
    assert result["genre"]["class_logloss"] < result["genre"]["constant_class_logloss"]
    for task in ("watch", "spend", "watch_per_exposure"):
        assert "auc" not in result[task]
        assert result[task]["rmse"] < 0.97 * result[task]["constant_rmse"]
        assert result[task]["xauc"] > 0.6
    # The noise of a watch time is 0.2 of its logarithm: little is left to explain.
    assert result["watch"]["xauc"] > 0.9
    assert result["watch"]["rmse"] < 0.5 * result["watch"]["constant_rmse"]
    assert result["watch"]["measured_on"] == "exposures where click is positive"
    assert result["watch_per_exposure"]["rows"] == result["click"]["rows"] > result["watch"]["rows"]


def test_checkpoints_are_chosen_by_the_mean_over_kinds(folder):
    entries = metrics_log.read(folder / "run" / metrics_log.METRICS_FILE)
    means = {
        step: np.mean(
            [
                *(tasks["click"]["auc"], tasks["genre"]["macro_auc"]),
                *(tasks["watch"]["xauc"], tasks["spend"]["xauc"]),
            ]
        )
        for step, tasks in metrics_log.evaluations(entries, "validation").items()
    }
    assert metrics_log.best_step(entries) == max(means, key=means.get)


def test_predictions_of_raw_rows_are_those_of_the_exported_model(folder):
    run = trained_runs.load(folder / "run")
    frame = pl.DataFrame({"user": ["3", "99", None], "item": ["8", "0", "2"]})
    features = RowEncoder(folder / "prepared")(frame)
    expected = run.probabilities(features)
    assert list(expected) == ["click", "watch", "spend", "genre", "watch_per_exposure"]
    np.testing.assert_allclose(expected["genre"].sum(axis=1), np.ones(3), rtol=1e-5)
    np.testing.assert_allclose(
        expected["watch_per_exposure"], expected["click"] * expected["watch"], rtol=1e-5
    )
    dataset = PreparedDataset(folder / "prepared")
    serving_model = ServingModel(
        run.model, dataset.schema, dataset.vocabularies(), run.positive_weights, ["user"]
    )
    version = export.save(serving_model, folder / "exported", dataset=dataset)
    loaded = tf.saved_model.load(str(version))
    inputs = {name: tf.constant(frame[name].fill_null("").to_list()) for name in frame.columns}
    found = loaded.signatures["serving_default"](**inputs)
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert found[name].shape == values.shape == ((3, 3) if name == "genre" else (3,))
        np.testing.assert_allclose(found[name], values, rtol=1e-5)
    ranked = loaded.signatures["rank"](user=tf.constant(["3"]), item=tf.constant(["8", "0"]))
    np.testing.assert_allclose(ranked["spend"][0], expected["spend"][0], rtol=1e-5)
    card = model_card.document(folder / "run", run, serving_model).markdown()
    assert "watch, given click, a number" in card
    assert "each of rock, jazz, folk" in card
    classes = json.loads((version / "assets.extra" / "classes.json").read_text())
    assert classes == {"genre": ["rock", "jazz", "folk"]}
    assert "| test " in card
    assert "XAUC" in card


def test_pages_and_the_program_that_evaluates_have_the_metrics(folder, capsys):
    page = report.document(load_run(folder / "run")).html()
    for words in (
        "XAUC",
        "RMSE",
        "constant&#39;s MAE",
        "rank correlation",
        "validation XAUC, watch",
    ):
        assert words in page
    flags = {"group_by": "user", "by": ("item",), "intervals": "bootstrap", "resamples": 20}
    evaluate.main(evaluate.Settings(run_dir=str(folder / "run"), **flags))
    output = json.loads(capsys.readouterr().out)
    printed, slices = output["metrics"], output["slices"]["item"]
    assert list(slices) == [str(item) for item in range(9)]
    for task, values in printed.items():
        assert sum(of_slice[task]["rows"] for of_slice in slices.values()) == values["rows"]
    ends = output["intervals"]["metrics"]
    for metric in ("auc", "gauc"):
        assert ends["click"][metric][0] < printed["click"][metric] < ends["click"][metric][1]
    of_item = output["intervals"]["slices"]["item"]["3"]
    for found in (ends, of_item):
        assert {"xauc", "mae"} <= set(found["watch"])
        assert "accuracy" in found["genre"]
    page = (folder / "run" / "report.html").read_text("utf-8")
    assert "20 resamples that draw the rows of each user together." in page
    assert "Metrics by item, test split, step" in page
    for picture in ("AUC, click by item", "calibration, click by item", "XAUC, watch by item"):
        assert f'alt="{picture}"' in page
    assert list(findings.findings(folder / "run")) == []
    click = printed["click"]
    assert (click["grouped_by"], click["groups"], click["rows_without_group"]) == ("user", 12, 0)
    assert abs(click["gauc"] - click["auc"]) < 0.05  # clicks depend on nothing
    by_group = {*click} - {*load_run(folder / "run").result["metrics"]["test"]["click"]}
    assert {"gauc", "grouped_by"} <= by_group
    for name in by_group:
        del click[name]
    assert printed == load_run(folder / "run").result["metrics"]["test"]


@pytest.mark.slow
def test_reference_models_of_numbers(folder, tmp_path):
    data_dir = str(folder / "prepared")
    constant.main(constant.Settings(data_dir=data_dir, run_dir=str(tmp_path / "constant")))
    values = load_run(tmp_path / "constant").result["metrics"]["test"]
    for task in ("watch", "spend"):
        assert values[task]["xauc"] == 0.5
        assert values[task]["rmse"] == pytest.approx(values[task]["constant_rmse"], rel=0.01)
    reference = values["genre"]["constant_class_logloss"]
    assert values["genre"]["macro_auc"] == 0.5
    assert values["genre"]["class_logloss"] == pytest.approx(reference, rel=0.01)
    for program, flags in (
        (boosted_trees, {"iterations": 15}),
        (logistic_regression, {}),
    ):
        run_dir = str(tmp_path / program.__name__)
        program.main(program.Settings(data_dir=data_dir, run_dir=run_dir, **flags))
        values = load_run(run_dir).result["metrics"]["test"]
        assert values["watch"]["xauc"] > 0.9
        assert values["spend"]["rmse"] < values["spend"]["constant_rmse"]
        assert values["genre"]["class_logloss"] < (0.99 * reference if flags else 1.01 * reference)
