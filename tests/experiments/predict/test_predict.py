"""Scores of raw files: those of evaluation, in bounded memory, over any interruption."""

import json
import pathlib

import numpy as np
import polars as pl
import pytest
import tensorflow as tf
from absl import flags

from data_prep.own_log.parsing import csv_file, parquet_file
from dcrnn_tf.serving import export
from dcrnn_tf.serving.serving_model import ServingModel
from dcrnn_tf.system.errors import DatasetError, UsageError
from dcrnn_tf.system.settings import rules
from experiments import embeddings
from experiments.importance import __main__ as importance
from experiments.predict import __main__ as predict
from experiments.predict import parts, scoring
from experiments.predict.settings import Settings
from experiments.runs import trained_runs
from tests.scored_shop import raw_rows

OUTPUTS = ["click", "buy", "colour/green", "colour/red", "colour/blue", "spent", "buy_per_exposure"]


def histories(shop) -> pl.DataFrame:
    """What the test rows' histories are, as lists of raw ids, in the order of the log."""
    rows = raw_rows()
    found = []
    for row in rows.filter(pl.col("day") == 3).iter_rows(named=True):
        before = rows.filter(
            (pl.col("user") == row["user"])
            & (pl.col("at") < row["at"] - 60)
            & (pl.col("click") == 1)
        )
        found.append(before.sort("at", maintain_order=True)["item"].to_list()[-4:])
    return rows.filter(pl.col("day") == 3).with_columns(seen=pl.Series(found, dtype=pl.List(str)))


@pytest.fixture(scope="module")
def new_rows(shop):
    """The test rows as three Parquet files, without labels and days, with their histories."""
    rows = histories(shop).drop("day", "click", "buy", "colour", "spent")
    for number, part in enumerate((rows[:120], rows[120:121], rows[121:])):
        part.write_parquet(shop / f"new_{number}.parquet")
    return rows


def test_histories_are_made_of_the_files_of_earlier_rows(shop, small, new_rows, tmp_path):
    brought, made = tmp_path / "brought.parquet", tmp_path / "made.parquet"
    predict.main(settings(shop, brought))
    rows = raw_rows().filter(pl.col("day") == 3).drop("day", "click", "buy", "colour", "spent")
    rows.write_csv(tmp_path / "rows.csv")
    given = settings(
        shop,
        made,
        raw_dir=str(tmp_path),
        files=("rows.csv",),
        history_files=("rows.csv",),
        declared_dir=str(shop),
    )
    predict.main(given)
    one, other = pl.read_parquet(brought), pl.read_parquet(made)
    assert other.columns == one.columns
    assert other["order"].to_list() == one["order"].to_list()
    for name in OUTPUTS:
        np.testing.assert_allclose(other[name], one[name], rtol=2e-6)
    assert sorted(path.name for path in tmp_path.glob("made*")) == ["made.parquet"]


@pytest.fixture
def small(run, monkeypatch):
    """Parts of few rows, so that there are many, and a run that is loaded and traced once."""
    monkeypatch.setattr(trained_runs, "load_chosen", lambda *_: run)
    monkeypatch.setattr(parquet_file, "PARQUET_ROWS", 40)
    monkeypatch.setattr(csv_file, "BLOCK_BYTES", 2000)
    monkeypatch.setattr(parts, "PART_ROWS", 60)


def settings(shop, out, **changes) -> Settings:
    given = {
        "run_dir": str(shop / "run"),
        "files": ("new_*.parquet",),
        "raw_dir": str(shop),
        "out": str(out),
        "keys": ("order", "user"),
        "batch_size": 32,
    }
    return Settings(**(given | changes))


def evaluated(run) -> dict[str, np.ndarray]:
    """The outputs of evaluation for the test rows, by the price, which tells them apart."""
    dataset = run.dataset
    logits = run.predictor.predict(dataset, "test")[1]
    price = np.concatenate([f["price"].numpy() for f, _ in dataset.batches("test", 64)])
    found = {"price": price, "spent": logits["spent"]}
    for name in ("click", "buy", "buy_per_exposure"):
        found[name] = tf.sigmoid(logits[name]).numpy()
    for number, name in enumerate(dataset.schema.tasks[2].classes):
        found[f"colour/{name}"] = tf.nn.softmax(logits["colour"]).numpy()[:, number]
    return found


def test_scores_are_those_of_evaluation(shop, small, run, new_rows, tmp_path, capsys):
    summary = tmp_path / "summary.json"
    predict.main(settings(shop, tmp_path / "scores.parquet", summary=str(summary)))
    scores = pl.read_parquet(tmp_path / "scores.parquet")
    assert scores.columns == ["order", "user", *OUTPUTS]
    assert scores["order"].to_list() == new_rows["order"].to_list()
    assert scores["user"].to_list() == new_rows["user"].to_list()
    expected = evaluated(run)
    by_price = np.argsort(expected["price"], kind="stable")
    order = np.argsort(new_rows["price"].to_numpy(), kind="stable")
    assert len(set(new_rows["price"])) == len(new_rows)
    for name in OUTPUTS:
        np.testing.assert_allclose(
            scores[name].to_numpy()[order], expected[name][by_price], rtol=2e-5, atol=2e-6
        )
        assert np.std(expected[name]) > 0.05 * abs(np.mean(expected[name]))
    said = capsys.readouterr().out
    counted = json.loads(summary.read_text())
    assert "300 rows scored" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scores.parquet", "summary.json"]
    filters = run.dataset.schema.filters
    assert counted["unknown_ids"] == filters["unknown_ids"]["test"]  # the same rows, prepared
    assert counted["missing"] == filters["missing_by_split"]["test"]
    assert counted["unmatched"]["users"] == new_rows.filter(pl.col("user") >= 36).height
    assert counted["means"]["click"] == pytest.approx(expected["click"].mean(), rel=1e-5)
    assert counted["bad_rows"] == {}


def with_faults(shop, folder) -> pathlib.Path:
    """Writes the test rows as CSV and Parquet files, of which some rows cannot be used."""
    rows = histories(shop).with_columns(seen=pl.col("seen").list.join(";"))
    lines = rows[:200].write_csv().splitlines()
    for number in (3, 40, 41, 150, 151):
        lines[number] += ",more"
    price = rows.columns.index("price")
    for number in (60, 61, 170):
        cells = lines[number].split(",")
        lines[number] = ",".join([*cells[:price], "dear", *cells[price + 1 :]])
    (folder / "a.csv").write_text("\n".join(lines) + "\n")
    rows[200:].write_parquet(folder / "b.parquet")
    return folder


class Interruption(Exception):
    pass


def interrupt(*_, **__):
    raise Interruption


def test_an_interruption_changes_nothing(shop, small, tmp_path, monkeypatch, capsys):
    folder = with_faults(shop, tmp_path)
    out, summary = tmp_path / "scores.parquet", tmp_path / "summary.json"
    given = settings(
        shop,
        out,
        raw_dir=str(folder),
        files=("a.csv", "b.parquet"),
        declared_dir=str(shop),
        max_bad_rows=8,
        summary=str(summary),
    )
    predict.main(given)
    whole, counted = out.read_bytes(), json.loads(summary.read_text())
    assert counted["rows"] == 292
    assert counted["bad_rows"] == {"wrong number of cells": 5, "not a number": 3}
    assert pl.read_parquet(out).schema["user"] == pl.String  # text in one of the files
    out.unlink()
    calls = []
    real = trained_runs.evaluation.Predictor.probabilities

    def scored(self, *arguments):
        calls.append(arguments)
        if len(calls) == 6:
            raise Interruption
        return real(self, *arguments)

    monkeypatch.setattr(trained_runs.evaluation.Predictor, "probabilities", scored)
    with pytest.raises(Interruption):
        predict.main(given)
    assert not out.exists()
    calls.clear()
    calls += [None] * 99
    with monkeypatch.context() as patch:
        patch.setattr(scoring.json, "dump", interrupt)
        with pytest.raises(Interruption):
            predict.main(given)
    assert not out.exists()  # scores are not written again, and so neither would be the summary
    predict.main(given)
    assert out.read_bytes() == whole
    assert json.loads(summary.read_text()) == counted
    rows = sum(len(arguments[0]["price"]) for arguments in calls[99:])
    assert 100 < rows < 250
    assert "left behind by scoring that was interrupted" in capsys.readouterr().out
    assert not out.with_name("scores.parquet.work").exists()


def test_one_bad_row_more_is_an_error_that_says_where(shop, small, tmp_path):
    folder = with_faults(shop, tmp_path)
    for limit, place in (
        (0, "a.csv, line 4: 13 cells, expected 12"),
        (7, "line 171: .* 'dear'"),
    ):
        given = settings(
            shop,
            tmp_path / "scores.parquet",
            raw_dir=str(folder),
            files=("a.csv", "b.parquet"),
            declared_dir=str(shop),
            max_bad_rows=limit,
        )
        with pytest.raises(DatasetError, match=place):
            predict.main(given)


@pytest.mark.parametrize("program", [Settings, embeddings.Settings, importance.Settings])
def test_no_setting_has_the_name_of_a_flag_that_every_program_has(program):
    own = {flag.name for flag in flags.FLAGS.flags_by_module_dict()["absl.logging"]}
    assert "log_dir" in own
    assert not own & set(rules(program))


def test_mistakes_get_one_sentence(shop, small, new_rows, tmp_path):
    out = tmp_path / "scores.parquet"
    with pytest.raises(DatasetError, match=r"no column 'seen' .field seen is a history, item of"):
        predict.main(settings(shop, out, files=("rows.csv",)))
    histories(shop).write_parquet(tmp_path / "rows.parquet")
    here = {"raw_dir": str(tmp_path), "declared_dir": str(shop), "files": ("rows.parquet",)}
    with pytest.raises(UsageError, match="--keys names 'click', which is an output of the model"):
        predict.main(settings(shop, out, keys=("click",), **here))
    with pytest.raises(DatasetError, match=r"no column 'oder' .--keys.; did you mean 'order'"):
        predict.main(settings(shop, out, keys=("oder",), **here))
    with pytest.raises(UsageError, match=r"must end in \.parquet"):
        predict.main(settings(shop, tmp_path / "scores.csv"))
    with pytest.raises(UsageError, match="its folder does not exist"):
        predict.main(settings(shop, tmp_path / "no" / "scores.parquet"))
    out.touch()
    with pytest.raises(UsageError, match="exists already; remove it or name another"):
        predict.main(settings(shop, out))


def test_an_exported_model_gives_the_scores_of_its_run(shop, small, run, new_rows, tmp_path):
    schema = run.dataset.schema
    serving = ServingModel(run.model, schema, run.dataset.vocabularies(), run.positive_weights)
    export.save(serving, tmp_path / "shop", write_extra=schema.save)
    ours, served = tmp_path / "ours.parquet", tmp_path / "served.parquet"
    predict.main(settings(shop, ours))
    predict.main(settings(shop, served, run_dir=None, export_dir=str(tmp_path / "shop")))
    one, other = pl.read_parquet(ours), pl.read_parquet(served)
    assert other.columns == one.columns
    assert other["order"].to_list() == one["order"].to_list()
    for name in OUTPUTS:
        np.testing.assert_allclose(other[name], one[name], rtol=2e-5, atol=1e-6)
    with pytest.raises(DatasetError, match="holds no version of an exported model"):
        predict.main(settings(shop, tmp_path / "x.parquet", run_dir=None, export_dir=str(shop)))
    with pytest.raises(UsageError, match="give one of --run_dir and --export_dir"):
        predict.main(settings(shop, tmp_path / "x.parquet", export_dir=str(shop)))
